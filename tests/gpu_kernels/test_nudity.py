"""`gpu_kernels.nudity`: on harmless pictures only, so nothing is said of what it finds."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from gpu_kernels.network import Inputs, Outputs
from gpu_kernels.nudity import NudityEngine, load_nudity_engine, prepare
from gpu_kernels.registry import NUDITY
from gpu_kernels.views import Picture
from tests.weights import pulled_cache

HARMLESS = ["astronaut", "coffee", "chelsea", "rocket"]


def picture(name: str) -> Picture:
    return np.asarray(getattr(data, name)(), np.uint8)


@pytest.fixture(scope="module")
def engine() -> NudityEngine:
    return load_nudity_engine("openvino", pulled_cache(NUDITY))


@pytest.mark.models
@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_pictures_are_estimated_low(engine: NudityEngine, name: str) -> None:
    assert 0 <= engine.estimate(picture(name)) <= 0.2


@pytest.mark.models
def test_every_runtime_estimates_the_same(engine: NudityEngine) -> None:
    other = load_nudity_engine("onnxruntime", pulled_cache(NUDITY))
    for name in HARMLESS:
        assert other.estimate(picture(name)) == pytest.approx(
            engine.estimate(picture(name)), abs=1e-4
        )


@pytest.mark.models
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (700, 3)])
def test_a_picture_of_any_size_is_estimated(engine: NudityEngine, size: tuple[int, int]) -> None:
    assert 0 <= engine.estimate(np.full((*size, 3), 90, np.uint8)) <= 1


def test_the_middle_of_the_squeezed_picture_goes_in_as_blue_green_red() -> None:
    squares = np.zeros((256, 256, 3), np.uint8)
    squares[16:240, 16:240] = (10, 20, 30)
    prepared = prepare(squares)
    assert prepared.shape == (1, 224, 224, 3)
    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(
        prepared.reshape(-1, 3).min(axis=0), [30 - 104, 20 - 117, 10 - 123]
    )
    np.testing.assert_array_equal(
        prepared.reshape(-1, 3).max(axis=0), [30 - 104, 20 - 117, 10 - 123]
    )


def test_a_large_picture_is_averaged_not_sampled() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 200
    grey = prepare(stripes)[0, 100:120, 100:120, 0] + 104
    np.testing.assert_allclose(grey, 100, atol=3)
    expected = Image.fromarray(stripes).resize((256, 256), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(grey, np.asarray(expected)[116:136, 116:136, 2])


class Certain:
    """A network that has no doubts, and no sense of proportion."""

    def __init__(self, chance: float) -> None:
        self.chance = chance
        self.closed = False

    def run(self, inputs: Inputs, /) -> Outputs:
        return [np.array([[1 - self.chance, self.chance]], np.float32)]

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("chance", "estimate"), [(-1e-6, 0), (0.25, 0.25), (1.001, 1)])
def test_the_estimate_stays_within_its_range(chance: float, estimate: float) -> None:
    network = Certain(chance)
    engine = NudityEngine(network)
    assert engine.estimate(np.zeros((9, 9, 3), np.uint8)) == pytest.approx(estimate)
    engine.close()
    assert network.closed


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        NudityEngine(Certain(0)).estimate(np.zeros((9, 9), np.uint8))
