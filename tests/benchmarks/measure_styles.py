"""Measure how often a drawing alerts on another drawing of its kind: not a test.

    PYTHONPATH=. .venv/bin/python tests/benchmarks/measure_styles.py

For each kind of `agents.demo.scenes`: four drawings are references, eight others are looked for.
None is a copy of another, so every alert is a false one.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agents.demo import scenes
from agents.steps.examining import pairs_to_verify, to_points
from agents.steps.findings import Findings
from agents.steps.matching import find_pictures, judge
from gpu_kernels.engine import Engine, load_engine
from gpu_kernels.fingerprint import fingerprint_query, fingerprint_reference
from gpu_kernels.keypoints import agree, find_keypoints
from monitors.gallery import Gallery, Owner
from monitors.shelf import Shelf
from streams.types import CaseId, ContentId, Decision, ReferenceId
from tests.weights import pulled

REFERENCES, OTHERS = 4, 8


def draw(kind: str, seed: int) -> NDArray[np.uint8]:
    return np.asarray(scenes.draw(kind, seed).convert("RGB"))


def count(kind: str, engine: Engine) -> Counter[Decision]:
    """Count the decisions on each drawing's most confident candidate."""
    shelf, owners = Shelf(), []
    for seed in range(REFERENCES):
        drawn, name = draw(kind, 1000 + seed), str(seed)
        shelf.frames.add(seed, fingerprint_reference(drawn, engine))
        shelf.points[seed] = (find_keypoints(drawn),)
        owners.append(
            Owner(case=CaseId("case"), reference=ReferenceId(name), content=ContentId(name))
        )
    gallery = Gallery(version=1, owners=tuple(owners), shelf=shelf, keywords=())
    found: Counter[Decision] = Counter()
    for seed in range(OTHERS):
        drawn = draw(kind, seed)
        prints = [fingerprint_query(drawn, engine)]
        findings = Findings(space=prints[0].space)
        find_pictures(findings, prints, gallery)
        ours = find_keypoints(drawn)
        for ordinal, pairs in pairs_to_verify(findings, gallery, prints, REFERENCES):
            points = to_points([agree(ours, theirs) for _, theirs in pairs])
            findings.stills[ordinal] = replace(findings.stills[ordinal], points=points)
        matches = judge(findings, gallery)
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
