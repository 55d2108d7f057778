"""`gpu_kernels.toolbox`: every task, with a toy embedder and with no weights pulled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.arrays import Arrays, pack, unpack
from gpu_kernels.errors import ModelError
from gpu_kernels.fingerprint import (
    fingerprint_moving_reference,
    fingerprint_query,
    fingerprint_reference,
)
from gpu_kernels.keypoints import find_keypoints
from gpu_kernels.sound import fingerprint_sound
from gpu_kernels.toolbox import Toolbox, as_samples
from gpu_kernels.wire import Request, Task
from tests.gpu_kernels.test_fingerprint import Thumbnails
from tests.gpu_kernels.test_views import photo

PICTURE = photo(90, 120)
SAMPLES = np.random.default_rng(1).integers(-9000, 9000, 3 * 16_000).astype(np.int16)
NEEDS_NONE: dict[Task, Callable[[], Arrays]] = {
    Task.QUERY: lambda: fingerprint_query(PICTURE, Thumbnails()).to_arrays(),
    Task.REFERENCE: lambda: fingerprint_reference(PICTURE, Thumbnails()).to_arrays(),
    Task.MOVING_REFERENCE: lambda: fingerprint_moving_reference(PICTURE, Thumbnails()).to_arrays(),
    Task.KEYPOINTS: lambda: find_keypoints(PICTURE).to_arrays(),
    Task.SOUND: lambda: fingerprint_sound(as_samples(SAMPLES)).to_arrays(),
}


def given(task: Task) -> NDArray[Any]:
    return SAMPLES if task.hears else PICTURE


def done(task: Task, weights: Path) -> Arrays:
    height, width = (1, len(SAMPLES)) if task.hears else PICTURE.shape[:2]
    request = Request(number=1, task=task, width=width, height=height)
    return Toolbox(Thumbnails(), "onnxruntime", weights).do(request, given(task))


@pytest.mark.parametrize("task", NEEDS_NONE)
def test_a_task_gives_what_its_function_gives(task: Task, tmp_path: Path) -> None:
    expected, found = NEEDS_NONE[task](), done(task, tmp_path)
    assert list(found) == list(expected)
    for name, array in unpack(pack(found)).items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize("task", sorted(set(Task) - set(NEEDS_NONE)))
def test_a_task_whose_network_is_missing_says_the_way_out(task: Task, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="haechi models pull"):
        done(task, tmp_path)


def test_samples_are_scaled_to_one() -> None:
    scaled = as_samples(np.array([-32768, 0, 16384, 32767], np.int16))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [-1, 0, 0.5, 1], atol=1e-4)
