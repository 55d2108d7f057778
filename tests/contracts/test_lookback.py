"""What every store of what was seen must do."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitors.lookback import (
    LOOKBACKS,
    LookBack,
    LookBackStore,
    MemoryLookBack,
    SeenFingerprint,
    load_lookback,
    may_hold,
    place_of,
)
from streams.types import PostKey
from tests.fakes import FakeClock, unit_rows

DIMENSIONS = 64
NOW = FakeClock().now()
DAY = timedelta(days=1)


@pytest.fixture(params=sorted(LOOKBACKS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LookBackStore]:
    opened = load_lookback(request.param, str(tmp_path / "lookback"))
    yield opened
    opened.close()


@pytest.fixture
def lookback(store: LookBackStore) -> LookBack:
    return store.of("drawn/1/none/f32")


def seen(number: int, *, post: int | None = None, medium: int = 0) -> SeenFingerprint:
    """Look nowhere but at itself: a random direction."""
    return SeenFingerprint(
        post=PostKey(f"{number if post is None else post:032x}"),
        medium=medium,
        at_seconds=number / 2,
        vector=unit_rows(number, 1, DIMENSIONS)[0],
        pdq=bytes([number % 256]) * 32 if number % 2 else None,
        observed_at=NOW - number * DAY,
    )


def test_what_was_seen_is_found_among_others(lookback: LookBack) -> None:
    lookback.add([seen(number) for number in range(5)])
    lookback.add([seen(number) for number in range(5, 10)])
    (found,) = lookback.search(unit_rows(7, 1, DIMENSIONS), 0.9, 10)
    assert (found.post, found.medium, found.query) == (seen(7).post, 0, 0)
    assert found.at_seconds == 3.5
    assert found.similarity == pytest.approx(1, abs=1e-3)
    assert lookback.count() == 10


def test_a_post_is_found_once_by_its_best_view_and_the_best_query(lookback: LookBack) -> None:
    views = [seen(number, post=1, medium=2) for number in (3, 4)]
    lookback.add([*views, *views, seen(3, post=1, medium=0), seen(3, post=9)])
    queries = np.concatenate([unit_rows(4, 1, DIMENSIONS), unit_rows(3, 1, DIMENSIONS)])
    found = lookback.search(queries, 0.9, 10)
    assert {one.post for one in found} == {seen(1).post, seen(9).post}
    assert len(found) == 2


def test_a_post_of_many_media_takes_no_others_place(lookback: LookBack) -> None:
    many = [seen(3, post=1, medium=medium) for medium in range(50)]
    lookback.add([*many, seen(3, post=9), seen(3, post=8)])
    found = lookback.search(unit_rows(3, 1, DIMENSIONS), 0.9, 3)
    assert {one.post for one in found} == {seen(1).post, seen(8).post, seen(9).post}


def test_the_most_similar_come_first_and_no_more_than_were_asked_for(lookback: LookBack) -> None:
    rows = unit_rows(0, 40, DIMENSIONS)
    lookback.add([replace(seen(number), vector=rows[number]) for number in range(40)])
    found = lookback.search(rows[:3], -1.0, 7)
    values = [one.similarity for one in found]
    assert len(found) == 7
    assert values == sorted(values, reverse=True)
    assert {one.post for one in found} >= {seen(number).post for number in range(3)}


def test_what_was_observed_before_is_left_out(lookback: LookBack) -> None:
    lookback.add([seen(number) for number in range(6)])
    queries = np.concatenate([unit_rows(number, 1, DIMENSIONS) for number in range(6)])
    found = lookback.search(queries, 0.9, 10, since=NOW - 2 * DAY)
    assert {one.post for one in found} == {seen(number).post for number in range(3)}


def test_what_is_old_is_forgotten_for_good(lookback: LookBack) -> None:
    lookback.add([seen(number) for number in range(6)])
    assert lookback.forget(NOW - 2 * DAY) == 3
    assert lookback.forget(NOW - 2 * DAY) == 0
    lookback.compact()
    assert lookback.count() == 3
    assert lookback.search(unit_rows(5, 1, DIMENSIONS), 0.9, 10) == []


def test_spaces_are_apart(store: LookBackStore) -> None:
    assert store.spaces() == []
    one, other = store.of("net/1/openvino/f32"), store.of("net-1/openvino/f32")
    one.add([seen(1)])
    other.add([seen(2)])
    assert store.spaces() == ["net-1/openvino/f32", "net/1/openvino/f32"]
    assert (one.count(), other.count()) == (1, 1)
    assert one.search(unit_rows(2, 1, DIMENSIONS), 0.9, 10) == []


def test_nothing_is_found_where_nothing_was_seen(lookback: LookBack) -> None:
    queries = unit_rows(0, 1, DIMENSIONS)
    lookback.add([])
    assert (lookback.search(queries, 0.0, 10), lookback.count(), lookback.forget(NOW)) == ([], 0, 0)
    lookback.compact()
    lookback.add([seen(1)])
    assert lookback.search(np.empty((0, DIMENSIONS), np.float32), 0.0, 10) == []


def test_vectors_of_another_length_are_refused_and_nothing_beside_them_is_kept(
    lookback: LookBack,
) -> None:
    odd = replace(seen(2), vector=unit_rows(2, 1, 8)[0])
    lookback.add([seen(1)])
    with pytest.raises(ValueError, match="several lengths"):
        lookback.add([seen(3), odd])
    with pytest.raises(ValueError, match="several lengths"):
        lookback.add([odd])
    assert lookback.count() == 1


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5), st.integers(0, 2)), max_size=40),
    st.integers(1, 12),
    st.floats(-0.2, 0.6),
)
@pytest.mark.parametrize("name", sorted(LOOKBACKS))
def test_it_answers_as_the_reference_does(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    drawn: Sequence[tuple[int, int, int]],
    limit: int,
    at_least: float,
) -> None:
    rows = [seen(number, post=post, medium=medium) for number, post, medium in drawn]
    queries = unit_rows(99, 3, DIMENSIONS)
    reference = MemoryLookBack()
    reference.add(rows)
    store = load_lookback(name, str(tmp_path_factory.mktemp("lookback")))
    asked = store.of("drawn/1/none/f32")
    asked.add(rows)
    found = asked.search(queries, at_least, limit, since=NOW - 20 * DAY)
    wanted = reference.search(queries, at_least - 2e-3, 1000, since=NOW - 20 * DAY)
    store.close()
    known = {(one.post, one.medium): one.similarity for one in wanted}
    for one in found:
        assert one.similarity == pytest.approx(known[one.post, one.medium], abs=1e-3)
    surely = [one for one in wanted if one.similarity >= at_least + 2e-3][:limit]
    assert len(found) >= len(surely)
    assert [one.similarity for one in found[: len(surely)]] == pytest.approx(
        [one.similarity for one in surely], abs=2e-3
    )


def test_a_local_place_that_is_missing_holds_nothing(tmp_path: Path) -> None:
    place = place_of(tmp_path, None)
    assert not may_hold(place)
    load_lookback("lance", place).close()
    assert may_hold(place)
    assert place_of(tmp_path, "s3://bucket/haechi") == "s3://bucket/haechi"
    assert may_hold("s3://bucket/haechi")
