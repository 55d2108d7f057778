"""`streams.media.moving`: pictures and sound together, each for itself where one is broken."""

from collections.abc import Iterable

import pytest

from agents.benchmarks.hostile_media import (
    FILMS,
)
from streams.errors import UndecodableMediaError
from streams.media import film, looking, moving, soundtrack
from streams.media.frames import Limits
from streams.media.sampling import OutOfTimeError
from streams.types import Look, MediaKind
from tests.streams.media.seeing import Kept, good_films, look


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    return good_films()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", ["webm", "mpegts", "flv", "matroska", "avi", "mp3", "flac"])
def test_what_a_truncated_medium_still_holds_is_used(
    films: dict[str, bytes], name: str, share: float
) -> None:
    body = films[name][: int(len(films[name]) * share)]
    kept, summary = look(body, Look(sound=True))
    assert kept.seconds > 4 * share - 1.2
    assert len(kept.frames) >= (4 * share - 1 if name in FILMS else 0)
    assert summary.kind == (MediaKind.VIDEO if name in FILMS else MediaKind.AUDIO)


def test_an_index_that_is_cut_off_makes_a_film_unreadable(films: dict[str, bytes]) -> None:
    with pytest.raises(UndecodableMediaError):
        look(films["mp4"][:40_000])


def test_a_broken_sound_loses_no_picture_and_the_reverse(
    films: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(soundtrack.Soundtrack, "run", fail)
        kept, summary = look(films["mp4"], Look(sound=True))
        assert (len(kept.frames), kept.seconds, summary.has_sound) == (4, 0, True)
    with monkeypatch.context() as patch:
        patch.setattr(film.Film, "run", fail)
        kept, summary = look(films["mp4"], Look(sound=True))
        assert (summary.kind, kept.frames) == (MediaKind.AUDIO, [])
        assert kept.seconds == pytest.approx(4.0, abs=0.1)


def test_out_of_time_keeps_the_frames_so_far_and_the_sound(
    films: dict[str, bytes],
) -> None:
    class Slow(Kept):
        def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
            if len(self.frames) == 2:
                raise OutOfTimeError
            super().add(width, height, strips, at_seconds)

    limited: list[float] = []
    kept = Slow()
    summary = looking.decode(
        films["mp4"],
        kept,
        limit_cpu=limited.append,
        limits=Limits(),
        look=Look(sound=True),
    )
    assert (kept.times, summary.looked_until_seconds) == ([0.0, 1.0], 2.0)
    assert not summary.reached_end
    assert kept.seconds == pytest.approx(4.0, abs=0.1)
    assert limited == [moving.FILM_CPU_SECONDS, moving.SOUND_CPU_SECONDS, 0]


def test_sound_beyond_the_cap_is_told(
    films: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look(films["mp4"], Look(sound=True))[1].heard_end
    monkeypatch.setattr(soundtrack, "MAX_SOUND_BYTES", 32_000)
    kept, summary = look(films["mp4"], Look(sound=True))
    assert (kept.seconds, summary.reached_end, summary.heard_end) == (1.0, True, False)


def test_out_of_time_before_anything_is_told(films: dict[str, bytes]) -> None:
    def limit(seconds: float) -> None:
        if seconds:
            raise OutOfTimeError

    with pytest.raises(OutOfTimeError):
        looking.decode(films["mp4"], Kept(), limit_cpu=limit, limits=Limits(), look=Look())


def test_warming_up_makes_no_thread_and_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    moving.prepare()
    moving.warm_up()
    assert capfd.readouterr() == ("", "")
