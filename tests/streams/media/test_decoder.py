"""`streams.media.decoder`, through the real sandbox."""

import asyncio
import io
import os
import signal
import struct
import time
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from streams.errors import (
    DecoderCrashedError,
    MediaError,
    MediaTooLargeError,
    SandboxError,
    UndecodableMediaError,
)
from streams.media import decoder as module
from streams.media import handle, sandbox
from streams.media.decoder import SandboxedDecoder
from streams.media.frames import EXIT_UNLOCKED, Reply
from streams.media.sandbox import SandboxStatus, sandbox_status
from streams.types import DecodedMedia, MediaKind

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sandbox_status().kind == "none", reason=sandbox_status().detail),
]

CORPUS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def decoder() -> AsyncIterator[SandboxedDecoder]:
    decoder = SandboxedDecoder()
    await decoder.start()
    yield decoder
    await decoder.close()


def photograph(width: int = 300, height: int = 200, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (8, 12, 3), np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def save(image: Image.Image, name: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def pixels(media: DecodedMedia, index: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    frame = media.frames[index]
    return np.frombuffer(frame.rgb, np.uint8).reshape(frame.height, frame.width, 3)


@pytest.mark.parametrize("name", CORPUS)
async def test_a_picture_comes_back_as_it_was(decoder: SandboxedDecoder, name: str) -> None:
    media = await decoder.decode(save(photograph(), name))
    assert (media.kind, media.format, media.frame_count) == (MediaKind.IMAGE, name.lower(), 1)
    assert np.abs(pixels(media).astype(int) - np.asarray(photograph(), int)).mean() < 12


@pytest.mark.parametrize("mode", ["CMYK", "L", "I;16", "RGBA", "P", "1", "LA"])
async def test_other_modes_come_back_as_rgb(decoder: SandboxedDecoder, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16)
    else:
        image = photograph(64, 64).convert(mode)
    media = await decoder.decode(save(image, "TIFF" if mode == "CMYK" else "PNG"))
    assert pixels(media).shape == (64, 64, 3)
    assert pixels(media).std() > 10


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
async def test_the_orientation_of_exif_is_applied(decoder: SandboxedDecoder, name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    media = await decoder.decode(save(photograph(), name, exif=exif))
    assert (media.frames[0].width, media.frames[0].height) == (200, 300)


async def test_a_large_picture_is_made_to_fit(decoder: SandboxedDecoder) -> None:
    media = await decoder.decode(save(photograph(3000, 2000)))
    assert (media.frames[0].width, media.frames[0].height) == (1024, 683)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "AVIF"])
async def test_an_animation_comes_as_a_video(decoder: SandboxedDecoder, name: str) -> None:
    pages = [Image.new("RGB", (64, 48), (4 * index,) * 3) for index in range(40)]
    options = {"lossless": True} if name == "WEBP" else {}
    body = save(pages[0], name, save_all=True, append_images=pages[1:], duration=50, **options)
    media = await decoder.decode(body)
    assert (media.kind, media.format, media.frame_count) == (MediaKind.VIDEO, name.lower(), 40)
    assert media.duration_seconds == pytest.approx(2.0)
    times = [0, 0.65, 1.0, 1.3, 1.95]
    assert [frame.at_seconds for frame in media.frames] == pytest.approx(times)
    means = [int(pixels(media, index).mean()) for index in range(5)]
    assert means == pytest.approx([80 * at for at in times], abs=5)


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", rows)
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + body + chunk(b"IEND", b"")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(2**20)) for _ in range(size // 2**20)]
    return b"".join([*parts, packer.compress(bytes(size % 2**20)), packer.flush()])


async def test_a_48_kilobyte_bomb_of_400_million_pixels_is_refused(
    decoder: SandboxedDecoder,
) -> None:
    body = png(20_000, 20_000, 1, 0, zeros(20_000 * 2501))
    assert len(body) < 60_000
    with pytest.raises(MediaTooLargeError):
        await decoder.decode(body)


async def test_a_bomb_of_144_million_rgba_pixels_is_refused(decoder: SandboxedDecoder) -> None:
    body = png(12_000, 12_000, 8, 6, zeros(12_000 * 48_001))
    began = time.perf_counter()
    with pytest.raises(MediaTooLargeError):
        await decoder.decode(body)
    assert time.perf_counter() - began < 3


async def test_as_many_pixels_as_allowed_fit_into_the_memory(decoder: SandboxedDecoder) -> None:
    body = png(10_000, 5000, 8, 6, zeros(5000 * 40_001))
    media = await decoder.decode(body)
    assert (media.frames[0].width, media.frames[0].height) == (1024, 512)


async def test_a_text_bomb_hides_no_picture(decoder: SandboxedDecoder) -> None:
    rows = b"".join(b"\0" + bytes([40, 90, 160] * 32 + [9, 9, 9] * 32) for _ in range(64))
    bomb = chunk(b"zTXt", b"k\0\0" + zeros(500 * 2**20))
    media = await decoder.decode(png(64, 64, 8, 2, zlib.compress(rows), bomb))
    assert tuple(pixels(media)[3, 3]) == (40, 90, 160)


def endless_gif(side: int, frames: int) -> bytes:
    still = save(Image.new("P", (side, side)), "GIF")
    head = 13 + 3 * 2 ** ((still[10] & 7) + 1)
    return still[:head] + still[head:-1] * frames + b";"


async def test_200_frames_beyond_the_pixels_are_refused(decoder: SandboxedDecoder) -> None:
    with pytest.raises(MediaTooLargeError):
        await decoder.decode(endless_gif(8000, 200))


@pytest.mark.slow
async def test_200_heavy_frames_cost_seconds_and_give_the_first(
    decoder: SandboxedDecoder,
) -> None:
    media = await decoder.decode(endless_gif(5000, 200))
    assert media.frame_count == 200
    assert (media.frames[0].width, media.frames[0].height) == (640, 640)
    assert media.looked_until_seconds < media.duration_seconds


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPUS)
async def test_a_cut_at_many_lengths_gives_frames_or_a_media_error(
    decoder: SandboxedDecoder, name: str
) -> None:
    body = save(photograph(), name)
    seen = 0
    for length in range(1, len(body), max(1, len(body) // 25)):
        try:
            media = await decoder.decode(body[:length])
        except DecoderCrashedError:
            raise
        except UndecodableMediaError:
            continue
        seen += 1
        assert (media.frames[0].width, media.frames[0].height) == (300, 200)
    assert seen > 5 or name in {"TIFF", "WEBP", "AVIF"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"not a picture at all",
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        b"<!doctype html><html></html>",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(5000),
        b"\x1aE\xdf\xa3" + bytes(500),
        b"%PDF-1.7\n" + bytes(500),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
    ],
    ids=["empty", "x", "text", "svg", "html", "mp4", "webm", "pdf", "eps"],
)
async def test_what_is_no_picture_is_unreadable(decoder: SandboxedDecoder, body: bytes) -> None:
    with pytest.raises(UndecodableMediaError) as raised:
        await decoder.decode(body)
    assert type(raised.value) is UndecodableMediaError


async def test_more_bytes_than_allowed_are_refused_unread(
    decoder: SandboxedDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 100)
    with pytest.raises(MediaTooLargeError, match="bytes"):
        await decoder.decode(bytes(101))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(CORPUS),
    edits=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=30
    ),
    cut=st.floats(0.2, 1),
)
async def test_a_damaged_picture_gives_frames_or_a_media_error(
    decoder: SandboxedDecoder, name: str, edits: list[tuple[float, int]], cut: float
) -> None:
    body = bytearray(save(photograph(96, 64), name))
    for place, value in edits:
        body[int(place * len(body))] = value
    zygote = decoder.zygote_pid
    try:
        media = await decoder.decode(bytes(body[: int(len(body) * cut)]))
    except MediaError:
        pass
    else:
        assert 1 <= len(media.frames) <= 4
        assert all(
            len(frame.rgb) == frame.width * frame.height * 3
            and max(frame.width, frame.height) <= 1024
            for frame in media.frames
        )
    assert decoder.zygote_pid == zygote


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    head=st.sampled_from(
        b"|\xff\xd8\xff\xe0|\x89PNG\r\n\x1a\n|GIF89a|RIFF\0\1\0\0WEBPVP8 |BM|II*\0|MM\0*|"
        b"\0\0\0\x1cftypavif".split(b"|")
    ),
    noise=st.binary(max_size=300),
)
async def test_noise_gives_frames_or_a_media_error(
    decoder: SandboxedDecoder, head: bytes, noise: bytes
) -> None:
    try:
        media = await decoder.decode(head + noise)
    except MediaError:
        return
    assert media.frames


async def test_media_are_decoded_side_by_side_and_not_mixed_up(decoder: SandboxedDecoder) -> None:
    bodies = [save(photograph(seed=seed), "PNG") for seed in range(12)]
    decoded = await asyncio.gather(*[decoder.decode(body) for body in bodies])
    for seed, media in enumerate(decoded):
        assert np.array_equal(pixels(media), np.asarray(photograph(seed=seed)))


async def test_no_descriptor_is_left_open(decoder: SandboxedDecoder) -> None:
    await decoder.decode(save(photograph()))
    before = open_descriptors()
    for body in (save(photograph()), b"nothing", save(photograph(), "GIF")) * 5:
        try:
            await decoder.decode(body)
        except MediaError:
            continue
    assert open_descriptors() == before


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def until(done: Callable[[], object]) -> None:
    for _ in range(1000):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


async def test_a_cancelled_medium_ends_its_child_and_frees_its_place() -> None:
    decoder = SandboxedDecoder(workers=1, timeout_seconds=60)
    await decoder.start()
    pid = decoder.zygote_pid
    assert pid is not None
    working = asyncio.ensure_future(decoder.probe("sleep"))
    await until(lambda: children(pid))
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await until(lambda: not children(pid))
    assert (await decoder.decode(save(photograph()))).format == "jpeg"
    assert decoder.zygote_pid == pid
    await decoder.close()


async def test_a_dead_zygote_is_replaced() -> None:
    decoder = SandboxedDecoder()
    await decoder.start()
    for _ in range(2):
        pid = decoder.zygote_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert (await decoder.decode(save(photograph()))).format == "jpeg"
        assert decoder.zygote_pid != pid
    await decoder.close()


async def test_a_zygote_that_dies_at_work_costs_its_media_nothing() -> None:
    decoder = SandboxedDecoder(workers=4)
    await decoder.start()
    pid = decoder.zygote_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    working = [asyncio.ensure_future(decoder.decode(save(photograph(seed=s)))) for s in range(6)]
    await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    decoded = await asyncio.gather(*working)
    assert [media.format for media in decoded] == ["jpeg"] * 6
    await decoder.close()


async def test_a_zygote_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.2)
    decoder = SandboxedDecoder(timeout_seconds=0.3)
    await decoder.start()
    pid = decoder.zygote_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DecoderCrashedError, match="does not answer"):
        await decoder.decode(save(photograph()))
    monkeypatch.setattr(module, "GRACE_SECONDS", 10)
    decoder._timeout_seconds = 10
    assert (await decoder.decode(save(photograph()))).format == "jpeg"
    assert decoder.zygote_pid != pid
    await decoder.close()


async def test_a_medium_that_kills_two_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = 0

    async def kill(*arguments: object, **options: object) -> tuple[Reply, int]:
        nonlocal killed
        killed += 1
        return Reply.EXITED, signal.SIGSEGV

    decoder = SandboxedDecoder()
    await decoder.start()
    monkeypatch.setattr(handle.ZygoteHandle, "run", kill)
    with pytest.raises(DecoderCrashedError, match="2 times"):
        await decoder.decode(b"hostile")
    assert killed == 2
    await decoder.close()


async def unlocked(*_arguments: object, **_options: object) -> tuple[Reply, int]:
    return Reply.EXITED, EXIT_UNLOCKED << 8


async def test_a_medium_whose_children_say_they_are_not_locked_is_unreadable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoder = SandboxedDecoder()
    await decoder.start()
    pid = decoder.zygote_pid
    with monkeypatch.context() as taken_over:
        taken_over.setattr(handle.ZygoteHandle, "run", unlocked)
        with pytest.raises(DecoderCrashedError, match="2 times"):
            await decoder.decode(b"hostile")
    assert decoder.zygote_pid != pid
    assert (await decoder.decode(save(photograph()))).format == "jpeg"
    await decoder.close()


async def test_a_sandbox_that_a_new_zygote_finds_broken_ends_decoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoder = SandboxedDecoder()
    await decoder.start()
    monkeypatch.setattr(handle.ZygoteHandle, "run", unlocked)
    decoder._kind = "none"  # whose zygote's own test fails
    for _ in range(2):
        with pytest.raises(SandboxError, match="did not start"):
            await decoder.decode(save(photograph()))
    await decoder.close()


async def test_a_child_that_lies_about_its_lock_disturbs_no_other() -> None:
    decoder = SandboxedDecoder(timeout_seconds=60)
    await decoder.start()
    old = decoder.zygote_pid
    assert old is not None
    working = asyncio.ensure_future(decoder.probe("sleep"))
    await until(lambda: children(old))
    assert await decoder.probe("claim_unlocked") == EXIT_UNLOCKED
    assert decoder.zygote_pid != old
    assert children(old)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await until(lambda: not exists(old))
    assert (await decoder.decode(save(photograph()))).format == "jpeg"
    await decoder.close()


async def test_closing_ends_a_replaced_zygote_too() -> None:
    decoder = SandboxedDecoder(timeout_seconds=60)
    await decoder.start()
    old = decoder.zygote_pid
    assert old is not None
    working = asyncio.ensure_future(decoder.probe("sleep"))
    await until(lambda: children(old))
    await decoder.probe("claim_unlocked")
    await decoder.close()
    assert not exists(old)
    with pytest.raises(module._KilledError):
        await working


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (EXIT_UNLOCKED, module._KilledError, None),
        (-signal.SIGXCPU, DecoderCrashedError, "time"),
        (1, DecoderCrashedError, "status 1"),
        (-signal.SIGSEGV, module._KilledError, None),
    ],
)
async def test_each_exit_has_its_error(
    code: int, error: type[Exception], words: str | None
) -> None:
    with pytest.raises(error, match=words):
        module._check_exit(code)


async def test_without_a_sandbox_nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    status = SandboxStatus(kind="none", detail="install one")
    monkeypatch.setattr(module, "sandbox_status", lambda: status)
    decoder = SandboxedDecoder()
    with pytest.raises(SandboxError, match="install one"):
        await decoder.start()
    with pytest.raises(SandboxError, match="install one"):
        await decoder.decode(save(photograph()))
    await decoder.close()


async def test_a_zygote_whose_children_cannot_lock_themselves_does_not_start() -> None:
    decoder = SandboxedDecoder(kind="none")
    with pytest.raises(SandboxError, match="did not start"):
        await decoder.start()
    await decoder.close()


async def test_bubblewrap_alone_is_enough() -> None:
    if not sandbox.bubblewrap_works():
        pytest.skip("bubblewrap does not work here")
    decoder = SandboxedDecoder(kind="bubblewrap")
    await decoder.start()
    for name in CORPUS:
        assert (await decoder.decode(save(photograph(), name))).format == name.lower()
    await decoder.close()


async def test_a_closed_decoder_decodes_nothing_until_it_is_started_again() -> None:
    decoder = SandboxedDecoder()
    await decoder.close()
    with pytest.raises(SandboxError, match="closed"):
        await decoder.decode(save(photograph()))
    await decoder.start()
    assert (await decoder.decode(save(photograph()))).format == "jpeg"
    await decoder.close()
    await decoder.close()


async def test_it_starts_by_itself_with_the_first_medium() -> None:
    decoder = SandboxedDecoder()
    media = await asyncio.gather(*[decoder.decode(save(photograph())) for _ in range(4)])
    assert len(media) == 4
    await decoder.close()
