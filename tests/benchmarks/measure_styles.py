"""Measure how often a drawing alerts on another drawing of its kind: not a test.

    PYTHONPATH=. .venv/bin/python tests/benchmarks/measure_styles.py

For each kind of `agents.demo.scenes`: four drawings are references, eight others are looked for.
None is a copy of another, so every alert is a false one.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.demo import scenes
from agents.steps.matching import match_image
from gpu_kernels.engine import Engine, load_engine
from gpu_kernels.fingerprint import fingerprint_query, fingerprint_reference
from gpu_kernels.search import FrameGallery
from streams.types import CaseId, ContentId, Decision, ReferenceId
from tests.weights import pulled

REFERENCES, OTHERS = 4, 8
CASE = CaseId("case")


@dataclass(frozen=True, slots=True)
class Drawn:
    """Whose an ordinal of the gallery is."""

    reference: ReferenceId
    case: CaseId = CASE

    @property
    def content(self) -> ContentId:
        return ContentId(self.reference)


@dataclass(frozen=True, slots=True)
class Gallery:
    """The references of one kind."""

    owners: list[Drawn]
    frames: FrameGallery


def draw(kind: str, seed: int) -> NDArray[np.uint8]:
    return np.asarray(scenes.draw(kind, seed).convert("RGB"))


def count(kind: str, engine: Engine) -> Counter[Decision]:
    """Count the decisions on each drawing's most confident candidate."""
    gallery = Gallery([], FrameGallery())
    for seed in range(REFERENCES):
        gallery.frames.add(seed, fingerprint_reference(draw(kind, 1000 + seed), engine))
        gallery.owners.append(Drawn(ReferenceId(str(seed))))
    found: Counter[Decision] = Counter()
    for seed in range(OTHERS):
        matches = match_image(fingerprint_query(draw(kind, seed), engine), gallery)
        found[matches[0].decision if matches else Decision.NONE] += 1
    return found


def main() -> None:
    """Print a line for each kind."""
    located = pulled()
    engine = load_engine("openvino", located.path, model=located.model)
    total: Counter[Decision] = Counter()
    for kind in sorted(scenes.SCENES):
        found = count(kind, engine)
        total += found
        print(f"{kind:10} {dict(found)}")
    print(f"{'all':10} {dict(total)}")


if __name__ == "__main__":
    main()
