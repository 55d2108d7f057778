"""What a medium showed and sounded so far: compared, and which of its pixels are kept. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import TypeVar

from agents.steps.examining import (
    KEYPOINT_CANDIDATES,
    frame_at,
    frames_to_search,
    pairs_to_verify,
    rejected,
)
from agents.steps.findings import Findings, Searchable
from agents.steps.matching import CANDIDATES, find_pictures, log_odds
from alerts.policy import Calibration, log_odds_of
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import Keypoints
from gpu_kernels.sound import SoundFingerprint
from streams.media.frames import MAX_SOUND_BYTES, Limits
from streams.types import DecodedMedia, Frame, Modality

Shown = TypeVar("Shown", Frame, ImageFingerprint)

KEPT_FRAMES = 48
"""Of a medium, once they are fingerprinted: four times what faces and writing are looked for in."""

_LIMITS = Limits()
MOST_BYTES = (
    2 * KEPT_FRAMES + _LIMITS.max_video_frames
) * 3 * _LIMITS.video_side**2 + MAX_SOUND_BYTES
"""Pixels and sound of one medium at their most, 255 MB: the kept frames of two looks, the part that
is being looked at, and ten minutes of sound. Still pictures have 13 MB."""


@dataclass(slots=True)
class Seen:
    """What a medium showed and sounded so far.

    Args:
        media: without its frames.
        frames: those whose pixels are kept, in order of time.
        prints: of all its frames.
        sound: its fingerprint.
        skipped: steps, and why.
        until_seconds: up to where it was looked at.
        reached_end: nothing comes after that.
    """

    media: DecodedMedia
    frames: list[Frame] = field(default_factory=list)
    prints: list[ImageFingerprint] = field(default_factory=list)
    sound: SoundFingerprint | None = None
    skipped: list[str] = field(default_factory=list)
    until_seconds: float = 0.0
    reached_end: bool = True

    @property
    def size_bytes(self) -> int:
        """Of its pixels and its sound."""
        pixels = sum(len(one.rgb) for one in self.frames)
        return pixels + (len(self.media.sound.pcm) if self.media.sound else 0)


def in_order(shown: Iterable[Shown]) -> list[Shown]:
    """Sort frames, or their fingerprints, by time; of two at one time the later given is kept."""
    by_time = {one.at_seconds: one for one in shown}
    return [by_time[at] for at in sorted(by_time)]


def beside(
    key: Sequence[ImageFingerprint], dense: Sequence[ImageFingerprint]
) -> list[ImageFingerprint]:
    """Give what a dense look saw; the key frames with it, in order of time, where they are more."""
    return list(dense) if len(dense) >= len(key) else in_order([*key, *dense])


def frames_to_keep(frames: Sequence[Frame], wanted: Iterable[float]) -> list[Frame]:
    """Choose at most `KEPT_FRAMES` frames: those that are wanted, others evenly spread in time.

    Args:
        frames: in order of time.
        wanted: seconds of up to a dozen of them.
    """
    if len(frames) <= KEPT_FRAMES:
        return list(frames)
    places = {frame_at(frames, at) for at in wanted}
    count = KEPT_FRAMES - len(places)
    first, last = frames[0].at_seconds, frames[-1].at_seconds
    steps = ((last - first) * i / max(1, count - 1) for i in range(count))
    places |= {frame_at(frames, first + step) for step in steps}
    return [frames[place] for place in sorted(places)]


def compare_frames(seen: Seen, findings: Findings, gallery: Searchable) -> None:
    """Compare all frames that were seen so far, and keep those that later steps need."""
    prints = frames_to_search(seen.prints)
    find_pictures(findings, prints, gallery)
    findings.rejected = rejected(findings, gallery, prints, seen.sound)
    wanted = [at for _, pairs in pairs_at_hand(seen, findings, gallery) for at, _ in pairs]
    seen.frames = frames_to_keep(seen.frames, wanted)


def pairs_at_hand(
    seen: Seen, findings: Findings, gallery: Searchable
) -> list[tuple[int, list[tuple[float, Keypoints]]]]:
    """Name what local features are compared in; see `pairs_to_verify`."""
    prints, kept = frames_to_search(seen.prints), {one.at_seconds for one in seen.frames}
    return list(pairs_to_verify(findings, gallery, prints, KEYPOINT_CANDIDATES, kept))


def compare_sound(seen: Seen, findings: Findings, gallery: Searchable, *, thorough: bool) -> None:
    """Compare the sound, where it was fingerprinted."""
    if seen.sound is None:
        return
    found = gallery.shelf.sounds.search(
        seen.sound, CANDIDATES, below=len(gallery.owners), thorough=thorough
    )
    findings.sounds = {one.ordinal: one.match for one in found}
    findings.rejected = rejected(findings, gallery, frames_to_search(seen.prints), seen.sound)


class Unforeseen:
    """A look at moments that nobody can foresee, taken where the regular one saw nothing likely.

    Whoever makes a film knows that it is looked at every half second, and can put other pictures
    there. Of moments drawn at random he cannot know. The two looks are compared each by itself:
    decoys between a film's frames break their line. Regular moments come first, because a copy of a
    whole film is seen in step with its reference by them.

    Args:
        seen: by the regular look.
        findings: of it.
        calibration: says what is likely.
    """

    def __init__(self, seen: Seen, findings: Findings, calibration: Calibration) -> None:
        self._seen, self._findings, self._calibration = seen, findings, calibration
        self._before = replace(seen)
        self._found = replace(findings)
        self._likeliest = self._likelihood()

    @property
    def is_enough(self) -> bool:
        """Whether the regular look saw something that an officer would look at."""
        return self._likeliest >= log_odds_of(self._calibration.review)

    def begin(self) -> None:
        """Forget the frames of the regular look for a while."""
        self._seen.frames, self._seen.prints = [], []

    def end(self) -> None:
        """Go back to the regular look, unless something likelier was seen since."""
        seen, before = self._seen, self._before
        seen.until_seconds = max(seen.until_seconds, before.until_seconds)
        seen.reached_end = seen.reached_end or before.reached_end
        if self._likelihood() <= self._likeliest or not seen.prints:
            seen.frames, seen.prints = before.frames, before.prints
            findings, found = self._findings, self._found
            findings.stills, findings.films = found.stills, found.films
            findings.rejected = found.rejected

    def _likelihood(self) -> float:
        """Give the log-odds of the likeliest reference by frames alone."""
        findings = self._findings
        ordinals = {*findings.stills, *findings.films} - findings.rejected
        found = (log_odds(findings, one, self._calibration)[Modality.FRAME] for one in ordinals)
        return max(found, default=-inf)
