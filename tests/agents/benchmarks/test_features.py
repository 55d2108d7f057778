"""`agents.benchmarks.features`."""

from pathlib import Path

import numpy as np
import pytest

from agents.benchmarks import features
from agents.benchmarks.features import compute_features, mean_views
from agents.benchmarks.image_set import ImageSet, load_image_set
from agents.benchmarks.images import Evidence
from gpu_kernels.models import LocatedModel

ENGINE = "onnxruntime"


def look(images: ImageSet, located: LocatedModel, cache: Path) -> int:
    """Return how many pictures were looked at, rather than taken from the cache."""
    worked: list[int] = []
    compute_features(
        images,
        located,
        ENGINE,
        cache=cache,
        jobs=1,
        progress=lambda done, _all: worked.append(done),
    )
    return len(worked)


def test_references_and_posts_come_in_their_order(
    evidence: Evidence, located: LocatedModel, cache: Path
) -> None:
    references, posts = compute_features(evidence.images, located, ENGINE, cache=cache, jobs=1)
    assert (len(references), len(posts)) == (8, 40)
    np.testing.assert_array_equal(references[3].pdq, posts[6].pdq)
    assert mean_views(references) == 2 * (1 + 9 + 2)


@pytest.mark.usefixtures("evidence")
def test_a_second_run_takes_everything_from_the_cache(
    folder: Path, located: LocatedModel, cache: Path
) -> None:
    assert look(load_image_set(folder), located, cache) == 0


def test_changed_code_is_no_reason_to_trust_the_cache(
    evidence: Evidence, located: LocatedModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_code_version", lambda: "another")
    # the eight copies as they are equal their references' files, but not as queries
    assert look(evidence.images, located, cache) == 48
