"""`gpu_kernels.sound`."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from gpu_kernels.sound import BANDS, SOUND_SPACE, SoundFingerprint, fingerprint_sound

SECOND = 16_000


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * SECOND)).astype(np.float32)


def tone(seconds: float, hertz: float) -> NDArray[np.float32]:
    time = np.arange(int(seconds * SECOND)) / SECOND
    return (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def melody(seconds: float) -> NDArray[np.float32]:
    pitches = np.random.default_rng(1).integers(0, 30, int(seconds * 4))
    return np.concatenate([tone(0.25, 150 * 2 ** (pitch / 12)) for pitch in pitches])


def test_a_melody_is_usable_from_end_to_end() -> None:
    made = fingerprint_sound(melody(10))
    assert made.seconds == pytest.approx(10)
    assert made.usable_seconds > 9
    assert made.bands.shape == (125, BANDS)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(10 * SECOND, np.float32),
        noise(10) * np.float32(1e-5),
        tone(10, 440),
        tone(10, 50) + tone(10, 100) + tone(10, 150),
        np.tile(np.pad(noise(0.02), (0, SECOND // 2 - 320)), 20),
        np.tile(np.concatenate([tone(0.5, 600), tone(0.5, 900)]), 10),
    ],
    ids=["silence", "next to silence", "a tone", "hum", "a metronome", "a siren"],
)
def test_what_says_nothing_is_not_usable(sound: NDArray[np.float32]) -> None:
    assert fingerprint_sound(sound).usable_seconds < 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_counts_as_silence(bad: float) -> None:
    whole, torn = melody(6), melody(6)
    whole[SECOND : 2 * SECOND] = 0
    torn[SECOND : 2 * SECOND] = bad
    assert (fingerprint_sound(torn).bands == fingerprint_sound(whole).bands).all()


@given(count=st.integers(0, 9_000), seed=st.integers(0, 9))
def test_any_length_has_a_frame_every_80_ms(count: int, seed: int) -> None:
    made = fingerprint_sound(noise(1, seed)[:count])
    assert len(made.weights) == -(-count // 1_280)


@given(
    arrays(
        np.float32,
        st.integers(0, 5_000),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
    )
)
def test_any_samples_give_a_fingerprint(samples: NDArray[np.float32]) -> None:
    made = fingerprint_sound(samples)
    assert made.usable_seconds <= made.seconds
    assert np.isfinite(made.frames()[0]).all()


def test_loudness_changes_next_to_nothing() -> None:
    loud, quiet = (fingerprint_sound(melody(6) * np.float32(gain)) for gain in (1.0, 0.05))
    assert np.abs(loud.bands.astype(int) - quiet.bands).max() <= 3


def test_a_long_sound_is_cut_into_blocks_without_a_seam() -> None:
    long = melody(60)
    whole, part = fingerprint_sound(long), fingerprint_sound(long[: 50 * SECOND])
    assert (whole.bands[:560] == part.bands[:560]).all()


def test_other_rates_and_more_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="not 16 kHz mono"):
        fingerprint_sound(noise(1), 44_100)
    with pytest.raises(ValueError, match="not 16 kHz mono"):
        fingerprint_sound(noise(1).reshape(-1, 2))


def test_it_survives_being_stored() -> None:
    made = fingerprint_sound(melody(5))
    again = SoundFingerprint.from_arrays(made.to_arrays())
    assert again.space == made.space == SOUND_SPACE
    assert (again.bands == made.bands).all()
    assert (again.weights == made.weights).all()


DTYPES = st.sampled_from([np.int8, np.uint8, np.int16, np.float32])


@given(
    bands=DTYPES.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, max_side=4))),
    weights=DTYPES.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, max_side=4))),
)
def test_arrays_that_do_not_fit_are_refused(bands: NDArray[Any], weights: NDArray[Any]) -> None:
    stored = fingerprint_sound(melody(3)).to_arrays()
    for changed in ({"bands": bands}, {"weights": weights}, {"bands": bands, "weights": weights}):
        with pytest.raises(ValueError, match=r"wrong type|fit together"):
            SoundFingerprint.from_arrays(stored | changed)


@pytest.mark.parametrize("name", ["space", "bands", "weights"])
def test_a_missing_array_is_refused(name: str) -> None:
    stored = fingerprint_sound(melody(3)).to_arrays()
    del stored[name]
    with pytest.raises(ValueError, match="lacks"):
        SoundFingerprint.from_arrays(stored)


def test_another_space_and_another_array_are_refused() -> None:
    stored = fingerprint_sound(melody(3)).to_arrays()
    with pytest.raises(ValueError, match="another space"):
        SoundFingerprint.from_arrays(stored | {"space": np.frombuffer(b"sound/9", np.uint8)})
    with pytest.raises(ValueError, match="another space"):
        SoundFingerprint.from_arrays(stored | {"more": np.zeros(1)})
