"""What the pool and its children say to each other: fixed headers, checked at both ends.

A picture crosses in a memfd that the parent made and sized; the answer comes back on the socket.
Nothing is ever unpickled.
"""

import struct
from dataclasses import dataclass

import numpy as np

from gpu_kernels.errors import EngineChildError
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.pdq import HASH_BYTES

MAX_PIXELS = 100_000_000
"""Of a picture; the decoder's cap is lower."""
MAX_ROWS = 256
"""Of an answer's arrays."""
MAX_TEXT = 4096

_REQUEST = struct.Struct("<4sIIII")
_HELLO = struct.Struct("<4sII")
_REPLY = struct.Struct("<4sIIIIdd")
_REQUEST_MAGIC, _HELLO_MAGIC, _REPLY_MAGIC = b"HKQ1", b"HKH1", b"HKA1"

REQUEST_BYTES = _REQUEST.size
HELLO_BYTES = _HELLO.size
REPLY_BYTES = _REPLY.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One picture to fingerprint.

    Args:
        number: counts up; the answer repeats it.
        width: pixels.
        height: pixels.
        reference: as a reference, with more views.
    """

    number: int
    width: int
    height: int
    reference: bool

    @property
    def size_bytes(self) -> int:
        """Of the memfd: RGB, row by row."""
        return self.width * self.height * 3

    def to_bytes(self) -> bytes:
        """Encode."""
        return _REQUEST.pack(
            _REQUEST_MAGIC, self.number, self.width, self.height, int(self.reference)
        )

    @classmethod
    def from_bytes(cls, header: bytes) -> "Request":
        """Decode and check.

        Raises:
            ValueError: not a request, or one for an impossible picture.
        """
        if len(header) != REQUEST_BYTES:
            raise ValueError("a request of the wrong length")
        magic, number, width, height, reference = _REQUEST.unpack(header)
        fits = min(width, height) >= 1 and width * height <= MAX_PIXELS
        if magic != _REQUEST_MAGIC or reference > 1 or not fits:
            raise ValueError("not a request")
        return cls(number=number, width=width, height=height, reference=bool(reference))


def hello_to_bytes(text: str, *, ready: bool) -> bytes:
    """Encode a child's first words: its vector space, or why it has none."""
    content = text.encode()[:MAX_TEXT]
    return _HELLO.pack(_HELLO_MAGIC, int(ready), len(content)) + content


def hello_from_bytes(header: bytes) -> tuple[bool, int]:
    """Decode a hello's header into readiness and the length of the text that follows.

    Raises:
        EngineChildError: it is none.
    """
    magic, ready, length = _HELLO.unpack(header)
    if magic != _HELLO_MAGIC or length > MAX_TEXT:
        raise EngineChildError("an engine child spoke out of turn")
    return bool(ready), length


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHeader:
    """What precedes an answer's arrays.

    Args:
        number: the request's.
        boxes: rows of boxes and embeddings.
        dimensions: of an embedding.
        hashes: rows of PDQ hashes.
        detail: of the picture.
        seconds: that the child worked.
    """

    number: int
    boxes: int
    dimensions: int
    hashes: int
    detail: float
    seconds: float

    @property
    def size_bytes(self) -> int:
        """Of the arrays that follow."""
        return self.boxes * 4 * (4 + self.dimensions) + self.hashes * (HASH_BYTES + 1)

    @classmethod
    def from_bytes(cls, header: bytes, *, number: int, dimensions: int) -> "ReplyHeader":
        """Decode and check.

        Raises:
            EngineChildError: not the answer to that request.
        """
        magic, answered, boxes, rows, hashes, detail, seconds = _REPLY.unpack(header)
        expected = (magic, answered, rows) == (_REPLY_MAGIC, number, dimensions)
        if not expected or not 0 < boxes <= MAX_ROWS or not 0 < hashes <= MAX_ROWS:
            raise EngineChildError("an engine child answered something else")
        return cls(
            number=answered,
            boxes=boxes,
            dimensions=rows,
            hashes=hashes,
            detail=detail,
            seconds=seconds,
        )


def reply_to_bytes(number: int, fingerprint: ImageFingerprint, seconds: float) -> bytes:
    """Encode an answer, arrays included."""
    boxes, dimensions = fingerprint.embeddings.shape
    header = _REPLY.pack(
        _REPLY_MAGIC,
        number,
        boxes,
        dimensions,
        len(fingerprint.pdq),
        fingerprint.detail,
        seconds,
    )
    arrays = (
        fingerprint.boxes.astype("<f4"),
        fingerprint.embeddings.astype("<f4"),
        fingerprint.pdq,
        fingerprint.pdq_quality,
    )
    return header + b"".join(array.tobytes() for array in arrays)


def reply_from_bytes(
    header: ReplyHeader, content: bytes, request: Request, space: str
) -> ImageFingerprint:
    """Decode an answer's arrays."""
    n, m = header.boxes, header.hashes
    floats = np.frombuffer(content, "<f4", n * (4 + header.dimensions))
    rest = np.frombuffer(content, np.uint8, offset=floats.nbytes)
    return ImageFingerprint(
        width=request.width,
        height=request.height,
        space=space,
        boxes=floats[: n * 4].reshape(n, 4),
        embeddings=floats[n * 4 :].reshape(n, header.dimensions),
        pdq=rest[: m * HASH_BYTES].reshape(m, HASH_BYTES),
        pdq_quality=rest[m * HASH_BYTES :],
        detail=header.detail,
    )
