"""How fast a minute of video is scanned, as a whole and against decoding alone, in one run."""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.benchmarks.hostile_media import FILMS, make_film
from agents.benchmarks.spoken import Samples, say
from agents.examined import Known
from agents.examining import Examiner
from agents.steps.triaging import KeywordIndex
from gpu_kernels.arrays import pack
from monitors.deriving import derive
from monitors.gallery import Gallery, Owner
from monitors.keywords import WatchedKeyword
from monitors.recognition import Recognition
from monitors.shelf import Shelf
from streams.settings import Settings
from streams.types import CaseId, ContentId, KeywordId, Look, ReferenceId

SECONDS = 60
WIDTH, HEIGHT, RATE = 1280, 720, 30
_TIMES = 3
SENTENCES = {
    "en-us": "This recording was made in a garden, and nobody in it agreed to be filmed.",
    "ko": "안녕하세요. 오늘은 서울에서 친구를 만나서 점심을 먹었습니다.",
}
"""What is said, by espeak-ng's voices: an artificial voice takes longer than most people's."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What was measured of one clip; times are medians of three, on the wall.

    Args:
        jobs: engine and decoder children.
        seconds: of the clip.
        silent_seconds: to scan it where no case has keywords.
        words_seconds: to scan it where speech and writing are looked for; it speaks throughout.
        decode_seconds: to decode it alone, the same parts at the same rates.
        steps: of the scan with words, the seconds of each step.
        engine_seconds: that engine children worked on frames, of a silent scan.
        parent_mb: the most memory of this process.
        child_mb: the most of any child.
    """

    jobs: int
    seconds: float
    silent_seconds: float
    words_seconds: float
    decode_seconds: float
    steps: dict[str, float]
    engine_seconds: float
    parent_mb: float
    child_mb: float

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon, with their ratios.

        Shares are of a silent scan by one child each, which does one thing after another.
        """
        shares = {}
        if self.jobs == 1:
            engine, decode = self.engine_seconds, self.decode_seconds
            rest = self.silent_seconds - engine - decode
            parts = {"engine": engine, "decode": decode, "rest": rest}
            shares = {name: part / self.silent_seconds for name, part in parts.items()}
        return asdict(self) | {
            "video_seconds_a_second": self.seconds / self.silent_seconds,
            "ratio_to_decoding": self.decode_seconds / self.silent_seconds,
            "shares": shares,
        }


def measure_speed(settings: Settings, jobs: int, progress: Progress) -> Speed:
    """Scan a minute of drawn 720p H.264, with speech throughout, unlike every reference.

    Raises:
        ConfigurationError: espeak-ng is not on this machine.
    """
    progress("drawing a minute of 720p")
    film = FILMS["mp4"]
    said = _talk(SECONDS, film.audio_rate)
    clip = make_film(film, SECONDS, rate=RATE, draw=_Pan(seed=1), hold=1, sound=said)
    other = make_film(film, 10, rate=RATE)
    return asyncio.run(_measure(settings, jobs, clip, other, progress))


def _talk(seconds: float, rate_hz: int) -> Samples:
    """Say the sentences in turn until the time is over."""
    said = np.concatenate([say(voice, text, rate_hz) for voice, text in SENTENCES.items()])
    return np.resize(said, round(seconds * rate_hz))


async def _measure(
    settings: Settings, jobs: int, clip: bytes, other: bytes, progress: Progress
) -> Speed:
    engine: list[float] = []
    steps: Counter[str] = Counter()
    recognition = Recognition.from_settings(
        settings,
        engine_children=jobs,
        decoder_children=jobs,
        on_batch=lambda seconds, _: engine.append(seconds),
    )
    async with recognition:
        silent = await _known(recognition, other, words=False)
        words = await _known(recognition, other, words=True)
        examiner = Examiner(recognition)
        telling = Examiner(recognition, told=lambda step, seconds: steps.update({step: seconds}))
        progress("warming up")
        await telling.examine(clip, words, _unlimited)
        progress("scanning")
        engine.clear()
        silent_seconds = await _median(lambda: examiner.examine(clip, silent, _unlimited))
        engine_seconds = sum(engine) / _TIMES
        steps.clear()
        words_seconds = await _median(lambda: telling.examine(clip, words, _unlimited))
        progress("decoding alone")
        decode_seconds = await _median(lambda: _decode(recognition, clip))
    own, child = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return Speed(
        jobs=jobs,
        seconds=SECONDS,
        silent_seconds=silent_seconds,
        words_seconds=words_seconds,
        decode_seconds=decode_seconds,
        steps={step: seconds / _TIMES for step, seconds in steps.items()},
        engine_seconds=engine_seconds,
        parent_mb=own,
        child_mb=child,
    )


async def _known(recognition: Recognition, footage: bytes, *, words: bool) -> Known:
    """Make a gallery of one reference with picture and sound, and a keyword or none."""
    derived = await derive(recognition, footage)
    shelf, case = Shelf(), CaseId("case")
    packed = {space: [pack(one) for one in prints] for space, prints in derived.features.items()}
    shelf.add(0, packed, frame_space=recognition.space)
    owner = Owner(case=case, reference=ReferenceId("reference"), content=ContentId("content"))
    keyword = WatchedKeyword(case=case, keyword=KeywordId("keyword"), text="해치바다영상")
    watched = (keyword,) if words else ()
    gallery = Gallery(version=1, owners=(owner,), shelf=shelf, keywords=watched)
    return Known(gallery=gallery, index=KeywordIndex(watched))


async def _decode(recognition: Recognition, clip: bytes) -> None:
    """Decode what a scan of an unrelated clip does: key frames with the sound, then all of it."""
    await recognition.decode(clip, Look(key_frames=True, sound=True))
    at = 0.0
    while at < SECONDS - 1:
        part = await recognition.decode(clip, Look(start_seconds=at))
        if part.looked_until_seconds <= at:
            return
        at = part.looked_until_seconds


async def _median(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def _unlimited() -> float:
    return 1e6


class _Pan:
    """A camera that wanders over a large drawn picture: every frame differs from the last."""

    def __init__(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        small = chance.integers(0, 256, (90, 160, 3), np.uint8)
        fine = chance.integers(-24, 25, (HEIGHT * 2, WIDTH * 2, 3))
        large = np.kron(small, np.ones((16, 16, 1), np.uint8))
        self._picture = np.clip(large + fine, 0, 255).astype(np.uint8)

    def __call__(self, place: int) -> NDArray[np.uint8]:
        x = int((1 + np.sin(place / 190)) / 2 * WIDTH)
        y = int((1 + np.sin(place / 310)) / 2 * HEIGHT)
        return np.ascontiguousarray(self._picture[y : y + HEIGHT, x : x + WIDTH])
