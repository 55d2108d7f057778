"""`agents.steps.seen`: which pixels are kept, and how many bytes they are."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from agents.steps.seen import KEPT_FRAMES, MOST_BYTES, Seen, beside, frames_to_keep
from gpu_kernels.fingerprint import ImageFingerprint
from streams.types import DecodedMedia, Frame, MediaKind, Sound
from tests.fakes import fingerprint_of


def frames(count: int, start: float = 0.0) -> list[Frame]:
    return [Frame(width=1, height=1, rgb=b"rgb", at_seconds=start + at / 2) for at in range(count)]


def test_a_short_films_frames_are_all_kept() -> None:
    film = frames(KEPT_FRAMES)
    assert frames_to_keep(film, []) == film


def test_of_many_frames_the_wanted_ones_and_evenly_spread_others_are_kept() -> None:
    kept = frames_to_keep(frames(96), [10.5, 11.0, 11.5])
    times = [one.at_seconds for one in kept]
    assert len(kept) <= KEPT_FRAMES
    assert {0.0, 10.5, 11.0, 11.5, 47.5} <= set(times)
    assert times == sorted(times)
    assert max(b - a for a, b in pairwise(times)) <= 1.5


def test_part_after_part_the_kept_frames_stay_spread_over_all_of_it() -> None:
    kept: list[Frame] = []
    for part in range(20):
        kept = frames_to_keep([*kept, *frames(96, 48.0 * part)], [])
    times = [one.at_seconds for one in kept]
    assert len(kept) <= KEPT_FRAMES
    assert max(b - a for a, b in pairwise(times)) < 80


def test_a_medium_weighs_its_pixels_and_its_sound() -> None:
    media = DecodedMedia(
        kind=MediaKind.VIDEO, format="mp4", frames=(), frame_count=0, sound=Sound(pcm=b"1234")
    )
    assert Seen(media, frames=frames(5)).size_bytes == 5 * 3 + 4
    assert MOST_BYTES < 260e6


def test_key_frames_stay_beside_a_dense_look_that_saw_fewer() -> None:
    def seen(*times: float) -> list[ImageFingerprint]:
        return [replace(fingerprint_of(1), at_seconds=at) for at in times]

    def times(shown: Sequence[ImageFingerprint]) -> list[float]:
        return [one.at_seconds for one in shown]

    assert times(beside(seen(0, 4, 8), seen(0, 5))) == [0, 4, 5, 8]
    assert times(beside(seen(0, 4, 8), seen(0, 1, 2))) == [0, 1, 2]
    assert times(beside([], seen(3))) == [3]
