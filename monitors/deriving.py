"""A medium in, features by space out: what is kept of a reference, or of a negative."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import Arrays
from gpu_kernels.facetracks import track_faces, tracks_to_arrays
from gpu_kernels.films import has_order
from gpu_kernels.fingerprint import MIN_DETAIL, ImageFingerprint
from gpu_kernels.keypoints import SPACE as KEYPOINT_SPACE
from gpu_kernels.sound import SOUND_SPACE
from gpu_kernels.voice import MIN_WINDOWS
from gpu_kernels.wire import Task
from monitors.cases import Consent
from monitors.recognition import Recogniser
from streams.errors import (
    DecoderCrashedError,
    LowDetailError,
    SubjectUnclearError,
    UndecodableMediaError,
)
from streams.types import DecodedMedia, Frame, Look, MediaKind, Sound

Progress: TypeAlias = Callable[[float, float], None]
"""Told up to where a medium was looked at, of how many seconds."""

FACE_SPACE = "face/sface/1"
VOICE_SPACE = "voice/resemblyzer/1"
"""Begin with the consent that they need: with it they go."""

FRAMES_PER_SECOND = 2.0
"""Of a reference: twice a post's, so that every moment of a copy has one near it."""

KEYPOINT_SECONDS = 2.0
"""Between the frames of a reference whose local features are kept: some 50 kB a second."""

MIN_SOUND_SECONDS = 3.0
"""Of sound that tells something: what matching needs."""

MAX_SECONDS = 20 * 60.0
"""Of one reference; register the rest as files of their own."""

_STILLS = 3
"""Frames up to which a moving reference is given a still picture's many views."""
_FACE_FRAMES = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What was derived of a medium.

    Args:
        kind: what it really is.
        seconds: looked at.
        features: fingerprints by space, each as plain arrays.
    """

    kind: MediaKind
    seconds: float
    features: Mapping[str, Sequence[Arrays]]


async def derive(
    recogniser: Recogniser,
    body: bytes,
    progress: Progress = lambda _at, _of: None,
    *,
    task: Task | None = None,
) -> Derived:
    """Derive what copies of footage are told by: frames, local features, sound.

    Args:
        recogniser: started.
        body: the medium.
        progress: see `Progress`.
        task: how frames are fingerprinted; None: as a reference's.

    Raises:
        MediaError: it cannot be compared; its class says whether that is the medium's fault.
    """
    features: dict[str, list[Arrays]] = defaultdict(list)
    kept: list[ImageFingerprint] = []
    pcm = b""
    kinds: list[MediaKind] = []
    until, last_point = 0.0, -KEYPOINT_SECONDS
    async for media in _decode_parts(recogniser, body, progress):
        kinds.append(media.kind)  # a film's last moments may be sound alone
        kept += await recogniser.fingerprint_frames(media.frames, task=task or _task(media, kept))
        for frame in media.frames:
            if frame.at_seconds - last_point >= KEYPOINT_SECONDS:
                last_point = frame.at_seconds
                points = await recogniser.keypoints(frame)
                stamped = replace(points, at_seconds=frame.at_seconds)
                features[KEYPOINT_SPACE].append(stamped.to_arrays())
        pcm = _joined(pcm, media.sound, until)
        until = media.looked_until_seconds
    _keep_frames(features, recogniser.space, kept)
    if pcm:
        heard = await recogniser.sound(Sound(pcm=pcm))
        if heard.usable_seconds >= MIN_SOUND_SECONDS:
            features[SOUND_SPACE].append(heard.to_arrays())
    if recogniser.space not in features and SOUND_SPACE not in features:
        raise LowDetailError("nothing tells it from other media")
    return Derived(kind=kinds[0], seconds=until, features=features)


def _joined(pcm: bytes, sound: Sound | None, start_seconds: float) -> bytes:
    """Add what a part's sound goes on after what was heard: it reaches further than its frames."""
    if sound is None:
        return pcm
    begins = 2 * round(start_seconds * sound.rate_hz)
    most = 2 * round(MAX_SECONDS * sound.rate_hz)
    return (pcm + sound.pcm[max(0, len(pcm) - begins) :])[:most]


async def _decode_parts(
    recogniser: Recogniser, body: bytes, progress: Progress
) -> AsyncIterator[DecodedMedia]:
    """Decode a medium part by part, to its end or for `MAX_SECONDS`."""
    at = 0.0
    while True:
        look = Look(start_seconds=at, frames_per_second=FRAMES_PER_SECOND, sound=True)
        try:
            media = await recogniser.decode(body, look)
        except UndecodableMediaError as error:
            if at == 0 or isinstance(error, DecoderCrashedError):
                raise
            return  # its end is broken: what was seen stands
        yield media
        until = media.looked_until_seconds
        progress(until, media.duration_seconds)
        if media.reached_end or until <= at or until >= MAX_SECONDS:
            return
        at = until


def _task(media: DecodedMedia, before: Sequence[ImageFingerprint]) -> Task:
    few = len(media.frames) + len(before) <= _STILLS
    return Task.REFERENCE if few else Task.MOVING_REFERENCE


def _keep_frames(
    features: dict[str, list[Arrays]], space: str, prints: Sequence[ImageFingerprint]
) -> None:
    """Keep frames that tell something; plain ones where they tell by their order."""
    telling = [one for one in prints if one.detail >= MIN_DETAIL]
    if len(telling) < len(prints) and has_order(prints):
        telling = list(prints)
    if telling:
        features[space] += [one.to_arrays() for one in telling]
    else:
        features.pop(KEYPOINT_SPACE, None)


async def derive_subject(recogniser: Recogniser, body: bytes, subject: Consent) -> Derived:
    """Derive the face or the voice of the consenting subject, who must be alone in the medium.

    Raises:
        MediaError: it cannot be compared; see `derive`.
        SubjectUnclearError: nobody, or more than one person, is seen or heard.
    """
    media = await recogniser.decode(body, Look(sound=subject is Consent.VOICE))
    if subject is Consent.FACE:
        space, arrays = FACE_SPACE, await _face(recogniser, media.frames)
    else:
        space, arrays = VOICE_SPACE, await _voice(recogniser, media.sound)
    return Derived(kind=media.kind, seconds=media.looked_until_seconds, features={space: [arrays]})


async def _face(recogniser: Recogniser, frames: Sequence[Frame]) -> Arrays:
    found = [(one.at_seconds, await recogniser.faces(one)) for one in frames[:_FACE_FRAMES]]
    if any(len(faces) > 1 for _, faces in found):
        raise SubjectUnclearError("more than one face")
    tracks = track_faces(found)
    if not tracks:
        raise SubjectUnclearError("no face")
    first = tracks[0].embedding
    if any(float(one.embedding @ first) < _SAME_FACE for one in tracks):
        raise SubjectUnclearError("more than one face")
    return tracks_to_arrays(tracks)


_SAME_FACE = 0.363
"""OpenCV's threshold of SFace for one person."""


async def _voice(recogniser: Recogniser, sound: Sound | None) -> Arrays:
    if sound is None or not sound.pcm:
        raise SubjectUnclearError("no sound")
    voices = await recogniser.voices(sound)
    if len(voices) < MIN_WINDOWS:
        raise SubjectUnclearError("not enough speech")
    if _parts(voices.embeddings) < _ONE_VOICE:
        raise SubjectUnclearError("more than one voice")
    return voices.to_arrays()


_ONE_VOICE = 0.85
"""Cosine of the means of a recording's two most unlike parts. Utterances of one speaker have .91,
one in twenty below .85; of two, .69 and at most .83 (100 recordings of four speakers)."""

_ROUNDS = 10


def _parts(embeddings: NDArray[np.float32]) -> float:
    """Divide windows into the two most unlike parts, and give the cosine of their means.

    1 where either part would have fewer than `MIN_WINDOWS`: a cough, not another speaker.
    """
    cosines = embeddings @ embeddings.T
    first, second = (int(i) for i in np.unravel_index(int(cosines.argmin()), cosines.shape))
    means = embeddings[[first, second]]
    nearer = np.zeros(len(embeddings), bool)
    for _ in range(_ROUNDS):
        nearer = embeddings @ means[0] < embeddings @ means[1]
        if not MIN_WINDOWS <= nearer.sum() <= len(nearer) - MIN_WINDOWS:
            return 1.0
        means = np.stack([embeddings[~nearer].mean(axis=0), embeddings[nearer].mean(axis=0)])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
    return float(means[0] @ means[1])
