"""A picture's fingerprint: embeddings of its views and PDQ hashes, and how it is stored."""

import io
import zipfile
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import Arrays, as_text, pack, take, to_text, unpack
from gpu_kernels.engine import Engine
from gpu_kernels.pdq import HASH_BYTES, pdq, pdq_dihedral
from gpu_kernels.views import (
    WHOLE,
    Box,
    Picture,
    corners,
    crops,
    cut,
    detail,
    distinct,
    query_boxes,
    shrink,
    tilted,
    to_square,
    trim,
    within,
)

MIN_DETAIL = 1.5
"""Bits, see `views.detail`: a view below it is not compared. All 1,560 edited copies of the
development set have more; flat colours, gradients and nearly black frames have less."""

_PDQ_SIDE = 256
"""Pictures are shrunk to this before hashing: PDQ itself shrinks to 64."""
_MAX_SIDE = 1600
"""Larger pictures are shrunk first: the smallest region still has the pixels that SSCD takes."""
_ARCHIVE = b"PK"
"""How a fingerprint begins that an earlier version stored: an .npz archive of the same arrays."""
_MAX_ROWS = 256
"""Views and hashes of one picture; a reference has some 30."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageFingerprint:
    """What is kept of a picture. The arrays are the holder's own and must not be written to.

    Args:
        width: of the picture, pixels.
        height: likewise.
        space: vector space of the embeddings.
        boxes: float32 (n, 4), x0 y0 x1 y1 in 0..1; row 0 is the whole picture.
        embeddings: float32 (n, dimensions), unit rows, one for each box.
        pdq: uint8 (m, 32), packed hashes.
        pdq_quality: uint8 (m,), 0..100.
        detail: of the whole picture, bits; see `views.detail`.
        at_seconds: position in its medium; 0 of a still picture.
    """

    width: int
    height: int
    space: str
    boxes: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    pdq: NDArray[np.uint8]
    pdq_quality: NDArray[np.uint8]
    detail: float
    at_seconds: float = 0.0

    def to_arrays(self) -> Arrays:
        """Give plain arrays."""
        return {
            "size": np.array([self.width, self.height], np.int64),
            "space": as_text(self.space),
            "boxes": self.boxes,
            "embeddings": self.embeddings,
            "pdq": self.pdq,
            "pdq_quality": self.pdq_quality,
            "numbers": np.array([self.detail, self.at_seconds], np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what `to_arrays` gave.

        Raises:
            ValueError: it is something else.
        """
        boxes = take(arrays, "boxes", np.float32, (None, 4))
        embeddings = take(arrays, "embeddings", np.float32, (len(boxes), None))
        hashes = take(arrays, "pdq", np.uint8, (None, HASH_BYTES))
        if not 0 < len(boxes) <= _MAX_ROWS or len(hashes) > _MAX_ROWS:
            raise ValueError("no fingerprint of a picture")
        width, height = (int(one) for one in take(arrays, "size", np.int64, (2,)))
        numbers = take(arrays, "numbers", np.float64, (2,))
        if not all(np.isfinite(one).all() for one in (boxes, embeddings, numbers)):
            raise ValueError("a fingerprint of no numbers")
        detail, at_seconds = (float(one) for one in numbers)
        return cls(
            width=width,
            height=height,
            space=to_text(take(arrays, "space", np.uint8, (None,))),
            boxes=boxes,
            embeddings=embeddings,
            pdq=hashes,
            pdq_quality=take(arrays, "pdq_quality", np.uint8, (len(hashes),)),
            detail=detail,
            at_seconds=at_seconds,
        )

    def comparable(self) -> NDArray[np.intp]:
        """Return the rows of `embeddings` that may be compared: a flat picture's parts only."""
        is_part = (self.boxes != np.array(WHOLE, np.float32)).any(axis=1)
        return np.flatnonzero(is_part | (self.detail >= MIN_DETAIL))


def fingerprint_query(image: Picture, engine: Engine) -> ImageFingerprint:
    """Fingerprint a picture in which a copy may be found: about 2.6 embeddings."""
    small = shrink(image, _MAX_SIDE)
    boxes = [WHOLE, *(box for box in query_boxes(small)[1:] if _has_detail(small, box))]
    hashes = [pdq(shrink(cut(small, box), _PDQ_SIDE)) for box in boxes]
    return _build(
        image,
        engine,
        boxes,
        [cut(small, box) for box in boxes],
        np.stack([hashed for hashed, _ in hashes]),
        [quality for _, quality in hashes],
    )


def fingerprint_reference(image: Picture, engine: Engine) -> ImageFingerprint:
    """Fingerprint a registered picture: whole, trimmed, cropped, tilted; and all of it mirrored."""
    small = shrink(image, _MAX_SIDE)
    frames = distinct([WHOLE, trim(small)])
    inner = [within(frames[-1], crop) for crop in crops()]
    boxes = [WHOLE, *(box for box in [*frames[1:], *inner] if _has_detail(small, box))]
    views = [*(cut(small, box) for box in boxes), *tilted(small)]
    boxes += [WHOLE, WHOLE]
    hashes = [pdq_dihedral(shrink(cut(small, box), _PDQ_SIDE)) for box in frames]
    return _build(
        image,
        engine,
        boxes + boxes,
        views + [view[:, ::-1] for view in views],
        np.concatenate([turned for turned, _ in hashes]),
        [quality for turned, quality in hashes for _ in turned],
    )


def fingerprint_moving_reference(image: Picture, engine: Engine) -> ImageFingerprint:
    """Fingerprint a frame of a registered video: whole, trimmed, cropped, mirrored.

    Fewer views than a still picture's: a video has many frames, and its order in time besides.
    """
    small = shrink(image, _MAX_SIDE)
    frames = distinct([WHOLE, trim(small)])
    inner = [within(frames[-1], crop) for crop in corners()]
    boxes = [WHOLE, *(box for box in [*frames[1:], *inner] if _has_detail(small, box))]
    views = [cut(small, box) for box in boxes]
    hashed, quality = pdq_dihedral(shrink(cut(small, frames[-1]), _PDQ_SIDE))
    return _build(
        image,
        engine,
        boxes + boxes,
        views + [view[:, ::-1] for view in views],
        hashed,
        [quality] * len(hashed),
    )


def _has_detail(image: Picture, box: Box) -> bool:
    return detail(cut(image, box)) >= MIN_DETAIL


def _build(
    image: Picture,
    engine: Engine,
    boxes: list[Box],
    views: list[Picture],
    hashes: NDArray[np.uint8],
    qualities: list[int],
) -> ImageFingerprint:
    return ImageFingerprint(
        width=image.shape[1],
        height=image.shape[0],
        space=engine.space,
        boxes=np.array(boxes, np.float32),
        embeddings=engine.infer(np.stack([to_square(view, engine.side) for view in views])),
        pdq=hashes,
        pdq_quality=np.array(qualities, np.uint8),
        detail=detail(shrink(image, _MAX_SIDE)),
    )


def to_bytes(fingerprint: ImageFingerprint) -> bytes:
    """Store as plain arrays: nothing in it can run."""
    return pack(fingerprint.to_arrays())


def from_bytes(content: bytes) -> ImageFingerprint:
    """Read what `to_bytes` wrote, now or in an earlier version.

    Raises:
        ValueError: it is something else.
    """
    arrays = _from_archive(content) if content.startswith(_ARCHIVE) else unpack(content)
    return ImageFingerprint.from_arrays(arrays)


def _from_archive(content: bytes) -> Arrays:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            fields = {name: stored[name] for name in stored.files}
        return fields | {
            "size": fields["size"].astype(np.int64),
            "numbers": np.array([fields["detail"], 0.0], np.float64),
        }
    except (KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError("not a stored fingerprint") from error
