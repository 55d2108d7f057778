"""`streams.media.animations`: the moments of an animated picture."""

import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from streams.errors import UndecodableMediaError
from streams.media import pictures
from streams.media.pictures import decode
from streams.media.sampling import OutOfTimeError
from streams.types import Look, MediaKind
from tests.streams.media.pictured import Album, clip, look, save, watch


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    pictures.prepare()


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_an_animation_gives_evenly_spread_frames_and_its_true_count(name: str) -> None:
    options: dict[str, Any] = {} if name == "TIFF" else {"duration": 100}
    if name == "WEBP":
        options |= {"lossless": True}
    kept, _, count = look(clip(31, name, **options))
    assert count == 31
    greys = [frame.getpixel((5, 5))[0] for frame in kept.frames]  # type: ignore[index]
    assert greys == pytest.approx([0, 50, 100, 150], abs=4)
    if options:
        assert kept.times == pytest.approx([0.0, 1.0, 2.0, 3.0])
    else:
        assert kept.times == [0.0] * 4


@pytest.mark.parametrize("name", ["GIF", "WEBP"])
def test_a_short_animation_gives_all_of_it(name: str) -> None:
    kept, _, count = look(clip(3, name, duration=10))
    assert (count, len(kept.frames)) == (3, 3)


def test_one_frame_is_enough_where_one_is_asked_for() -> None:
    kept, _, count = look(clip(9, "GIF", duration=10), most=1)
    assert (count, len(kept.frames)) == (9, 1)


def test_frames_that_are_promised_and_missing_move_the_choice() -> None:
    body = clip(31, "PNG", duration=100)
    place = body.index(b"acTL")
    data = struct.pack(">II", 1_000_000, 0)
    forged = b"acTL" + data + struct.pack(">I", zlib.crc32(b"acTL" + data))
    kept, _, count = look(body[:place] + forged + body[place + 16 :])
    assert count == 31
    assert len(kept.frames) == 4
    assert kept.frames[3].getpixel((5, 5))[0] == pytest.approx(150, abs=4)  # type: ignore[index]


def test_a_truncated_animation_keeps_what_is_whole() -> None:
    body = clip(31, "GIF", duration=100)
    kept, _, count = look(body[: len(body) * 2 // 3])
    assert 10 <= count < 31
    assert len(kept.frames) >= 4


def test_out_of_time_in_an_animation_keeps_the_first_frame() -> None:
    limits: list[float] = []

    def limit(seconds: float) -> None:
        limits.append(seconds)

    class Slow(Album):
        def add(self, *arguments: Any) -> None:
            super().add(*arguments)
            if len(self.frames) == 2:
                raise OutOfTimeError

    kept = Slow()
    body = clip(31, "GIF", duration=100)
    count = decode(body, kept, limit_cpu=limit).frame_count
    assert (count, len(kept.frames)) == (31, 2)
    assert limits == [pictures.FIRST_FRAME_CPU_SECONDS, pictures.MORE_FRAMES_CPU_SECONDS]


def test_an_animation_is_a_video_with_its_times_as_viewers_show_them() -> None:
    kept, summary = watch(clip(40, "GIF", duration=200), asked=Look(frames_per_second=1))
    assert (summary.kind, summary.frame_count) == (MediaKind.VIDEO, 40)
    assert (summary.duration_seconds, summary.looked_until_seconds) == pytest.approx((8.0, 8.0))
    assert kept.times == pytest.approx([0, 1, 2, 2.6, 3, 4, 5, 5.2, 6, 7, 7.8])


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP"])
def test_frames_without_a_duration_are_spread_evenly(name: str) -> None:
    kept, summary = watch(clip(31, name, duration=0))
    assert summary.duration_seconds == pytest.approx(3.1)
    assert {0.0, 1.0, 2.0, 3.0} <= {round(at, 6) for at in kept.times}


def test_a_part_of_an_animation_is_taken() -> None:
    body = clip(40, "GIF", duration=500)
    asked = Look(start_seconds=5.2, seconds=4.0, frames_per_second=1)
    kept, summary = watch(body, asked=asked)
    assert kept.times[0] == pytest.approx(5.2)
    assert all(5.2 <= at < 9.2 for at in kept.times)
    assert summary.looked_until_seconds >= 9.2
    assert kept.frames[0].getpixel((5, 5))[0] == pytest.approx(50, abs=4)  # type: ignore[index]


def test_a_part_after_the_end_of_an_animation_is_unreadable() -> None:
    with pytest.raises(UndecodableMediaError):
        watch(clip(5, "GIF", duration=100), asked=Look(start_seconds=60))


def test_an_animation_longer_than_the_cap_says_how_far_it_was_seen() -> None:
    body = clip(40, "GIF", duration=1000)
    kept, summary = watch(body, most=5)
    assert len(kept.frames) == 5
    assert summary.looked_until_seconds == pytest.approx(5.0)
    assert not summary.reached_end
    rest, told = watch(body, most=96, asked=Look(start_seconds=summary.looked_until_seconds))
    assert (len(rest.frames), told.reached_end) == (35, True)


def test_a_standing_animation_gives_a_frame_each_ten_seconds() -> None:
    pages = [Image.effect_noise((40, 40), 9).convert("RGB")] * 50
    marked = [page.copy() for page in pages]
    for place, page in enumerate(marked):
        page.putpixel((0, 0), (place, 0, 0))
    body = save(marked[0], "PNG", save_all=True, append_images=marked[1:], duration=500)
    kept, summary = watch(body)
    assert summary.duration_seconds == pytest.approx(25.0)
    assert kept.times == pytest.approx([0.0, 10.0, 20.0])
