"""A picture's fingerprint: embeddings of its views and PDQ hashes, and how it is stored."""

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.engine import Engine
from gpu_kernels.pdq import HASH_BYTES, pdq, pdq_dihedral
from gpu_kernels.views import (
    WHOLE,
    Box,
    Picture,
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
_FORMAT = 1


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
    """

    width: int
    height: int
    space: str
    boxes: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    pdq: NDArray[np.uint8]
    pdq_quality: NDArray[np.uint8]
    detail: float

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
    """Store as an .npz archive of plain arrays: nothing in it can run."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        format=np.array(_FORMAT),
        size=np.array([fingerprint.width, fingerprint.height]),
        space=np.frombuffer(fingerprint.space.encode(), np.uint8),
        boxes=fingerprint.boxes,
        embeddings=fingerprint.embeddings,
        pdq=fingerprint.pdq,
        pdq_quality=fingerprint.pdq_quality,
        detail=np.array(fingerprint.detail),
    )
    return buffer.getvalue()


def from_bytes(content: bytes) -> ImageFingerprint:
    """Read what `to_bytes` wrote.

    Raises:
        ValueError: it is something else, or of a later format.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            fields = {name: stored[name] for name in stored.files}
        if int(fields["format"]) != _FORMAT:
            raise ValueError(f"fingerprint of format {fields['format']}, this reads {_FORMAT}")
        return _checked(fields)
    except (KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError("not a stored fingerprint") from error


def _checked(fields: dict[str, NDArray[Any]]) -> ImageFingerprint:
    boxes, embeddings, hashes = fields["boxes"], fields["embeddings"], fields["pdq"]
    if boxes.shape != (len(embeddings), 4) or embeddings.ndim != 2:
        raise ValueError("boxes and embeddings do not fit together")
    if hashes.shape != (len(fields["pdq_quality"]), HASH_BYTES):
        raise ValueError("hashes and their qualities do not fit together")
    return ImageFingerprint(
        width=int(fields["size"][0]),
        height=int(fields["size"][1]),
        space=fields["space"].tobytes().decode(),
        boxes=boxes.astype(np.float32),
        embeddings=embeddings.astype(np.float32),
        pdq=hashes.astype(np.uint8),
        pdq_quality=fields["pdq_quality"].astype(np.uint8),
        detail=float(fields["detail"]),
    )
