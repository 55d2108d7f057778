"""`streams.media.looking`: the same through the real sandbox as without it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agents.benchmarks.hostile_media import (
    FILMS,
    SOUNDS,
    make_picture,
)
from streams.errors import MediaError
from streams.media.decoder import SandboxedDecoder
from streams.media.frames import Summary
from streams.media.sandbox import sandbox_status
from streams.types import DecodedMedia, Look, MediaKind
from tests.streams.media.seeing import good_films, look


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    return good_films()


def test_pictures_are_still_pictures() -> None:
    kept, summary = look(make_picture("JPEG"), Look(sound=True, start_seconds=50))
    assert (summary.kind, summary.has_sound, len(kept.frames)) == (MediaKind.IMAGE, False, 1)


needs_sandbox = pytest.mark.skipif(sandbox_status().kind == "none", reason=sandbox_status().detail)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def decoder() -> AsyncIterator[SandboxedDecoder]:
    decoder = SandboxedDecoder()
    await decoder.start()
    yield decoder
    await decoder.close()


@needs_sandbox
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", sorted(FILMS | SOUNDS))
async def test_a_locked_child_sees_the_same(
    decoder: SandboxedDecoder, films: dict[str, bytes], name: str
) -> None:
    asked = Look(sound=True, frames_per_second=2.0)
    kept, summary = look(films[name], asked)
    media = await decoder.decode(films[name], asked)
    assert [frame.at_seconds for frame in media.frames] == kept.times
    assert [frame.rgb for frame in media.frames] == [frame.tobytes() for frame in kept.frames]
    assert (media.sound.pcm if media.sound else b"") == kept.samples.tobytes()
    assert described(media) == summary


def described(media: DecodedMedia) -> Summary:
    return Summary(
        kind=media.kind,
        format=media.format,
        frame_count=media.frame_count,
        duration_seconds=media.duration_seconds,
        looked_until_seconds=media.looked_until_seconds,
        reached_end=media.reached_end,
        has_sound=media.has_sound,
        heard_end=media.heard_end,
    )


@needs_sandbox
@pytest.mark.asyncio(loop_scope="module")
async def test_films_are_decoded_side_by_side(
    decoder: SandboxedDecoder, films: dict[str, bytes]
) -> None:
    names = ["mp4", "webm", "mp3", "wav", "avi", "flac"]
    media = await asyncio.gather(*[decoder.decode(films[name]) for name in names])
    assert [one.format for one in media] == names


@needs_sandbox
@pytest.mark.asyncio(loop_scope="module")
async def test_a_look_at_nothing_is_the_callers_error(
    decoder: SandboxedDecoder, films: dict[str, bytes]
) -> None:
    with pytest.raises(ValueError, match="second"):
        await decoder.decode(films["mp4"], Look(frames_per_second=0))
    with pytest.raises(MediaError):
        await decoder.decode(films["mp4"], Look(start_seconds=500))
