"""`haechi bench hostile`: broken media against the real sandboxed decoder. Nothing may hang it."""

import asyncio
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.benchmarks.hostile_media import break_one, good_media
from streams.errors import MediaError
from streams.media.decoder import MAX_BODY_BYTES, SandboxedDecoder
from streams.types import DecodedMedia, Look

WORKERS = 2

BOUND_SECONDS = 60.0
"""Two tries of 20 s and their grace: a file without an outcome after that is a hang."""

LOOKS = (
    Look(),
    Look(key_frames=True),
    Look(sound=True),
    Look(start_seconds=1.5, seconds=2.0, frames_per_second=5.0, sound=True),
)
"""Taken in turn."""

SILENT_AFTER = 200


@dataclass(slots=True, kw_only=True)
class HostileReport:
    """What became of the files.

    Args:
        seed: equal seeds break equal files, as far as the encoders are the same.
        files: how many.
        outcomes: files by outcome; "fine" or the error's reason.
        good: how many unbroken ones were decoded, and must be.
        hangs: files without an outcome in `BOUND_SECONDS`, and with an unexpected error.
        slowest_seconds: of one file, the wait for a place left out.
        slowest: what it was made from.
        seconds: of everything.
        peak_child_mb: resident memory of the largest process that this one ever waited for.
    """

    seed: int
    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    good: int = 0
    hangs: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    slowest: str = ""
    seconds: float = 0.0
    peak_child_mb: float = 0.0

    @property
    def exit_status(self) -> int:
        """1 where any file had no outcome within bounds, or a good one none but an error."""
        return int(bool(self.hangs))

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return found | {"outcomes": dict(self.outcomes.most_common())}


def run_hostile(
    files: int = 2000,
    *,
    seed: int = 0,
    also: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> HostileReport:
    """Decode good media, broken ones made from them, and every file below a folder.

    Args:
        files: broken ones.
        seed: of the breaking.
        also: a folder of more files, read as they are.
        progress: told now and then.
    """
    report = HostileReport(seed=seed)
    began = time.perf_counter()
    asyncio.run(_run(report, files, also, progress))
    report.seconds = time.perf_counter() - began
    report.peak_child_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return report


async def _run(
    report: HostileReport, files: int, also: Path | None, progress: Callable[[str], None]
) -> None:
    decoder = SandboxedDecoder(WORKERS)
    await decoder.start()
    try:
        good = good_media()
        await _share_out(_good(good), decoder, report, progress)
        report.good = report.outcomes["fine"]
        report.hangs += [f"{len(good) - report.good} good media"] * (report.good < len(good))
        await _share_out(_broken(good, files, report.seed), decoder, report, progress)
        if also is not None:
            await _share_out(_found(also), decoder, report, progress)
    finally:
        await decoder.close()


Items = Iterator[tuple[str, bytes]]


def _good(good: dict[str, bytes]) -> Items:
    yield from good.items()


def _broken(good: dict[str, bytes], files: int, seed: int) -> Items:
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    for _ in range(files):
        yield break_one(good, rng)


def _found(folder: Path) -> Items:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size <= MAX_BODY_BYTES:
            yield path.name, path.read_bytes()


async def _share_out(
    items: Items,
    decoder: SandboxedDecoder,
    report: HostileReport,
    progress: Callable[[str], None],
) -> None:
    async def work() -> None:
        for name, body in items:
            await _try_one(name, body, decoder, report)
            if report.files % SILENT_AFTER == 0:
                progress(f"{report.files} files: {dict(report.outcomes)}")

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())


async def _try_one(
    name: str, body: bytes, decoder: SandboxedDecoder, report: HostileReport
) -> None:
    look = LOOKS[0] if report.good == 0 else LOOKS[report.files % len(LOOKS)]
    report.files += 1
    began = time.perf_counter()
    try:
        async with asyncio.timeout(BOUND_SECONDS):
            _check(await decoder.decode(body, look))
        outcome = "fine"
    except TimeoutError:
        outcome = "hang"
        report.hangs.append(name)
    except MediaError as error:
        outcome = error.reason
        if "crash" in outcome:
            outcome = f"{outcome}: {error}"
    seconds = time.perf_counter() - began
    report.outcomes[outcome] += 1
    if seconds > report.slowest_seconds:
        report.slowest_seconds, report.slowest = seconds, f"{name} ({outcome})"


def _check(media: DecodedMedia) -> None:
    """Hold what came back against its own description.

    Raises:
        RuntimeError: they differ: the decoder's parent believed too much.
    """
    sizes_hold = all(len(frame.rgb) == frame.width * frame.height * 3 for frame in media.frames)
    if not sizes_hold or not (media.frames or media.has_sound):
        raise RuntimeError("a medium that is not what it says")
