"""Voices: where somebody speaks, and vectors of who.

Silero finds the speech, Resemblyzer embeds 1.6 s of it at a time. A voice is weak evidence: it
backs what a face or a text says, and an altered voice hides from it (docs/models.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import take
from gpu_kernels.engine import at_unit_length
from gpu_kernels.mel import HOP, RATE_HZ, Samples, mel_spectrogram
from gpu_kernels.network import Network, load_network
from gpu_kernels.registry import SPEECH_DETECTOR, VOICE
from gpu_kernels.resemblyzer import FRAMES, HIDDEN, build_network, read_encoder
from gpu_kernels.weights import read_weights

Floats: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

DIMENSIONS = HIDDEN
"""Of an embedding."""

WINDOW = FRAMES * HOP
"""Samples of one window: 1.6 s."""

STEP = WINDOW // 2
"""Samples of speech from one window to the next: 0.8 s; Resemblyzer's own default is 0.77 s."""

MIN_COVERAGE = 0.75
"""Of the last window: less is dropped, more is filled up with silence. Resemblyzer's own."""

MIN_WINDOWS = 3
"""That a voice is compared by, one after the other: 3.2 s of speech. Single ones are too unlike."""

REVIEW_SIMILARITY = 0.9
"""Cosine from which people should look. Of 384 pairs of strangers' recordings of 20 s .862 was
the highest, of 112 pairs of one person's .915 the lowest, all from studios (docs/models.md)."""

_LOUDNESS_DBFS = -30.0
"""To which quieter speech is raised: the network sees power, not its logarithm."""
_CHUNK = 512
"""Samples, 32 ms, of which the detector of speech says how likely each is."""
_CONTEXT = 64
"""Samples before a chunk that the detector sees too."""
_LIKELY = 0.5
"""Silero's own threshold."""
_AROUND = 3
"""Chunks that stay before and after speech, about as many as in Resemblyzer: 0.1 s."""
_BATCH = 16
"""Windows at once: five times the cost of one (docs/models.md)."""
_CHUNKS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """What is known of the voices in a recording.

    Args:
        spans: float64 (n, 2), seconds at which each window begins and ends, in order.
        embeddings: float32 (n, 256), of unit length, nothing negative.
    """

    spans: NDArray[np.float64]
    embeddings: Floats

    def __len__(self) -> int:
        return len(self.spans)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return `spans` and `embeddings`."""
        return {"spans": self.spans, "embeddings": self.embeddings}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read what `to_arrays` gave.

        Raises:
            ValueError: it is something else, or not all of it is numbers in their ranges.
        """
        spans = take(arrays, "spans", np.float64, (None, 2))
        embeddings = take(arrays, "embeddings", np.float32, (len(spans), DIMENSIONS))
        if not np.isfinite(spans).all() or (spans < 0).any() or (spans[:, 1] < spans[:, 0]).any():
            raise ValueError("a window is of no time")
        if not (np.abs(np.linalg.norm(embeddings, axis=1) - 1) < 1e-3).all():
            raise ValueError("an embedding is not of length 1")
        return cls(spans=spans, embeddings=embeddings)


NO_VOICES = Voices(spans=np.empty((0, 2)), embeddings=np.empty((0, DIMENSIONS), np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceMatch:
    """The likest stretches of two recordings.

    Args:
        similarity: cosine, 0..1; strangers have .79 on average.
        query_span_seconds: of the query's stretch.
        reference_span_seconds: of the reference's.
    """

    similarity: float
    query_span_seconds: tuple[float, float]
    reference_span_seconds: tuple[float, float]


class VoiceEngine:
    """Finds speech and embeds who speaks. Not thread-safe.

    Args:
        detector: Silero, float32 (n, 576) and two states (1, 1, 128) to (n,) and both states.
        encoder: Resemblyzer, float32 (n, 160, 40) to (n, 256).
        space: of the embeddings: only equal spaces compare.
    """

    def __init__(self, detector: Network, encoder: Network, *, space: str) -> None:
        self._detector = detector
        self._encoder = encoder
        self.space = space

    def embed(self, samples: Samples) -> Voices:
        """Embed the speech in a recording, float32 (n,), mono, 16 kHz, -1..1, of any length.

        Raises:
            ValueError: it is no such recording, or not all of it is numbers.
        """
        if samples.ndim != 1 or samples.dtype != np.float32 or not np.isfinite(samples).all():
            raise ValueError(f"expected float32 (n,), got {samples.dtype} {samples.shape}")
        spoken = np.flatnonzero(self.find_speech(samples))
        starts = window_starts(len(spoken))
        if not starts:
            return NO_VOICES
        speech = np.zeros(max(len(spoken), starts[-1] + WINDOW), np.float32)
        speech[: len(spoken)] = raised(samples[spoken])
        mel = mel_spectrogram(speech)
        last = len(spoken) - 1
        spans = [(spoken[at], spoken[min(at + WINDOW - 1, last)] + 1) for at in starts]
        windows = [mel[at // HOP : at // HOP + FRAMES] for at in starts]
        return Voices(spans=np.array(spans) / RATE_HZ, embeddings=self._encode(np.stack(windows)))

    def _encode(self, windows: Floats) -> Floats:
        rows = [
            self._encoder.run([windows[start : start + _BATCH]])[0]
            for start in range(0, len(windows), _BATCH)
        ]
        return at_unit_length(np.concatenate(rows))

    def find_speech(self, samples: Samples) -> Mask:
        """Say of each sample whether somebody speaks, the pauses between words included."""
        count = -(-len(samples) // _CHUNK)
        padded = np.zeros(_CONTEXT + count * _CHUNK, np.float32)
        padded[_CONTEXT : _CONTEXT + len(samples)] = samples
        likely = self._speech_chances(padded, count) >= _LIKELY
        around = np.convolve(likely, np.ones(2 * _AROUND + 1), "same") if count else likely
        mask: Mask = np.repeat(around > 0.5, _CHUNK)[: len(samples)]
        return mask

    def _speech_chances(self, padded: Samples, count: int) -> Floats:
        """Run the detector along, its states carried over."""
        states = [np.zeros((1, 1, 128), np.float32)] * 2
        chances = [np.empty(0, np.float32)]
        for start in range(0, count, _CHUNKS_AT_ONCE):
            chunks = [
                padded[i * _CHUNK : (i + 1) * _CHUNK + _CONTEXT]
                for i in range(start, min(start + _CHUNKS_AT_ONCE, count))
            ]
            likely, *states = self._detector.run([np.stack(chunks), *states])
            chances.append(likely.reshape(-1))
        return np.concatenate(chances)

    def close(self) -> None:
        """Free both networks."""
        self._detector.close()
        self._encoder.close()


def window_starts(length: int) -> list[int]:
    """Return where windows begin in so many samples of speech."""
    return list(range(0, max(0, length - int(MIN_COVERAGE * WINDOW) + 1), STEP))


def raised(speech: Samples) -> Samples:
    """Raise quiet speech to -30 dB below full scale; what is louder stays."""
    level = float(np.sqrt(np.mean(speech.astype(np.float64) ** 2)))
    wanted = 10 ** (_LOUDNESS_DBFS / 20)
    louder: Samples = (speech * max(1.0, wanted / max(level, 1e-9))).astype(np.float32)
    return louder


def match_voices(query: Voices, reference: Voices) -> VoiceMatch | None:
    """Compare the means of every three windows in a row; return the likest pair.

    None where either side has fewer than three windows.
    """
    if min(len(query), len(reference)) < MIN_WINDOWS:
        return None
    cosine = _means(query) @ _means(reference).T
    i, k = (int(one) for one in np.unravel_index(int(cosine.argmax()), cosine.shape))
    return VoiceMatch(
        similarity=min(1.0, max(0.0, float(cosine[i, k]))),
        query_span_seconds=_stretch(query, i),
        reference_span_seconds=_stretch(reference, k),
    )


def _means(voices: Voices) -> Floats:
    runs = np.lib.stride_tricks.sliding_window_view(voices.embeddings, MIN_WINDOWS, axis=0)
    return at_unit_length(runs.mean(axis=2))


def _stretch(voices: Voices, first: int) -> tuple[float, float]:
    return float(voices.spans[first, 0]), float(voices.spans[first + MIN_WINDOWS - 1, 1])


def load_voice_engine(engine: str, cache_dir: Path) -> VoiceEngine:
    """Load both networks out of the cache into a runtime.

    Raises:
        ModelError: a file is missing or altered, or the runtime cannot load it.
    """
    (detector,) = read_weights(SPEECH_DETECTOR, cache_dir).values()
    (encoder,) = read_weights(VOICE, cache_dir).values()
    return VoiceEngine(
        load_network(engine, detector),
        load_network(engine, build_network(read_encoder(encoder))),
        space=f"{VOICE.name}/{VOICE.version}/{engine}/f32",
    )
