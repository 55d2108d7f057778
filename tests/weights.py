"""The pulled models, or a skip; in CI a missing model is a failure."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from gpu_kernels.errors import ModelError
from gpu_kernels.models import MODELS, LocatedModel, locate
from gpu_kernels.network import Network, load_network
from gpu_kernels.registry import TEXT_DETECTOR
from gpu_kernels.weights import Weights, locate_weights, read_weights
from streams.settings import Settings


def pulled(name: str = "sscd") -> LocatedModel:
    """Return the verified file of a registered model."""
    try:
        return locate(MODELS[name], Settings().models)
    except ModelError as error:
        _miss(error)


def pulled_cache(weights: Weights) -> Path:
    """Return the cache that holds the verified files of a registered network."""
    cache_dir = Settings().models
    try:
        locate_weights(weights, cache_dir)
    except ModelError as error:
        _miss(error)
    return cache_dir


def text_detector(engine: str = "openvino") -> Network:
    """Return PP-OCR's detector, loaded."""
    (content,) = read_weights(TEXT_DETECTOR, pulled_cache(TEXT_DETECTOR)).values()
    return load_network(engine, content)


def _miss(error: ModelError) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(str(error))
    pytest.skip(str(error))
