"""What of a medium is looked at next, and whether anything is decided: no I/O."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.steps.findings import Applicable, FilmFound, Findings, Owner, Searchable, StillFound
from agents.steps.matching import confidence
from alerts.policy import MIN_SHARE, NEARLY_SAME, Calibration, Points, log_odds_of
from gpu_kernels.alignment import PATTERN
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import Agreement, Keypoints
from gpu_kernels.search import NEAR_PDQ_DISTANCE
from gpu_kernels.sound import SoundFingerprint
from gpu_kernels.sound_line import SoundMatch
from gpu_kernels.speech import Transcript
from streams.types import Decision, DecodedMedia, Frame, Look, Match, Modality, Sound

T = TypeVar("T")

KEYPOINT_CANDIDATES = 4
"""References whose local features are compared."""
PAIRS = 3
"""Frames of a candidate that are compared."""

FEW_FRAMES = 8
"""Of a short film that are looked at unforeseen: twice what a pattern needs."""

SHORT_SECONDS = 40.0
"""A video up to this long is looked at twice a second; a longer one once."""

MOST_READ = 12
"""Frames that faces and writing are looked for in, evenly spread."""

MOST_READING_BUDGET = 6.0
"""Seconds of computing for reading all of a medium's frames: a dozen with four captions over a
photograph each take 4.4 (docs/reading.md)."""

MOST_BLURRED = 4
"""Matched frames whose nudity is estimated, 18 ms each (docs/models.md)."""
NUDITY_SECONDS = 5.0
"""What a medium's nudity may take at least, whatever its other steps took."""
SEEN = frozenset({Modality.FRAME, Modality.FACE, Modality.TEXT})
"""Modalities that point at a frame: a hash stands beside its frame, sound shows nothing."""

SPEECH_SECONDS = 60.0
"""Of sound in which voices are looked for, and that is written down: the first minute."""

WORTH_VERIFYING = 0.2
"""Cosine below which local features are not compared: of the development set's unrelated pictures
three in four stay below it (1,219 of 1,600), and 7 of its 1,560 edited copies."""

MIN_KEYPOINTS = 20
"""Of either picture, below which local features say nothing: a blurred copy has few."""

SURE = 4.0
"""Log-odds above `alert` from which a medium is looked at no further. A choice, not fitted."""

WORTH_SECONDS = {"dense": 1.0, "unforeseen": 1.0, "keypoints": 0.5, "thorough_sound": 2.0,
                 "faces": 1.0, "voices": 1.0, "lettering": 2.0, "speech": 4.0}  # fmt: skip
"""What must be left for a step to begin: about what it takes at least."""

OPTIONAL = frozenset({"faces", "voices", "lettering", "speech"})
"""Steps that need a network or a language of their own. Where it is missing the medium stands as
the other steps found it; the picture's embedder and the decoder are never optional."""
THOROUGH_COST = 9e-5
"""Seconds of a core for each second of the medium's sound and the references' (docs/sound.md)."""

_ROUNDING_SECONDS = 0.1
"""More than a transcript's end is rounded by."""

_NEAR_SECONDS = 1.2
"""Between a reference's frame and the local features that stand for it."""


def is_decided(
    findings: Findings, gallery: Searchable, calibration: Calibration, frames: int
) -> bool:
    """Say whether something is so sure, of so much of a medium, that looking on changes nothing.

    A title card that some reference holds, or a song, decides nothing of what comes with it: other
    victims' footage may.

    Args:
        findings: so far.
        gallery: that they were found in.
        calibration: of this examination.
        frames: that the medium was seen at so far.
    """
    enough = log_odds_of(calibration.alert) + SURE
    for ordinal in findings.ordinals:
        film = findings.films.get(ordinal)
        pattern = film.alignment.pattern if film is not None else None
        odd = pattern is not None and pattern < PATTERN
        sure = log_odds_of(confidence(findings, ordinal, calibration)) >= enough
        mine = ordinal < len(gallery.owners) and _is_most_of(findings, ordinal, frames)
        if sure and mine and not odd and not _may_disagree(findings, gallery, ordinal):
            return True
    return False


def _is_most_of(findings: Findings, ordinal: int, frames: int) -> bool:
    """Say whether what is like a reference is most of what was seen of a medium."""
    film = findings.films.get(ordinal)
    if film is not None:
        return film.alignment.frames * 2 >= frames
    return frames <= (1 if ordinal in findings.stills else 0)


def _may_disagree(findings: Findings, gallery: Searchable, ordinal: int) -> bool:
    """Say whether local features, not compared yet, may show that a picture is another's."""
    still = findings.stills.get(ordinal)
    if still is None or still.points is not None or ordinal not in gallery.shelf.points:
        return False
    distance = still.candidate.pdq_distance
    near = distance is not None and distance <= NEAR_PDQ_DISTANCE
    return still.candidate.similarity < NEARLY_SAME and not near


def worth(name: str, sound: SoundFingerprint | None, reference_seconds: float) -> float:
    """Tell what must be left for a step; a search at all speeds and pitches grows with both."""
    if name != "thorough_sound" or sound is None:
        return WORTH_SECONDS[name]
    return max(WORTH_SECONDS[name], THOROUGH_COST * sound.seconds * reference_seconds)


def dense_look(media: DecodedMedia, at_seconds: float, seed: int | None = None) -> Look:
    """Say how a video is looked at the second time; long is what goes on, whatever it claims.

    With a seed, the third time: at moments drawn at random, half as many, but some eight of a film.
    """
    seconds = max(media.duration_seconds, at_seconds)
    rate = 2.0 if seconds <= SHORT_SECONDS else 1.0
    if seed is not None:
        rate = max(rate / 2, min(rate, FEW_FRAMES / max(seconds, 1.0)))
    return Look(start_seconds=at_seconds, frames_per_second=rate, seed=seed)


def frames_to_search(prints: Sequence[ImageFingerprint]) -> Sequence[ImageFingerprint]:
    """Give the frames that are compared: all of them, in order of time."""
    return sorted(prints, key=lambda one: one.at_seconds)


def frames_to_read(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Choose at most `MOST_READ` frames, evenly spread, the first and the last among them."""
    count = len(frames)
    if count <= MOST_READ:
        return frames
    return [frames[round(i * (count - 1) / (MOST_READ - 1))] for i in range(MOST_READ)]


def beginning(sound: Sound | None) -> Sound | None:
    """Give the part of a sound that voices and words are looked for in."""
    if sound is None or not sound.pcm:
        return None
    return replace(sound, pcm=sound.pcm[: 2 * int(SPEECH_SECONDS * sound.rate_hz)])


def is_cut_short(transcript: Transcript, sound: Sound) -> bool:
    """Say whether time ran out before a sound was written down to its end."""
    return transcript.until_seconds < sound.at_seconds + sound.seconds - _ROUNDING_SECONDS


def frames_to_blur(matches: Sequence[Match], frames: Sequence[Frame]) -> list[Frame]:
    """Choose frames of what somebody shall see: at most `MOST_BLURRED`, in order of time.

    Args:
        matches: of one medium; those that nobody shall see do not count.
        frames: of the medium.
    """
    spans = [
        one.query_span_seconds or (0.0, 0.0)
        for match in matches
        if match.decision is not Decision.NONE
        for one in match.evidence
        if one.modality in SEEN
    ]
    if not spans or not frames:
        return []
    places = {frame_at(frames, at) for span in spans for at in (*span, sum(span) / 2)}
    matched = sorted({*places, *_within(frames, spans)})
    step = max(1.0, (len(matched) - 1) / (MOST_BLURRED - 1))
    count = min(len(matched), MOST_BLURRED)
    return [frames[matched[round(i * step)]] for i in range(count)]


def frame_at(frames: Sequence[Frame], at_seconds: float) -> int:
    """Give the place of the frame nearest to a second; at least one frame."""
    return min(range(len(frames)), key=lambda i: abs(frames[i].at_seconds - at_seconds))


def _within(frames: Sequence[Frame], spans: Sequence[tuple[float, float]]) -> list[int]:
    return [
        place
        for place, frame in enumerate(frames)
        if any(start <= frame.at_seconds <= end for start, end in spans)
    ]


def pairs_to_verify(
    findings: Findings,
    gallery: Searchable,
    prints: Sequence[ImageFingerprint],
    limit: int,
    kept: Collection[float] | None = None,
) -> Iterator[tuple[int, list[tuple[float, Keypoints]]]]:
    """Name, for the likeliest references, seconds of the medium and features to compare there.

    Args:
        findings: so far.
        gallery: compared with.
        prints: of all frames, in order of time.
        limit: references at most.
        kept: seconds of the frames that are at hand; None: of all.
    """
    near = [one for one in {**findings.films, **findings.stills} if _is_near(findings, one)]
    near.sort(key=lambda one: -_similarity(findings, one))
    for ordinal in near[:limit]:
        theirs = gallery.shelf.points.get(ordinal, ())
        if not theirs:
            continue
        still, film = findings.stills.get(ordinal), findings.films.get(ordinal)
        if still is not None:
            yield ordinal, _held(_still_pairs(still, theirs), kept)
        elif film is not None:
            seconds = gallery.shelf.frames.seconds_of(ordinal)
            lines = [(prints[i].at_seconds, float(seconds[j])) for i, j in film.alignment.pairs]
            best = _held(_film_pairs(lines, theirs), kept)
            yield ordinal, best or _film_pairs(_held(lines, kept), theirs)


def _held(pairs: list[tuple[float, T]], kept: Collection[float] | None) -> list[tuple[float, T]]:
    """Leave out pairs of frames that are not at hand."""
    return pairs if kept is None else [one for one in pairs if one[0] in kept]


def _similarity(findings: Findings, ordinal: int) -> float:
    still: StillFound | None = findings.stills.get(ordinal)
    film: FilmFound | None = findings.films.get(ordinal)
    if still is not None:
        return still.candidate.similarity
    return film.alignment.similarity if film is not None else -1.0


def _is_near(findings: Findings, ordinal: int) -> bool:
    return _similarity(findings, ordinal) >= WORTH_VERIFYING


def _still_pairs(still: StillFound, theirs: Sequence[Keypoints]) -> list[tuple[float, Keypoints]]:
    wanted = still.candidate.reference_seconds
    nearest = min(theirs, key=lambda one: abs(one.at_seconds - wanted))
    return [(still.at_seconds, nearest)]


def _film_pairs(
    lines: Sequence[tuple[float, float]], theirs: Sequence[Keypoints]
) -> list[tuple[float, Keypoints]]:
    """Choose pairs of a line whose reference frame has features near it, spread over the line."""
    near = []
    for ours, reference in lines:
        one = min(theirs, key=lambda points: abs(points.at_seconds - reference))
        if abs(one.at_seconds - reference) <= _NEAR_SECONDS:
            near.append((abs(one.at_seconds - reference), ours, one))
    if not near:
        return []
    best = {id(one): (ours, one) for _, ours, one in sorted(near, key=lambda n: -n[0])}
    chosen = sorted(best.values(), key=lambda pair: pair[0])
    step = max(1, (len(chosen) - 1) // max(1, PAIRS - 1)) if len(chosen) > PAIRS else 1
    return chosen[::step][:PAIRS]


def tells(ours: Keypoints, theirs: Keypoints) -> bool:
    """Say whether two pictures have local features enough for disagreement to say something."""
    return min(len(ours.points), len(theirs.points)) >= MIN_KEYPOINTS


def to_points(found: Sequence[Agreement]) -> Points:
    """Sum up a candidate's pairs of frames: the middle one; at least one pair."""
    ordered = sorted(found, key=lambda one: one.points if one.share >= MIN_SHARE else 0)
    middle = ordered[len(ordered) // 2]
    return Points(count=middle.points, share=middle.share)


def note_points(findings: Findings, ordinal: int, points: Points) -> None:
    """Note what a candidate's local features say."""
    stills, films = findings.stills, findings.films
    if ordinal in stills:
        stills[ordinal] = replace(stills[ordinal], points=points)
    if ordinal in films:
        films[ordinal] = replace(films[ordinal], points=points)


def rejected(
    findings: Findings,
    gallery: Searchable,
    prints: Sequence[ImageFingerprint],
    sound: SoundFingerprint | None,
) -> frozenset[int]:
    """Name the references that a medium is less like than it is like a negative of theirs.

    Like is held against like, so that nothing that stands beside a copy speaks against it: the
    frame that is like the reference, the frames along its line, the sound in its span.
    """
    frames = gallery.negatives.frame_similarities(prints) if prints else []
    heard = gallery.negatives.sound_matches(sound) if sound is not None else []
    found = set()
    for ordinal in findings.ordinals:
        owner = gallery.owners[ordinal]
        similarity, match = _similarity(findings, ordinal), findings.sounds.get(ordinal)
        worse = any(
            _there(findings, ordinal, values) >= similarity > -1 and _counts_for(one, owner)
            for one, values in frames
        )
        worse_heard = match is not None and any(
            _is_heard_instead(negative, match) and _counts_for(one, owner)
            for one, negative in heard
        )
        if (worse or similarity <= -1) and (worse_heard or match is None):
            found.add(ordinal)
    return frozenset(found)


def _there(findings: Findings, ordinal: int, values: NDArray[np.float64]) -> float:
    """Give what frames are like, where they are like a reference: of a line, the middle one."""
    if ordinal in findings.stills:
        return float(values[findings.stills[ordinal].frame])
    pairs = findings.films[ordinal].alignment.pairs if ordinal in findings.films else ()
    return float(np.median(values[[ours for ours, _ in pairs]])) if pairs else -1.0


def _is_heard_instead(negative: SoundMatch, match: SoundMatch) -> bool:
    """Say whether most of what sounds like a reference sounds at least as like a negative."""
    (first, last), (start, end) = match.query_span_seconds, negative.query_span_seconds
    common = min(last, end) - max(first, start)
    return negative.similarity >= match.similarity and common * 2 >= last - first


def _counts_for(negative: Applicable, owner: Owner) -> bool:
    """Say whether a negative concerns a reference."""
    return negative.case in {None, owner.case} and negative.reference in {None, owner.reference}
