"""What the pool and its children say to each other: fixed headers, checked at both ends.

A picture or a sound crosses in a memfd that the parent made and sized; the answer comes back on
the socket as plain arrays. Nothing is ever unpickled.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from gpu_kernels.errors import EngineChildError

MAX_PIXELS = 100_000_000
"""Of a picture; the decoder's cap is lower."""
MAX_SAMPLES = 20 * 60 * 16_000
"""Of a sound: twenty minutes."""
MAX_ANSWER_BYTES = 16 * 2**20
"""Ten minutes' sound fingerprint takes some 400 kB, a picture's some 100."""
MAX_TEXT = 4096

_REQUEST = struct.Struct("<4sIIIId")
_HELLO = struct.Struct("<4sII")
_REPLY = struct.Struct("<4sIIId")
_REQUEST_MAGIC, _HELLO_MAGIC, _REPLY_MAGIC = b"HKQ2", b"HKH1", b"HKA2"

REQUEST_BYTES = _REQUEST.size
HELLO_BYTES = _HELLO.size
REPLY_BYTES = _REPLY.size


class Task(IntEnum):
    """What a child is asked to make: see `gpu_kernels.toolbox`."""

    QUERY = 1
    REFERENCE = 2
    MOVING_REFERENCE = 3
    KEYPOINTS = 4
    FACES = 5
    LETTERING = 6
    NUDITY = 7
    SOUND = 8
    VOICES = 9
    SPEECH = 10

    @property
    def hears(self) -> bool:
        """Whether it takes samples, not a picture."""
        return self in {Task.SOUND, Task.VOICES, Task.SPEECH}


class AnswerStatus(IntEnum):
    """How a child got on."""

    FINE = 0
    NO_MODEL = 1
    """It lacks a model's file or library; the answer is why, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One picture or sound to look at.

    Args:
        number: counts up; the answer repeats it.
        task: what to make of it.
        width: pixels; of a sound, samples.
        height: pixels; of a sound, 1.
        budget_seconds: what a task that can stop early may take; 0: as long as it needs.
    """

    number: int
    task: Task
    width: int
    height: int
    budget_seconds: float = 0.0

    @property
    def size_bytes(self) -> int:
        """Of the memfd: RGB, row by row; or 16-bit samples."""
        return self.width * self.height * (2 if self.task.hears else 3)

    def to_bytes(self) -> bytes:
        """Encode."""
        return _REQUEST.pack(
            _REQUEST_MAGIC, self.number, self.task, self.width, self.height, self.budget_seconds
        )

    @classmethod
    def from_bytes(cls, header: bytes) -> "Request":
        """Decode and check.

        Raises:
            ValueError: not a request, or one for an impossible picture.
        """
        if len(header) != REQUEST_BYTES:
            raise ValueError("a request of the wrong length")
        magic, number, task, width, height, seconds = _REQUEST.unpack(header)
        if magic != _REQUEST_MAGIC or not 0 <= seconds < 1e6:
            raise ValueError("not a request")
        asked = Task(task)
        most = MAX_SAMPLES if asked.hears else MAX_PIXELS
        if not (min(width, height) >= 1 and width * height <= most):
            raise ValueError("not a request")
        return cls(number=number, task=asked, width=width, height=height, budget_seconds=seconds)


def hello_to_bytes(text: str, *, ready: bool) -> bytes:
    """Encode a child's first words: its vector space, or why it has none."""
    content = text.encode()[:MAX_TEXT].decode(errors="ignore").encode()  # no half of a letter
    return _HELLO.pack(_HELLO_MAGIC, int(ready), len(content)) + content


def hello_from_bytes(header: bytes) -> tuple[bool, int]:
    """Decode a hello's header into readiness and the length of the text that follows.

    Raises:
        EngineChildError: it is none.
    """
    if len(header) != HELLO_BYTES:
        raise EngineChildError("an engine child spoke half a word")
    magic, ready, length = _HELLO.unpack(header)
    if magic != _HELLO_MAGIC or ready > 1 or length > MAX_TEXT:
        raise EngineChildError("an engine child spoke out of turn")
    return bool(ready), length


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHeader:
    """What precedes an answer.

    Args:
        status: see `AnswerStatus`.
        size_bytes: of the packed arrays, or the words, that follow.
        seconds: that the child worked.
    """

    status: AnswerStatus
    size_bytes: int
    seconds: float

    @classmethod
    def from_bytes(cls, header: bytes, *, number: int) -> "ReplyHeader":
        """Decode and check.

        Raises:
            EngineChildError: not the answer to that request.
        """
        if len(header) != REPLY_BYTES:
            raise EngineChildError("an engine child answered half of something")
        magic, answered, status, length, seconds = _REPLY.unpack(header)
        if (magic, answered) != (_REPLY_MAGIC, number) or length > MAX_ANSWER_BYTES:
            raise EngineChildError("an engine child answered something else")
        if status not in set(AnswerStatus) or not 0 <= seconds < 1e6:
            raise EngineChildError("an engine child answered something else")
        return cls(status=AnswerStatus(status), size_bytes=length, seconds=seconds)


def reply_to_bytes(number: int, status: AnswerStatus, content: bytes, seconds: float) -> bytes:
    """Encode an answer."""
    return _REPLY.pack(_REPLY_MAGIC, number, status, len(content), seconds) + content
