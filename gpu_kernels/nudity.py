"""An estimate of nudity, for the order in which people look: never a reason to act, or not to.

Yahoo's open_nsfw (Mahadeokar and Pesavento, 2016), with its published preprocessing but for a
passage through JPEG, which moves the estimate by at most .02 (docs/models.md).
"""

from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu_kernels.network import Network, load_network
from gpu_kernels.registry import NUDITY
from gpu_kernels.views import Picture
from gpu_kernels.weights import read_weights

Floats: TypeAlias = NDArray[np.float32]

_WHOLE = 256
_MIDDLE = 224
_MEAN_BGR = np.array([104, 117, 123], np.float32)
"""Of ImageNet, as Simonyan and Zisserman took it off for VGG (ICLR 2015), rounded."""


class NudityEngine:
    """Estimates nudity. Not thread-safe.

    Args:
        network: open_nsfw, float32 (1, 224, 224, 3), BGR less the mean, to (1, 2).
    """

    def __init__(self, network: Network) -> None:
        self._network = network

    def estimate(self, picture: Picture) -> float:
        """Return 0..1 for a picture, uint8 (h, w, 3), RGB, of any size.

        Raises:
            ValueError: it is no picture.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"expected uint8 (h, w, 3), got {picture.dtype} {picture.shape}")
        (chances,) = self._network.run([prepare(picture)])
        return min(1.0, max(0.0, float(chances[0, 1])))

    def close(self) -> None:
        """Free the network."""
        self._network.close()


def prepare(picture: Picture) -> Floats:
    """Squeeze to 256 x 256, cut out the middle 224 x 224, BGR less the mean."""
    whole = Image.fromarray(picture).resize((_WHOLE, _WHOLE), Image.Resampling.BILINEAR)
    edge = (_WHOLE - _MIDDLE) // 2
    middle = np.asarray(whole, np.float32)[edge : edge + _MIDDLE, edge : edge + _MIDDLE]
    return np.ascontiguousarray(middle[None, ..., ::-1] - _MEAN_BGR)


def load_nudity_engine(engine: str, cache_dir: Path) -> NudityEngine:
    """Load the network out of the cache into a runtime.

    Raises:
        ModelError: its file is missing or altered, or the runtime cannot load it.
    """
    (content,) = read_weights(NUDITY, cache_dir).values()
    return NudityEngine(load_network(engine, content))
