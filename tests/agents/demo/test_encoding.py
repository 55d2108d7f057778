"""What is encoded can be decoded, by the product's own decoder."""

import numpy as np
import pytest

from agents.demo.encoding import SOUND_FORMATS, encode_animation, encode_film, encode_sound
from agents.demo.films import Film, take
from agents.demo.scenes import draw
from agents.demo.tunes import compose
from streams.media.decoder import SandboxedDecoder
from streams.types import DecodedMedia, Look, MediaKind

SECONDS = 4.0
FRAMES = take([draw("city", 3)], 3, SECONDS)
TUNE = compose(3, 3, SECONDS)


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    film = Film(frames=FRAMES, sound=TUNE)
    silent = Film(frames=FRAMES, loss=36)
    return {"film": encode_film(film), "again": encode_film(film), "silent": encode_film(silent)}


async def decoded(body: bytes) -> DecodedMedia:
    decoder = SandboxedDecoder(1)
    await decoder.start()
    try:
        return await decoder.decode(body, Look(sound=True))
    finally:
        await decoder.close()


async def test_a_film_has_its_pictures_and_its_sound(films: dict[str, bytes]) -> None:
    media = await decoded(films["film"])
    assert media.kind is MediaKind.VIDEO
    assert media.duration_seconds == pytest.approx(SECONDS, abs=0.2)
    assert media.sound is not None
    assert media.sound.seconds == pytest.approx(SECONDS, abs=0.2)
    assert (media.frames[0].width, media.frames[0].height) == (480, 270)
    first = np.frombuffer(media.frames[0].rgb, np.uint8).reshape(270, 480, 3)
    assert np.abs(first.astype(float) - FRAMES[0]).mean() < 8


async def test_a_silent_film_of_few_bits_is_small_and_silent(films: dict[str, bytes]) -> None:
    assert not (await decoded(films["silent"])).has_sound
    assert len(films["silent"]) < len(films["film"]) / 2


def test_equal_films_give_equal_bytes(films: dict[str, bytes]) -> None:
    assert films["film"] == films["again"]


@pytest.mark.parametrize("suffix", SOUND_FORMATS)
async def test_each_format_of_sound_is_heard(suffix: str) -> None:
    media = await decoded(encode_sound(TUNE, suffix))
    assert media.kind is MediaKind.AUDIO
    assert media.sound is not None
    assert media.sound.seconds == pytest.approx(SECONDS, abs=0.2)


@pytest.mark.parametrize("suffix", ["gif", "webp"])
async def test_an_animation_is_seen_as_a_video(suffix: str) -> None:
    media = await decoded(encode_animation(FRAMES[::8], 2.0, suffix))
    assert (media.kind, media.format) == (MediaKind.VIDEO, suffix)
    assert len(media.frames) > 1
