"""`gpu_kernels.sound_line`: from a rough line to where two sounds run alike."""

import numpy as np
import pytest

from gpu_kernels.sound import FRAMES_PER_SECOND, fingerprint_sound
from gpu_kernels.sound_line import Line, follow, shift_bands, stretched
from tests.fakes import a_melody


def test_a_rough_line_is_straightened_and_its_ends_are_found() -> None:
    whole = a_melody(1, 14.0)
    reference = fingerprint_sound(whole).frames()
    query = fingerprint_sound(whole[4 * 16_000 : 12 * 16_000]).frames()
    rough = 4 * FRAMES_PER_SECOND + 0.8
    line = Line(offset=rough, speed=1.01, pitch=0, first=20, last=60)
    found = follow(line, query, reference)
    assert found is not None
    assert found.similarity > 0.5
    assert found.query_span_seconds == pytest.approx((0, 8), abs=0.5)
    assert found.reference_span_seconds == pytest.approx((4, 12), abs=0.5)
    assert found.speed == pytest.approx(1.0, abs=0.01)


def test_a_line_between_two_sounds_that_share_nothing_leads_nowhere() -> None:
    query, reference = (fingerprint_sound(a_melody(seed, 8.0)).frames() for seed in (1, 2))
    found = follow(Line(offset=0, speed=1.0, pitch=0, first=10, last=80), query, reference)
    assert found is None or found.similarity < 0.25


def test_bands_shift_there_and_back_but_for_the_edge() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 62)).astype(np.float32)
    there = shift_bands(rows, 3)
    np.testing.assert_array_equal(shift_bands(there, -3)[:, 3:], rows[:, 3:])
    assert not there[:, -3:].any()


def test_a_slower_sound_has_more_frames() -> None:
    frames = fingerprint_sound(a_melody(3, 8.0)).frames()
    assert len(stretched(frames, 1.25)[1]) == pytest.approx(1.25 * len(frames[1]), abs=2)
