"""`gpu_kernels.sound_align` and `gpu_kernels.sound_line`."""

from functools import cache
from typing import Protocol

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu_kernels.sound import SOUND_SPACE, SoundFingerprint, fingerprint_sound
from gpu_kernels.sound_align import match_sound
from gpu_kernels.sound_line import SoundMatch

SECOND = 16_000
Samples = NDArray[np.float32]


def melody(
    seed: int, seconds: float = 15, *, speed: float = 1.0, semitones: float = 0.0
) -> Samples:
    """Notes of a fifth to a second, two voices, as an instrument would play them."""
    random, parts = np.random.default_rng(seed), []
    for _ in range(int(seconds * 4)):
        length = int(SECOND * random.choice([0.2, 0.3, 0.4, 0.7]) / speed)
        time = np.arange(length) / SECOND
        note = np.zeros(length)
        for pitch in random.integers(0, 34, 2):
            hertz = 130 * 2 ** ((pitch + semitones) / 12)
            note += sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 7))
        parts.append(note * np.exp(-3 * time * speed))
    sound = np.concatenate(parts)[: int(seconds * SECOND / speed)]
    return (0.1 * sound).astype(np.float32)


def speech(
    seed: int, seconds: float = 15, *, speed: float = 1.0, semitones: float = 0.0
) -> Samples:
    """Vowels of three formants over a gliding voice, with pauses."""
    random, parts = np.random.default_rng(seed), []
    ratio = 2 ** (semitones / 12)
    for _ in range(int(seconds * 8)):
        length = int(SECOND * random.uniform(0.1, 0.3) / speed)
        if random.random() < 0.15:
            parts.append(np.zeros(length))
            continue
        start, end = random.uniform(90, 180, 2)
        voice = np.linspace(start, end, length) * ratio
        phase = 2 * np.pi * np.cumsum(voice) / SECOND
        formants = random.uniform((250, 800, 2000), (850, 2300, 3200)) * ratio
        vowel = np.zeros(length)
        for k in range(1, 28):
            gains = 1 / (1 + ((voice * k - formants[:, None]) / 90) ** 2)
            vowel += gains.sum(axis=0) * np.sin(k * phase)
        parts.append(vowel * np.hanning(length) ** 0.3)
    sound = np.concatenate(parts)[: int(seconds * SECOND / speed)]
    return (0.1 * sound).astype(np.float32)


class Maker(Protocol):
    """`melody` or `speech`."""

    def __call__(
        self, seed: int, seconds: float = 15, *, speed: float = 1.0, semitones: float = 0.0
    ) -> Samples: ...


MAKERS: list[Maker] = [melody, speech]
both = pytest.mark.parametrize("make", MAKERS, ids=["music", "speech"])


@cache
def reference(number: int) -> SoundFingerprint:
    return fingerprint_sound(MAKERS[number % 2](number))


def noise(count: int, level: float, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(0, level, count).astype(np.float32)


def match(query: Samples, against: Samples, *, thorough: bool = False) -> SoundMatch:
    found = match_sound(fingerprint_sound(query), fingerprint_sound(against), thorough=thorough)
    assert found is not None
    return found


@both
def test_a_sound_is_a_copy_of_itself(make: Maker) -> None:
    found = match(make(1), make(1))
    assert found.similarity > 0.6
    assert found.speed == pytest.approx(1, abs=0.002)
    assert found.pitch_semitones == 0
    assert found.query_span_seconds == pytest.approx((0, 15), abs=0.5)
    assert found.reference_span_seconds == pytest.approx((0, 15), abs=0.5)


@both
@pytest.mark.parametrize("semitones", [-2, 1, 2, 4])
def test_another_pitch_is_found_and_told(make: Maker, semitones: int) -> None:
    found = match(make(1, semitones=semitones), make(1), thorough=True)
    assert found.similarity > 0.35
    assert found.pitch_semitones == semitones


@both
@pytest.mark.parametrize("speed", [0.8, 0.93, 1.1, 1.25])
def test_another_tempo_is_found_and_told(make: Maker, speed: float) -> None:
    found = match(make(1, speed=speed), make(1), thorough=True)
    assert found.similarity > 0.35
    assert found.speed == pytest.approx(speed, rel=0.015)
    assert found.query_span_seconds == pytest.approx((0, 15 / speed), abs=0.6)
    assert found.reference_span_seconds == pytest.approx((0, 15), abs=0.6)


@both
def test_a_tape_that_runs_fast_is_found_and_told(make: Maker) -> None:
    whole = make(1)
    places = np.arange(0, len(whole) - 1, 2 ** (3 / 12))
    fast = np.interp(places, np.arange(len(whole)), whole).astype(np.float32)
    found = match(fast, whole, thorough=True)
    assert found.pitch_semitones == 3
    assert found.speed == pytest.approx(2 ** (3 / 12), rel=0.015)


@both
def test_without_being_thorough_another_pitch_is_not_found(make: Maker) -> None:
    shifted = fingerprint_sound(make(1, semitones=3))
    found = match_sound(shifted, fingerprint_sound(make(1)))
    assert found is None or found.similarity < 0.3


@both
def test_noise_as_loud_as_the_sound_is_no_hiding_place(make: Maker) -> None:
    whole = make(1)
    found = match(whole + noise(len(whole), float(whole.std())), whole)
    assert found.similarity > 0.35


@both
@pytest.mark.parametrize("start", [0.0, 3.37, 10.5])
def test_an_excerpt_is_found_where_it_was_cut(make: Maker, start: float) -> None:
    whole = make(1)
    part = whole[int(start * SECOND) :][: int(4.5 * SECOND)]
    found = match(part, whole)
    assert found.similarity > 0.35
    assert found.query_span_seconds == pytest.approx((0, 4.5), abs=0.5)
    assert found.reference_span_seconds == pytest.approx((start, start + 4.5), abs=0.5)


@both
@pytest.mark.parametrize("start", [0.0, 7.3, 19.0])
def test_a_part_of_a_longer_query_is_found(make: Maker, start: float) -> None:
    """Sound under another picture that other sound goes before and after.

    Where the sounds part is told less well than where a sound was cut: see docs/sound.md.
    """
    whole, around = make(1), melody(50, 25)
    at = int(start * SECOND)
    query = np.concatenate([around[:at], whole[4 * SECOND : 9 * SECOND], around[at:]])
    found = match(query, whole)
    assert found.similarity > 0.35
    assert found.query_span_seconds == pytest.approx((start, start + 5), abs=0.75)
    assert found.reference_span_seconds == pytest.approx((4, 9), abs=0.75)


@both
def test_a_part_of_a_long_reference_is_found(make: Maker) -> None:
    long = make(1, 120)
    found = match(long[77 * SECOND : 83 * SECOND], long)
    assert found.similarity > 0.4
    assert found.reference_span_seconds == pytest.approx((77, 83), abs=0.5)


def test_two_long_sounds_that_share_a_minute_have_it_found_whole() -> None:
    shared = melody(1, 60)
    query = np.concatenate([melody(2, 20), shared, melody(3, 20)])
    found = match(query, np.concatenate([melody(4, 45), shared]))
    assert found.query_span_seconds == pytest.approx((20, 80), abs=0.6)
    assert found.reference_span_seconds == pytest.approx((45, 105), abs=0.6)


def test_two_seconds_in_common_are_no_match() -> None:
    whole = melody(1)
    query = np.concatenate([melody(2, 6), whole[5 * SECOND : 7 * SECOND], melody(3, 6)])
    found = match_sound(fingerprint_sound(query), fingerprint_sound(whole))
    assert found is None or found.similarity < 0.25


@pytest.mark.parametrize("thorough", [False, True])
def test_other_sounds_do_not_match(*, thorough: bool) -> None:
    alike = [
        0.0 if found is None else found.similarity
        for one, other in [(1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (2, 5)]
        for found in [match_sound(reference(one), reference(other), thorough=thorough)]
    ]
    assert max(alike) < 0.3


def test_noise_does_not_match_other_noise_nor_a_melody() -> None:
    one, other = (fingerprint_sound(noise(15 * SECOND, 0.1, seed)) for seed in (1, 2))
    for against in (other, reference(1), reference(2)):
        found = match_sound(one, against, thorough=True)
        assert found is None or found.similarity < 0.25


@given(seconds=st.floats(0, 15), thorough=st.booleans())
def test_silence_matches_nothing_even_itself(*, seconds: float, thorough: bool) -> None:
    silence = fingerprint_sound(np.zeros(int(seconds * SECOND), np.float32))
    assert match_sound(silence, silence, thorough=thorough) is None
    assert match_sound(silence, reference(1), thorough=thorough) is None
    assert match_sound(reference(1), silence, thorough=thorough) is None


@given(start=st.integers(0, 180), count=st.integers(0, 180))
def test_any_part_of_a_fingerprint_can_be_matched(start: int, count: int) -> None:
    whole = reference(1)
    part = SoundFingerprint(
        space=SOUND_SPACE,
        bands=whole.bands[start : start + count],
        weights=whole.weights[start : start + count],
    )
    found = match_sound(part, whole)
    if found is not None:
        assert 0 <= found.similarity <= 1
        assert 0 <= found.query_span_seconds[0] < found.query_span_seconds[1] <= part.seconds
        first, last = found.reference_span_seconds
        assert 0 <= first < last <= whole.seconds
    if part.usable_seconds > 4:
        assert found is not None
        assert found.reference_span_seconds[0] == pytest.approx(start * 0.08, abs=0.5)


def test_another_space_is_refused() -> None:
    whole = reference(1)
    stranger = SoundFingerprint(space="sound/9", bands=whole.bands, weights=whole.weights)
    with pytest.raises(ValueError, match="against"):
        match_sound(stranger, whole)
