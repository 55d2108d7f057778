"""`gpu_kernels.alignment`: against a slow search of every line, and on films that are known."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu_kernels import alignment
from gpu_kernels.alignment import (
    FLOORS,
    MIN_VARIETY,
    PATTERN,
    SPEEDS,
    Affinity,
    Alignment,
    Seconds,
    align,
    lines,
)

CONTRAST, STEP, REACH, OUTSIDE = 0.5, 0.5, 1.0, -9.0


def worth(affinity: Affinity, i: int, j: int, floor: float) -> float:
    """Give what a pair of frames adds to a line, by the definition."""
    row, column, whole = affinity[i].mean(), affinity[:, j].mean(), affinity.mean()
    value = float(affinity[i, j])
    return value - floor + CONTRAST * float(value - row - column + whole)


def best_total(affinity: Affinity, query: Seconds, reference: Seconds, floor: float) -> float:
    """Try every speed, every offset and every stretch."""
    best = -np.inf
    for speed in SPEEDS:
        offset = reference[0] - speed * query[-1]
        while offset < reference[-1] - speed * query[0] + STEP / 2:
            values = []
            for i, at in enumerate(query):
                wanted = speed * at + offset
                j = min(range(len(reference)), key=lambda n: abs(reference[n] - wanted))
                inside = abs(reference[j] - wanted) <= REACH
                values.append(worth(affinity, i, j, floor) if inside else OUTSIDE)
            for first in range(len(values)):
                for last in range(first + 1, len(values) + 1):
                    best = max(best, sum(values[first:last]))
            offset += STEP
    return best


@st.composite
def films(draw: st.DrawFn) -> tuple[Affinity, Affinity, Seconds, Seconds]:
    """Two small films; the query's frames copy a stretch of the reference's more or less."""
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    counts = draw(st.integers(1, 7)), draw(st.integers(1, 8))
    spacing = draw(st.sampled_from([0.25, 0.5, 1.0, 1.7, 4.0]))
    query, reference = (seconds(random.uniform(0.1, 2 * spacing, n).cumsum()) for n in counts)
    rows, columns = random.standard_normal((counts[0], 6)), random.standard_normal((counts[1], 6))
    likeness = draw(st.sampled_from([0.0, 0.5, 3.0]))
    for i in range(counts[0]):
        rows[i] += likeness * columns[min(i + 1, counts[1] - 1)]
    affinity, itself = unit(rows) @ unit(columns).T, unit(columns) @ unit(columns).T
    return np.asarray(affinity, np.float32), np.asarray(itself, np.float32), query, reference


def seconds(values: NDArray[Any]) -> Seconds:
    return np.asarray(np.round(values, 3), np.float64)


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = np.asarray(rows, np.float32)
    return np.asarray(scaled / np.linalg.norm(scaled, axis=1, keepdims=True), np.float32)


@settings(max_examples=60)
@given(films())
def test_no_line_is_better_than_the_one_that_is_found(
    film: tuple[Affinity, Affinity, Seconds, Seconds],
) -> None:
    affinity, itself, query, reference = film
    for found, floor in zip(lines(affinity, itself, query, reference), FLOORS, strict=True):
        total = sum(worth(affinity, i, j, floor) for i, j in found.pairs)
        assert total == pytest.approx(best_total(affinity, query, reference, floor), abs=1e-5)


@settings(max_examples=60)
@given(films())
def test_what_is_told_of_a_line_is_what_its_pairs_say(
    film: tuple[Affinity, Affinity, Seconds, Seconds],
) -> None:
    affinity, itself, query, reference = film
    found = align(affinity, itself, query, reference)
    rows, columns = [i for i, _ in found.pairs], [j for _, j in found.pairs]
    assert rows == list(range(rows[0], rows[-1] + 1))
    assert columns == sorted(columns)
    assert found.frames == len(rows)
    assert found.speed in SPEEDS
    assert found.similarity == pytest.approx(float(affinity[rows, columns].mean()), abs=1e-6)
    assert found.query_span_seconds == (query[rows[0]], query[rows[-1]])
    assert found.reference_span_seconds == (reference[columns[0]], reference[columns[-1]])
    assert found.pattern is None or -1 - 1e-9 <= found.pattern <= 1 + 1e-9


def scene(seed: int, count: int) -> NDArray[np.float32]:
    """Frames that drift, as a film's do: neighbours are alike, those far apart are not."""
    random = np.random.default_rng(seed)
    steps = random.standard_normal((count + 6, 32))
    return unit(np.stack([steps[i : i + 4].sum(axis=0) for i in range(count)]))


def aligned(query: NDArray[np.float32], reference: NDArray[np.float32], step: float) -> Alignment:
    """Lay frames `step` seconds apart along a reference whose frames are 1 s apart."""
    return align(
        query @ reference.T,
        reference @ reference.T,
        seconds(np.arange(len(query)) * step),
        seconds(np.arange(len(reference)) * 1.0),
    )


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_copy_at_each_speed_is_found_where_it_is(speed: float) -> None:
    reference = scene(1, 60)
    wanted = 12 + speed * np.arange(24)
    found = aligned(reference[np.round(wanted).astype(int)], reference, 1.0)
    assert found.speed == speed
    assert found.frames == 24
    assert found.reference_span_seconds == pytest.approx((12, wanted[-1]), abs=1)
    assert found.similarity > 0.9
    assert found.pattern is not None
    assert found.pattern > 0.9


def test_other_film_before_and_after_a_copy_is_left_out() -> None:
    reference = scene(1, 40)
    query = np.concatenate([scene(2, 10), reference[5:25], scene(3, 10)])
    found = aligned(query, reference, 1.0)
    assert found.query_span_seconds == pytest.approx((10, 29), abs=1)
    assert found.reference_span_seconds == pytest.approx((5, 24), abs=1)


def test_unrelated_films_run_along_each_other_hardly_anywhere() -> None:
    found = [aligned(scene(seed, 30), scene(seed + 100, 30), 1.0) for seed in range(10)]
    assert max(one.frames for one in found) <= 10


def test_another_recording_of_one_room_has_not_its_pattern() -> None:
    """Every frame is like every other, and their order is another's."""
    room = 4 * unit(np.random.default_rng(5).standard_normal((1, 32)))
    reference, copy = unit(room + scene(1, 30)), unit(room + scene(1, 30)[4:24])
    retake = unit(room + scene(2, 20))
    true, false = aligned(copy, reference, 1.0), aligned(retake, reference, 1.0)
    assert false.similarity > 0.8
    assert true.pattern is not None
    assert false.pattern is not None
    assert true.pattern > 0.9
    assert false.pattern < 0.5


def test_a_reference_that_hardly_changes_has_no_pattern() -> None:
    still = unit(np.ones((20, 32)) + 0.01 * np.random.default_rng(1).standard_normal((20, 32)))
    assert (still @ still.T).std() < MIN_VARIETY
    assert aligned(still, still, 1.0).pattern is None


def test_three_frames_have_no_pattern() -> None:
    reference = scene(1, 20)
    assert aligned(reference[5:8], reference, 1.0).pattern is None
    assert aligned(reference[5:9], reference, 1.0).pattern is not None


def test_frames_are_not_matched_over_a_gap_in_the_reference() -> None:
    """The reference has nothing for a minute: no frame of it stands for that time."""
    frames = unit(np.random.default_rng(1).standard_normal((20, 64)))
    gap = seconds(np.concatenate([np.arange(10), np.arange(70, 80)]))
    found = align(frames @ frames.T, frames @ frames.T, seconds(np.arange(20)), gap)
    assert found.frames == 10


def test_one_frame_each_is_a_line_of_one() -> None:
    one = np.ones((1, 1), np.float32)
    found = align(one * 0.7, one, np.array([3.0]), np.array([9.0]))
    assert (found.frames, found.pairs, found.pattern) == (1, ((0, 0),), None)
    assert found.similarity == pytest.approx(0.7)
    assert found.reference_span_seconds == (9.0, 9.0)


@settings(max_examples=20)
@given(film=films())
def test_it_does_not_matter_how_many_offsets_are_looked_at_together(
    film: tuple[Affinity, Affinity, Seconds, Seconds],
) -> None:
    whole = align(*film)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment, "_MAX_CELLS", 1)
        assert align(*film) == whole


def test_a_long_film_takes_little_memory() -> None:
    """A minute in an hour: all of a speed's offsets at once would take 70 MB."""
    query, reference = seconds(np.arange(120) / 2), seconds(np.arange(360) * 10)
    affinity = np.zeros((120, 360), np.float32)
    affinity[:, 200:206] = 0.9
    tracemalloc.start()
    try:
        found = align(affinity, np.eye(360, dtype=np.float32), query, reference)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 1990 <= found.reference_span_seconds[0] <= 2000
    assert most < 20e6


@pytest.mark.parametrize("padding", [30, 60])
def test_a_copied_stretch_is_found_behind_a_longer_one_that_only_looks_alike(padding: int) -> None:
    room = 1.4 * np.eye(32, dtype=np.float32)[0]  # all of it was taken in one place
    film = unit(scene(1, 24) + room)
    query = np.concatenate([unit(scene(2, padding) + room), film[:12]])
    affinity, itself = query @ film.T, film @ film.T
    assert 0.5 < float(affinity[:padding].mean()) < 0.8
    times = seconds(np.arange(len(query))), seconds(np.arange(24))
    longest = lines(affinity, itself, *times)[0]
    assert longest.query_span_seconds[0] < padding
    assert (longest.pattern or 0) < PATTERN
    found = align(affinity, itself, *times)
    assert found.query_span_seconds == pytest.approx((padding, padding + 11), abs=1)
    assert found.reference_span_seconds == pytest.approx((0, 11), abs=1)
    assert (found.pattern or 0) > 0.9
