"""One medium's way from its bytes to its matches: cheap and decisive first.

    key frames and sound ─▶ dense frames ─▶ unforeseen frames ─▶ local features
        ─▶ other speeds and pitches ─▶ faces, voices ─▶ writing ─▶ speech

Each step is taken while nothing is decided, somebody could be found by it, and there is time; what
was not done is told. A GPU changes the engines, not this order.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

from agents.cutting import Cut, to_its_end
from agents.examined import CAPPED, CRASHED, NO_MODEL, NO_TIME, SOUND_CAPPED, Examined, Known
from agents.room import Place, Room
from agents.steps.examining import (
    MOST_READING_BUDGET,
    NUDITY_SECONDS,
    OPTIONAL,
    SPEECH_SECONDS,
    WORTH_SECONDS,
    beginning,
    dense_look,
    frame_at,
    frames_to_blur,
    frames_to_read,
    is_cut_short,
    is_decided,
    note_points,
    tells,
    to_points,
    worth,
)
from agents.steps.findings import Findings
from agents.steps.matching import judge
from agents.steps.reading import best_hits, search_lettering, search_transcript
from agents.steps.remembering import views_of
from agents.steps.seen import (
    MOST_BYTES,
    Seen,
    Unforeseen,
    beside,
    compare_frames,
    compare_sound,
    in_order,
    pairs_at_hand,
)
from agents.steps.subjects import find_faces, find_voices
from alerts.calibration import shipped_calibration
from gpu_kernels.faces import Faces
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import Keypoints, agree
from gpu_kernels.lettering import Lettering
from monitors.recognition import Recogniser
from streams.errors import DecoderCrashedError, EngineError, MediaError, ModelError
from streams.types import Look, Looked, Match, MediaKind

Left = Callable[[], float]
"""Seconds that the medium may still take."""
Told = Callable[[str, float], None]
"""Told of each step that was taken, and the seconds that it took."""
Draw = Callable[[], int]
"""Gives a seed below 2**64."""

MOST_SPEECH_BUDGET = 15.0
"""Seconds of computing for writing down what is said."""


@dataclass(frozen=True, slots=True)
class _Means:
    recogniser: Recogniser
    told: Told
    draw: Draw
    thorough: bool


class Examiner:
    """Examines media; knows no post. One event loop; any number of its tasks.

    Args:
        recogniser: started.
        thorough: take every step, whatever is decided already: for measurements.
        told: see `Told`.
        room: for what is decoded, where others share it.
        draw: gives the seeds of the unforeseen look.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        *,
        thorough: bool = False,
        told: Told = lambda _step, _seconds: None,
        room: Room | None = None,
        draw: Draw = lambda: secrets.randbits(64),
    ) -> None:
        self._means = _Means(recogniser, told, draw, thorough)
        self._room = room or Room()

    async def examine(
        self, body: bytes, known: Known, left: Left, most_seconds: float | None = None
    ) -> Examined:
        """Examine one medium.

        Args:
            body: the medium; hostile.
            known: what to compare with, the same throughout.
            left: asked before each step.
            most_seconds: after which the step under way is cut, and what was found till then is
                judged; None: no step is.

        Raises:
            TimeoutError: nothing was seen in that time.
            MediaError: it cannot be looked at.
            SandboxError: nothing is decoded on this machine.
            EngineError: no engine child can be had.
            ModelError: the picture's embedder went missing meanwhile.
        """
        one = _Examination(self._means, known, left)
        cut = Cut(most_seconds)
        async with cut.timeout():
            place = await self._room.take(MOST_BYTES)
        try:
            return await one.run(body, cut, place)
        finally:
            place.leave()


class _Examination:
    """One medium's."""

    def __init__(self, means: _Means, known: Known, left: Left) -> None:
        self._told, self._draw = means.told, means.draw
        self._recogniser = recogniser = means.recogniser
        self._gallery = known.gallery
        self._index = known.index
        self._calibration = known.calibration or shipped_calibration()
        self._left = left
        self._thorough = means.thorough
        self._findings = Findings(space=recogniser.space)
        self._cut = Cut(None)
        shelf = self._gallery.shelf
        self._wants_sound = bool(len(shelf.sounds) or shelf.voices or self._index)

    async def run(self, body: bytes, cut: Cut, place: Place) -> Examined:
        self._cut = cut
        async with self._cut.timeout():
            seen = await self._look(body, place)
        await self._take_all(seen, body, place)
        self._findings.hurried = f"keypoints:{NO_TIME}" in seen.skipped
        matches = await asyncio.to_thread(judge, self._findings, self._gallery, self._calibration)
        nudity = await self._estimate_nudity(seen, matches)
        looked = Looked(
            kind=seen.media.kind,
            seconds=seen.media.duration_seconds,
            until_seconds=seen.until_seconds,
            frames=len(seen.prints),
            skipped=tuple(seen.skipped),
            nudity=nudity,
        )
        views = views_of(seen.prints, seen.media.kind)
        return Examined(matches=matches, looked=looked, findings=self._findings, views=views)

    async def _look(self, body: bytes, place: Place) -> Seen:
        """Take the steps without which nothing is seen: key frames; of a sound alone, the sound."""
        started = perf_counter()
        media = await self._recogniser.decode(body, Look(key_frames=True, sound=self._wants_sound))
        self._told("decode", perf_counter() - started)
        seen = Seen(replace(media, frames=()), until_seconds=media.looked_until_seconds)
        seen.reached_end = media.reached_end or not (media.frames or self._wants_sound)
        seen.frames += media.frames
        if media.kind is not MediaKind.VIDEO:
            place.shrink_to(seen.size_bytes)
        await self._timed("frames", lambda: self._see(seen))
        if not seen.frames:
            await self._timed("sound", lambda: self._hear(seen))
        return seen

    async def _take_all(self, seen: Seen, body: bytes, place: Place) -> None:
        media, shelf = seen.media, self._gallery.shelf
        if seen.frames:
            await self._until_cut(seen, "sound", lambda: self._hear(seen))
        again = partial(compare_sound, seen, self._findings, self._gallery, thorough=True)
        steps: Sequence[tuple[str, bool, Callable[[], Awaitable[None]]]] = (
            ("dense", media.kind is MediaKind.VIDEO, lambda: self._look_densely(seen, body)),
            (
                "unforeseen",
                media.kind is MediaKind.VIDEO and bool(len(shelf.frames)),
                lambda: self._look_unforeseen(seen, body),
            ),
            ("keypoints", bool(seen.frames) and bool(shelf.points), lambda: self._verify(seen)),
            ("thorough_sound", self._hears(seen), lambda: to_its_end(again)),
            ("faces", bool(seen.frames and shelf.faces), lambda: self._find_faces(seen)),
            ("voices", bool(media.sound and shelf.voices), lambda: self._find_voices(seen)),
            ("lettering", bool(seen.frames and self._index), lambda: self._read(seen)),
            ("speech", bool(media.sound and self._index), lambda: self._write_down(seen)),
        )
        for name, applies, take in steps:
            await self._take(seen, name, take, applies=applies)
            if name != "dense":  # from the next step on nothing is decoded
                place.shrink_to(seen.size_bytes)
        if not (seen.reached_end or any(one.startswith("dense") for one in seen.skipped)):
            seen.skipped.append(CAPPED)
        if self._wants_sound and media.has_sound and seen.frames and not media.heard_end:
            seen.skipped.append(SOUND_CAPPED)

    async def _take(
        self, seen: Seen, name: str, take: Callable[[], Awaitable[None]], *, applies: bool
    ) -> None:
        """Take one step, or tell why not; one that nobody could be found by is none."""
        if not applies:
            return
        if self._is_decided(seen):
            seen.skipped.append(f"{name}:decided")
        elif self._left() < worth(name, seen.sound, self._gallery.shelf.sound_seconds):
            seen.skipped.append(f"{name}:{NO_TIME}")
        else:
            await self._taken(seen, name, take)

    def _is_decided(self, seen: Seen) -> bool:
        return not self._thorough and is_decided(
            self._findings, self._gallery, self._calibration, len(seen.prints)
        )

    async def _taken(self, seen: Seen, name: str, take: Callable[[], Awaitable[None]]) -> None:
        """Take a step; what it lacks or breaks takes nothing from what was found before."""
        try:
            await self._until_cut(seen, name, take)
        except (ModelError, MediaError) as error:  # of a later part, or of one network alone
            if isinstance(error, ModelError) and name not in OPTIONAL:
                raise
            seen.skipped.append(f"{name}:{NO_MODEL if isinstance(error, ModelError) else CRASHED}")

    async def _until_cut(self, seen: Seen, name: str, take: Callable[[], Awaitable[None]]) -> None:
        """Take a step until the medium's time is over; what it found till then stands."""
        try:
            async with self._cut.timeout():
                await self._timed(name, take)
        except TimeoutError:
            seen.skipped.append(f"{name}:{NO_TIME}")

    async def _timed(self, name: str, take: Callable[[], Awaitable[None]]) -> None:
        started = perf_counter()
        await take()
        self._told(name, perf_counter() - started)

    async def _see(self, seen: Seen) -> None:
        """Fingerprint the key frames and compare them."""
        seen.prints += await self._recogniser.fingerprint_frames(seen.frames)
        await to_its_end(partial(compare_frames, seen, self._findings, self._gallery))

    async def _hear(self, seen: Seen) -> None:
        if not self._hears(seen) or seen.media.sound is None:
            return
        seen.sound = await self._recogniser.sound(seen.media.sound)
        await to_its_end(
            partial(compare_sound, seen, self._findings, self._gallery, thorough=False)
        )

    def _hears(self, seen: Seen) -> bool:
        return seen.media.sound is not None and bool(len(self._gallery.shelf.sounds))

    async def _look_densely(self, seen: Seen, body: bytes) -> None:
        await self._look_through(seen, body, "dense", lambda: None)

    async def _look_unforeseen(self, seen: Seen, body: bytes) -> None:
        """Look where nobody can have foreseen it, and keep what is likelier; see `Unforeseen`."""
        first = Unforeseen(seen, self._findings, self._calibration)
        if first.is_enough:
            return
        first.begin()
        try:
            await self._look_through(seen, body, "unforeseen", self._draw)
        finally:
            first.end()

    async def _look_through(
        self, seen: Seen, body: bytes, step: str, draw: Callable[[], int | None]
    ) -> None:
        at, key, dense = 0.0, seen.prints, list[ImageFingerprint]()
        while True:
            part = await self._recogniser.decode(body, dense_look(seen.media, at, draw()))
            dense += await self._recogniser.fingerprint_frames(part.frames)
            if dense:
                seen.frames = in_order([*seen.frames, *part.frames])
                seen.prints = beside(key, dense)
                await to_its_end(partial(compare_frames, seen, self._findings, self._gallery))
            until = part.looked_until_seconds
            seen.until_seconds = max(seen.until_seconds if not dense else 0.0, until)
            seen.reached_end = part.reached_end
            if part.reached_end or until <= at:
                return
            at = until
            if self._is_decided(seen):
                seen.skipped.append(f"{step}_rest:decided")
                return
            if self._left() < WORTH_SECONDS[step]:
                seen.skipped.append(f"{step}_rest:{NO_TIME}")
                return

    async def _verify(self, seen: Seen) -> None:
        ours: dict[int, Keypoints] = {}
        for ordinal, pairs in pairs_at_hand(seen, self._findings, self._gallery):
            found = []
            for at_seconds, theirs in pairs:
                frame = frame_at(seen.frames, at_seconds)
                if frame not in ours:
                    ours[frame] = await self._recogniser.keypoints(seen.frames[frame])
                if tells(ours[frame], theirs):
                    found.append(await asyncio.to_thread(agree, ours[frame], theirs))
            if found:
                note_points(self._findings, ordinal, to_points(found))

    async def _find_faces(self, seen: Seen) -> None:
        found: list[tuple[float, Faces]] = []
        try:
            for one in frames_to_read(seen.frames):
                found.append((one.at_seconds, await self._recogniser.faces(one)))  # noqa: PERF401
        finally:
            self._note_faces(found)

    def _note_faces(self, found: Sequence[tuple[float, Faces]]) -> None:
        below = len(self._gallery.owners)
        self._findings.subjects += find_faces(found, self._gallery.shelf.faces, below=below)

    async def _find_voices(self, seen: Seen) -> None:
        sound = beginning(seen.media.sound)
        if sound is None:
            return
        ours = await self._recogniser.voices(sound)
        below = len(self._gallery.owners)
        self._findings.subjects += find_voices(ours, self._gallery.shelf.voices, below=below)

    async def _read(self, seen: Seen) -> None:
        pages: list[tuple[float, Lettering]] = []
        budget = MOST_READING_BUDGET
        try:
            for frame in frames_to_read(seen.frames):
                if budget <= 0 or self._left() < WORTH_SECONDS["lettering"]:
                    seen.skipped.append("lettering_rest:no_time")
                    break
                page = await self._recogniser.lettering(frame, min(budget, self._left()))
                pages.append((frame.at_seconds, page))
                budget -= page.seconds
                if page.late:
                    seen.skipped.append("lettering_rest:no_time")
                    break
        finally:
            hits = await asyncio.to_thread(search_lettering, pages, self._index)
            self._findings.words = best_hits([*self._findings.words, *hits])

    async def _write_down(self, seen: Seen) -> None:
        sound = beginning(seen.media.sound)
        if sound is None:
            return
        transcript = await self._recogniser.speech(sound, min(MOST_SPEECH_BUDGET, self._left()))
        if is_cut_short(transcript, sound):
            seen.skipped.append("speech_rest:no_time")
        elif seen.media.sound is not None and seen.media.sound.seconds > SPEECH_SECONDS:
            seen.skipped.append("speech_rest:time_box")
        hits = await asyncio.to_thread(search_transcript, transcript, self._index)
        self._findings.words = best_hits([*self._findings.words, *hits])

    async def _estimate_nudity(self, seen: Seen, matches: Sequence[Match]) -> float | None:
        """Estimate the frames that matched. Whatever goes wrong here, the sighting stands."""
        frames = frames_to_blur(matches, seen.frames)
        if not frames:
            return None
        estimates: list[float] = []

        async def estimate() -> None:
            for frame in frames:
                estimates.append(await self._recogniser.nudity(frame))  # noqa: PERF401 - keeps some

        try:
            async with self._cut.timeout(at_least=NUDITY_SECONDS):
                await self._timed("nudity", estimate)
        except TimeoutError:
            seen.skipped.append(f"nudity:{NO_TIME}")
        except (ModelError, DecoderCrashedError, EngineError) as error:
            why = NO_MODEL if isinstance(error, ModelError) else CRASHED
            seen.skipped.append(f"nudity:{why}")
        return max(estimates, default=None)
