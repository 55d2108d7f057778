"""The pulled model, or a skip; in CI a missing model is a failure."""

import os

import pytest

from gpu_kernels.errors import ModelError
from gpu_kernels.models import MODELS, LocatedModel, locate
from streams.settings import Settings


def pulled(name: str = "sscd") -> LocatedModel:
    """Return the verified file of a registered model."""
    try:
        return locate(MODELS[name], Settings().models)
    except ModelError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
