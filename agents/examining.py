"""One medium's way from its bytes to its matches: cheap and decisive first.

    key frames and sound ─▶ dense frames ─▶ local features ─▶ other speeds and pitches
                        ─▶ faces, voices ─▶ writing ─▶ speech

Each step is taken while nothing is decided, somebody could be found by it, and there is time; what
was not done is told. A GPU changes the engines, not this order.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from agents.steps.examining import (
    KEYPOINT_CANDIDATES,
    dense_look,
    frame_at,
    frames_to_blur,
    frames_to_read,
    frames_to_search,
    is_decided,
    pairs_to_verify,
    rejected,
    tells,
    to_points,
)
from agents.steps.findings import Findings, SubjectFound
from agents.steps.matching import CANDIDATES, find_pictures, judge
from agents.steps.reading import best_hits, search_lettering, search_transcript
from agents.steps.triaging import KeywordIndex
from alerts.calibration import shipped_calibration
from alerts.policy import Calibration, Points
from gpu_kernels.facetracks import match_faces, track_faces
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import Keypoints, agree
from gpu_kernels.sound import SoundFingerprint
from gpu_kernels.voice import match_voices
from monitors.gallery import Gallery
from monitors.recognition import Recogniser
from streams.errors import DecoderCrashedError, EngineError, MediaError, ModelError
from streams.types import DecodedMedia, Frame, Look, Looked, Match, MediaKind, Modality, Sound

Left = Callable[[], float]
"""Seconds that the medium may still take."""
Told = Callable[[str, float], None]
"""Told of each step that was taken, and the seconds that it took."""

WORTH_SECONDS = {"dense": 1.0, "keypoints": 0.5, "thorough_sound": 2.0, "faces": 1.0, "voices": 1.0,
                 "lettering": 2.0, "speech": 4.0}  # fmt: skip
"""What must be left for a step to begin: about what it takes at least."""

OPTIONAL = frozenset({"faces", "voices", "lettering", "speech"})
"""Steps that need a network or a language of their own. Where it is missing the medium stands as
the other steps found it; the picture's embedder and the decoder are never optional."""
NO_MODEL = "no_model"
"""Why a step was skipped whose network or language is not on this machine."""
CRASHED = "crashed"
"""Why a step is not done over which the medium killed what looked at it."""

THOROUGH_COST = 9e-5
"""Seconds of a core for each second of the medium's sound and the references' (docs/sound.md)."""

SPEECH_SECONDS = 60.0
"""Of sound that is written down: the first minute."""
MOST_SPEECH_BUDGET = 15.0
"""Seconds of computing for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What became of one medium.

    Args:
        matches: every candidate, best first.
        looked: at what.
        findings: that the matches were made of.
    """

    matches: list[Match]
    looked: Looked
    findings: Findings

    @property
    def lacking(self) -> list[str]:
        """The steps that lacked a network or a language."""
        skipped = [one.partition(":") for one in self.looked.skipped]
        return [step for step, _, why in skipped if why == NO_MODEL]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is compared with.

    Args:
        gallery: the references in force.
        index: their cases' keywords, made ready.
        calibration: None takes the shipped one.
    """

    gallery: Gallery
    index: KeywordIndex
    calibration: Calibration | None = None


@dataclass(slots=True)
class _Seen:
    """What a medium showed and sounded so far."""

    media: DecodedMedia
    frames: list[Frame] = field(default_factory=list)
    prints: list[ImageFingerprint] = field(default_factory=list)
    sound: SoundFingerprint | None = None
    skipped: list[str] = field(default_factory=list)
    until_seconds: float = 0.0


class Examiner:
    """Examines media; knows no post. One event loop; any number of its tasks.

    Args:
        recogniser: started.
        thorough: take every step, whatever is decided already: for measurements.
        told: see `Told`.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        *,
        thorough: bool = False,
        told: Told = lambda _step, _seconds: None,
    ) -> None:
        self._recogniser = recogniser
        self._thorough = thorough
        self._told = told

    async def examine(self, body: bytes, known: Known, left: Left) -> Examined:
        """Examine one medium.

        Args:
            body: the medium; hostile.
            known: what to compare with, the same throughout.
            left: asked before each step.

        Raises:
            MediaError: it cannot be looked at.
            SandboxError: nothing is decoded on this machine.
            EngineError: no engine child can be had.
            ModelError: the picture's embedder went missing meanwhile.
        """
        one = _Examination(self._recogniser, known, left, self._told, thorough=self._thorough)
        return await one.run(body)


class _Examination:
    """One medium's."""

    def __init__(
        self, recogniser: Recogniser, known: Known, left: Left, told: Told, *, thorough: bool
    ) -> None:
        self._told = told
        self._recogniser = recogniser
        self._gallery = known.gallery
        self._index = known.index
        self._calibration = known.calibration or shipped_calibration()
        self._left = left
        self._thorough = thorough
        self._findings = Findings(space=recogniser.space)

    async def run(self, body: bytes) -> Examined:
        shelf = self._gallery.shelf
        wants_sound = bool(len(shelf.sounds) or shelf.voices or self._index)
        started = perf_counter()
        media = await self._recogniser.decode(body, Look(key_frames=True, sound=wants_sound))
        self._told("decode", perf_counter() - started)
        seen = _Seen(media, until_seconds=media.looked_until_seconds)
        await self._timed("frames", lambda: self._see(seen, media.frames))
        await self._timed("sound", lambda: self._hear(seen))
        steps: Sequence[tuple[str, bool, Callable[[], Awaitable[None]]]] = (
            ("dense", media.kind is MediaKind.VIDEO, lambda: self._look_densely(seen, body)),
            ("keypoints", bool(seen.frames) and bool(shelf.points), lambda: self._verify(seen)),
            ("thorough_sound", self._hears(seen), lambda: self._listen_again(seen)),
            ("faces", bool(seen.frames and shelf.faces), lambda: self._find_faces(seen)),
            ("voices", bool(media.sound and shelf.voices), lambda: self._find_voices(seen)),
            ("lettering", bool(seen.frames and self._index), lambda: self._read(seen)),
            ("speech", bool(media.sound and self._index), lambda: self._write_down(seen)),
        )
        for name, applies, take in steps:
            await self._take(seen, name, take, applies=applies)
        matches = await asyncio.to_thread(judge, self._findings, self._gallery, self._calibration)
        nudity = await self._estimate_nudity(seen, matches)
        looked = Looked(
            kind=media.kind,
            seconds=media.duration_seconds,
            until_seconds=seen.until_seconds,
            frames=len(seen.frames),
            skipped=tuple(seen.skipped),
            nudity=nudity,
        )
        return Examined(matches=matches, looked=looked, findings=self._findings)

    async def _take(
        self, seen: _Seen, name: str, take: Callable[[], Awaitable[None]], *, applies: bool
    ) -> None:
        """Take one step, or tell why not; one that nobody could be found by is none."""
        if not applies:
            return
        if self._is_decided(seen):
            seen.skipped.append(f"{name}:decided")
        elif self._left() < self._worth(seen, name):
            seen.skipped.append(f"{name}:no_time")
        else:
            await self._taken(seen, name, take)

    def _is_decided(self, seen: _Seen) -> bool:
        return not self._thorough and is_decided(
            self._findings, self._gallery, self._calibration, len(seen.prints)
        )

    async def _taken(self, seen: _Seen, name: str, take: Callable[[], Awaitable[None]]) -> None:
        """Take a step; what it lacks or breaks takes nothing from what was found before."""
        try:
            await self._timed(name, take)
        except (ModelError, MediaError) as error:  # of a later part, or of one network alone
            if isinstance(error, ModelError) and name not in OPTIONAL:
                raise
            seen.skipped.append(f"{name}:{NO_MODEL if isinstance(error, ModelError) else CRASHED}")

    def _worth(self, seen: _Seen, name: str) -> float:
        """Tell what must be left for a step; a search at all speeds and pitches grows with both."""
        if name != "thorough_sound" or seen.sound is None:
            return WORTH_SECONDS[name]
        pairs = seen.sound.seconds * self._gallery.shelf.sound_seconds
        return max(WORTH_SECONDS[name], THOROUGH_COST * pairs)

    async def _timed(self, name: str, take: Callable[[], Awaitable[None]]) -> None:
        started = perf_counter()
        await take()
        self._told(name, perf_counter() - started)

    async def _see(self, seen: _Seen, frames: Sequence[Frame]) -> None:
        """Fingerprint frames and compare all that were seen so far."""
        fresh = await self._recogniser.fingerprint_frames(frames)
        seen.frames += frames
        seen.prints += fresh
        await asyncio.to_thread(self._compare, seen)

    def _compare(self, seen: _Seen) -> None:
        prints = frames_to_search(seen.prints)
        find_pictures(self._findings, prints, self._gallery)
        self._findings.rejected = rejected(self._findings, self._gallery, prints, seen.sound)

    async def _hear(self, seen: _Seen) -> None:
        if not self._hears(seen) or seen.media.sound is None:
            return
        seen.sound = await self._recogniser.sound(seen.media.sound)
        await asyncio.to_thread(self._listen, seen, thorough=False)

    def _hears(self, seen: _Seen) -> bool:
        return seen.media.sound is not None and bool(len(self._gallery.shelf.sounds))

    def _listen(self, seen: _Seen, *, thorough: bool) -> None:
        if seen.sound is None:
            return
        found = self._gallery.shelf.sounds.search(
            seen.sound, CANDIDATES, below=len(self._gallery.owners), thorough=thorough
        )
        self._findings.sounds = {one.ordinal: one.match for one in found}
        prints = frames_to_search(seen.prints)
        self._findings.rejected = rejected(self._findings, self._gallery, prints, seen.sound)

    async def _listen_again(self, seen: _Seen) -> None:
        await asyncio.to_thread(self._listen, seen, thorough=True)

    async def _look_densely(self, seen: _Seen, body: bytes) -> None:
        at, frames = 0.0, list[Frame]()
        prints: list[ImageFingerprint] = []
        while True:
            part = await self._recogniser.decode(body, dense_look(seen.media, at))
            prints += await self._recogniser.fingerprint_frames(part.frames)
            frames += part.frames
            if frames:
                seen.frames, seen.prints = frames, prints
                await asyncio.to_thread(self._compare, seen)
            until = part.looked_until_seconds
            seen.until_seconds = max(seen.until_seconds if not frames else 0.0, until)
            if until <= at or until >= part.duration_seconds - 0.01:
                return
            at = until
            if self._is_decided(seen):
                seen.skipped.append("dense_rest:decided")
                return
            if self._left() < WORTH_SECONDS["dense"]:
                seen.skipped.append("dense_rest:no_time")
                return

    async def _verify(self, seen: _Seen) -> None:
        ours: dict[int, Keypoints] = {}
        for ordinal, pairs in pairs_to_verify(
            self._findings, self._gallery, frames_to_search(seen.prints), KEYPOINT_CANDIDATES
        ):
            found = []
            for at_seconds, theirs in pairs:
                frame = frame_at(seen.frames, at_seconds)
                if frame not in ours:
                    ours[frame] = await self._recogniser.keypoints(seen.frames[frame])
                if tells(ours[frame], theirs):
                    found.append(await asyncio.to_thread(agree, ours[frame], theirs))
            if found:
                self._note(ordinal, to_points(found))

    def _note(self, ordinal: int, points: Points) -> None:
        stills, films = self._findings.stills, self._findings.films
        if ordinal in stills:
            stills[ordinal] = replace(stills[ordinal], points=points)
        if ordinal in films:
            films[ordinal] = replace(films[ordinal], points=points)

    async def _find_faces(self, seen: _Seen) -> None:
        frames = frames_to_read(seen.frames)
        found = [(one.at_seconds, await self._recogniser.faces(one)) for one in frames]
        tracks = track_faces(found)  # strangers' faces end with this call
        for ordinal, theirs in list(self._gallery.shelf.faces.items()):
            match = match_faces(tracks, theirs)
            if match is None or ordinal >= len(self._gallery.owners):
                continue
            track = tracks[match.track]
            x0, y0, x1, y1 = (float(one) for one in track.box)
            self._findings.subjects.append(
                SubjectFound(
                    ordinal=ordinal,
                    modality=Modality.FACE,
                    similarity=match.similarity,
                    query_span=track.span_seconds,
                    query_box=(x0, y0, x1, y1),
                )
            )

    async def _find_voices(self, seen: _Seen) -> None:
        sound = _beginning(seen.media.sound)
        if sound is None:
            return
        ours = await self._recogniser.voices(sound)  # strangers' voices end with this call
        for ordinal, theirs in list(self._gallery.shelf.voices.items()):
            match = match_voices(ours, theirs)
            if match is None or ordinal >= len(self._gallery.owners):
                continue
            self._findings.subjects.append(
                SubjectFound(
                    ordinal=ordinal,
                    modality=Modality.VOICE,
                    similarity=match.similarity,
                    query_span=match.query_span_seconds,
                    reference_span=match.reference_span_seconds,
                )
            )

    async def _read(self, seen: _Seen) -> None:
        pages = []
        for frame in frames_to_read(seen.frames):
            pages.append((frame.at_seconds, await self._recogniser.lettering(frame)))
            if self._left() < WORTH_SECONDS["lettering"]:
                seen.skipped.append("lettering_rest:no_time")
                break
        hits = await asyncio.to_thread(search_lettering, pages, self._index)
        self._findings.words = best_hits([*self._findings.words, *hits])

    async def _write_down(self, seen: _Seen) -> None:
        sound = _beginning(seen.media.sound)
        if sound is None:
            return
        budget = min(MOST_SPEECH_BUDGET, self._left())
        transcript = await self._recogniser.speech(sound, budget)
        if seen.media.sound is not None and seen.media.sound.seconds > SPEECH_SECONDS:
            seen.skipped.append("speech_rest:time_box")
        hits = await asyncio.to_thread(search_transcript, transcript, self._index)
        self._findings.words = best_hits([*self._findings.words, *hits])

    async def _estimate_nudity(self, seen: _Seen, matches: Sequence[Match]) -> float | None:
        """Estimate the frames that matched. Whatever goes wrong here, the sighting stands."""
        frames = frames_to_blur(matches, seen.frames)
        if not frames:
            return None
        estimates: list[float] = []

        async def estimate() -> None:
            for frame in frames:
                estimates.append(await self._recogniser.nudity(frame))  # noqa: PERF401 - keeps some

        try:
            await self._timed("nudity", estimate)
        except (ModelError, DecoderCrashedError, EngineError) as error:
            why = NO_MODEL if isinstance(error, ModelError) else CRASHED
            seen.skipped.append(f"nudity:{why}")
        return max(estimates, default=None)


def _beginning(sound: Sound | None) -> Sound | None:
    """Give the part of a sound that voices and words are looked for in."""
    if sound is None or not sound.pcm:
        return None
    return replace(sound, pcm=sound.pcm[: 2 * int(SPEECH_SECONDS * sound.rate_hz)])
