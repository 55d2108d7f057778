"""Drawn pictures are reproducible and full."""

import numpy as np
import pytest

from agents.demo.scenes import SCENES, draw


@pytest.mark.parametrize("kind", SCENES)
def test_a_seed_names_a_picture(kind: str) -> None:
    first, again, other = draw(kind, 1), draw(kind, 1), draw(kind, 2)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("kind", SCENES)
def test_a_picture_is_of_a_photograph_s_size_and_not_flat(kind: str) -> None:
    for seed in range(3):
        picture = draw(kind, seed)
        assert picture.mode == "RGB"
        assert 480 <= min(picture.size) <= max(picture.size) <= 900
        assert np.asarray(picture.convert("L")).std() > 5
