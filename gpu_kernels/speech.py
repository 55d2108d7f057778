"""Speech to text: Whisper on CTranslate2, by faster-whisper. The only file that knows it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, Self, TypeAlias

import faster_whisper
import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.typing import NDArray

from gpu_kernels import texts
from gpu_kernels.arrays import Arrays, take
from gpu_kernels.errors import ModelError

Samples: TypeAlias = NDArray[np.float32]
"""Shape (n,), mono, -1..1, RATE_HZ a second."""

RATE_HZ = 16_000

LANGUAGES = ("ko", "en", "ja", "zh")
"""In which speech is written down; the first unless another is certain."""

CERTAIN = 0.8
"""Probability from which another language is believed: that of artificial Korean is given as Thai
at .5 (docs/reading.md)."""

MAX_SECONDS = 60.0
"""Listened to in one call unless told otherwise."""

MAX_SEGMENTS = 500
"""Of one transcript; a minute has about twenty."""

MAX_LETTERS = 1000
"""Of one segment: half a minute of the fastest speech has 300 syllables."""

MIN_LOG_PROBABILITY = -1.0
"""Below it a segment is invented: the value of OpenAI's own decoder."""

MAX_COMPRESSION = 2.4
"""Above it a segment is stuck, repeating itself: likewise."""

MIN_SPEECH_SECONDS = 0.4
"""With less in it, sound is not listened to: a word of two syllables takes as long."""

_VAD = VadOptions(min_speech_duration_ms=250, min_silence_duration_ms=1000, speech_pad_ms=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech as it was understood.

    Args:
        text: never empty; a stranger's words: searched, then discarded.
        span: from, to, in seconds of the medium.
        language: one of LANGUAGES.
        no_speech: probability, 0..1, that nobody speaks.
        log_probability: of its letters, the mean; rises with certainty up to 0.
    """

    text: str
    span: tuple[float, float]
    language: str
    no_speech: float
    log_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What is said in a sound.

    Args:
        segments: in order of time.
        until_seconds: up to where the medium was listened to.
    """

    segments: tuple[Segment, ...] = ()
    until_seconds: float = 0.0

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return `utf8` and `ends` (see `texts`), and one row a segment in each of the others."""
        rows = self.segments
        return {
            **texts.to_arrays([row.text for row in rows]),
            "spans": np.array([row.span for row in rows], np.float32).reshape(-1, 2),
            "languages": np.array([LANGUAGES.index(row.language) for row in rows], np.uint8),
            "no_speech": np.array([row.no_speech for row in rows], np.float32),
            "log_probabilities": np.array([row.log_probability for row in rows], np.float32),
            "until_seconds": np.array([self.until_seconds], np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what `to_arrays` gave.

        Raises:
            ValueError: it is anything else.
        """
        read = texts.from_arrays(arrays, MAX_SEGMENTS, MAX_LETTERS)
        spans = take(arrays, "spans", np.float32, (len(read), 2))
        languages = take(arrays, "languages", np.uint8, (len(read),))
        no_speech = take(arrays, "no_speech", np.float32, (len(read),))
        certainty = take(arrays, "log_probabilities", np.float32, (len(read),))
        until = take(arrays, "until_seconds", np.float32, (1,))
        if not all(np.isfinite(one).all() for one in (spans, no_speech, certainty, until)):
            raise ValueError("a number is not finite")
        if (spans < 0).any() or (spans[:, 0] > spans[:, 1]).any():
            raise ValueError("a span ends before it begins")
        if (languages >= len(LANGUAGES)).any():
            raise ValueError("no such language")
        return cls(
            segments=tuple(
                Segment(
                    text=read[i],
                    span=(float(spans[i, 0]), float(spans[i, 1])),
                    language=LANGUAGES[languages[i]],
                    no_speech=float(no_speech[i]),
                    log_probability=float(certainty[i]),
                )
                for i in range(len(read))
            ),
            until_seconds=float(until[0]),
        )


class _Heard(Protocol):
    """A segment as faster-whisper gives it."""

    start: float
    end: float
    text: str
    no_speech_prob: float
    avg_logprob: float
    compression_ratio: float


class SpeechEngine:
    """Whisper, loaded and warm, in int8. Not thread-safe.

    Args:
        folder: with `model.bin`, `config.json`, `tokenizer.json` and `vocabulary.txt`.
        threads: for one transcript.

    Raises:
        ModelError: the folder cannot be loaded.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        if not (folder / "model.bin").is_file():
            raise ModelError(f"no Whisper model in {folder}: run `haechi models pull`")
        try:
            self._model = faster_whisper.WhisperModel(
                str(folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(f"cannot load the Whisper model in {folder}") from error

    def transcribe(
        self,
        samples: Samples,
        language: str | None = LANGUAGES[0],
        *,
        max_seconds: float = MAX_SECONDS,
        budget_seconds: float | None = None,
        at_seconds: float = 0.0,
    ) -> Transcript:
        """Write down what is said.

        Args:
            samples: of the medium, from `at_seconds` on.
            language: expected, one of LANGUAGES; another one is taken where it is certain. None:
                whichever is likeliest of them.
            max_seconds: beyond which nothing is listened to.
            budget_seconds: of computing, after which what is understood so far is returned; looked
                at between stretches of up to 30 s of speech, which take about 2 s.
            at_seconds: where in the medium the samples begin.
        """
        started = perf_counter()
        heard = np.nan_to_num(samples[: int(max_seconds * RATE_HZ)], posinf=0, neginf=0).clip(-1, 1)
        until = at_seconds + len(heard) / RATE_HZ
        speech = get_speech_timestamps(heard, _VAD)
        if sum(part["end"] - part["start"] for part in speech) < MIN_SPEECH_SECONDS * RATE_HZ:
            return Transcript(until_seconds=until)
        spoken = self._language(heard, language)
        segments: list[Segment] = []
        for segment in _sensible(self._decode(heard, spoken), spoken, at_seconds):
            segments.append(segment)
            late = budget_seconds is not None and perf_counter() - started > budget_seconds
            if late or len(segments) == MAX_SEGMENTS:
                until = segment.span[1]
                break
        return Transcript(segments=tuple(segments), until_seconds=until)

    def _language(self, samples: Samples, expected: str | None) -> str:
        _, _, likelihoods = self._model.detect_language(
            samples, vad_filter=True, vad_parameters=_VAD
        )
        known = [one for one in likelihoods if one[0] in LANGUAGES]
        likeliest, probability = max(known, key=lambda one: one[1])
        return likeliest if expected is None or probability > CERTAIN else expected

    def _decode(self, samples: Samples, language: str) -> Iterable[_Heard]:
        """Decode greedily, once: other temperatures cost twenty times as much on noise."""
        segments: Iterable[_Heard]
        segments, _ = self._model.transcribe(
            samples,
            language=language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            vad_filter=True,
            vad_parameters=_VAD,
        )
        return segments


def _sensible(heard: Iterable[_Heard], language: str, at_seconds: float) -> Iterator[Segment]:
    """Leave out what Whisper invents where nobody speaks."""
    for one in heard:
        text = " ".join(one.text.split())[:MAX_LETTERS]
        invented = one.avg_logprob < MIN_LOG_PROBABILITY
        if not text or invented or one.compression_ratio > MAX_COMPRESSION:
            continue
        yield Segment(
            text=text,
            span=(at_seconds + one.start, at_seconds + max(one.start, one.end)),
            language=language,
            no_speech=one.no_speech_prob,
            log_probability=one.avg_logprob,
        )
