"""Measure whether local features with a geometric check would tell copies apart: not a test.

    .venv/bin/python tests/benchmarks/measure_geometry.py SET

SET is a built set of the evaluation kit. Of each edit, 24 copies are held against their reference,
and 250 unrelated posts against a reference drawn at random: SIFT, Lowe's ratio of 0.8, an affine
transform by RANSAC. Prints how many correspondences agree. Nothing of the product uses this yet.
"""

import json
import random
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

COPIES, UNRELATED = 24, 250
QUERY_SIDE, REFERENCE_SIDE = 800, 512
QUERY_POINTS, REFERENCE_POINTS = 800, 400
Local = tuple[NDArray[np.float32], Any]


def read(path: Path, side: int) -> Any:
    picture: Any = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    scale = min(1.0, side / max(picture.shape))
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def describe(picture: Any, points: int) -> Local:
    found, descriptors = cv2.SIFT_create(points, contrastThreshold=0.02).detectAndCompute(  # type: ignore[attr-defined]
        picture, None
    )
    return np.array([one.pt for one in found], np.float32), descriptors


def agreeing(query: Local, reference: Local) -> int:
    """Count the correspondences that one affine transform explains."""
    if min(len(query[0]), len(reference[0])) < 6:
        return 0
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(query[1], reference[1], k=2)
    good = [best for best, other in pairs if best.distance < 0.8 * other.distance]
    if len(good) < 5:
        return 0
    start = np.array([reference[0][one.trainIdx] for one in good])
    end = np.array([query[0][one.queryIdx] for one in good])
    transform, inside = cv2.estimateAffine2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=5, maxIters=1000
    )
    if transform is None or not 0.003 < abs(np.linalg.det(transform[:, :2])) < 100:  # type: ignore[redundant-expr]
        return 0
    return int(inside.sum())


def compare(pair: tuple[Path, Path]) -> int:
    """Compare a post with a reference and its mirror image."""
    query = describe(read(pair[0], QUERY_SIDE), QUERY_POINTS)
    reference = read(pair[1], REFERENCE_SIDE)
    sides = (reference, np.ascontiguousarray(reference[:, ::-1]))
    return max(agreeing(query, describe(side, REFERENCE_POINTS)) for side in sides)


def main(folder: Path) -> None:
    """Print a line for each edit, and one for what is unrelated."""
    chance = random.Random(1)
    labels = json.loads((folder / "labels.json").read_text())["image"]
    references = {one["id"]: folder / one["file"] for one in labels["refs"]}
    pairs: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
    for one in labels["queries"]:
        pairs[one["attack"]].append((folder / one["file"], references[one["ref"]]))
    pairs = {name: chance.sample(of, COPIES) for name, of in pairs.items()}
    unrelated = chance.sample(labels["distractors"], UNRELATED)
    pairs["unrelated"] = [
        (folder / one["file"], chance.choice(list(references.values()))) for one in unrelated
    ]
    with ProcessPoolExecutor(initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for name, of in pairs.items():
            counts = np.array(list(pool.map(compare, of)))
            least, middle, most = np.quantile(counts, [0, 0.5, 1])
            share = (counts >= 12).mean()
            print(
                f"{name:12} least {least:.0f} median {middle:.0f} most {most:.0f} >=12: {share:.2f}"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
