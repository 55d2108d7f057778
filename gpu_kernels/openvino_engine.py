"""OpenVINO on the CPU: the default engine. The only file that knows it."""

import numpy as np
import openvino as ov
from openvino import properties
from openvino.properties import hint

from gpu_kernels.engine import Embeddings, PictureBatch, at_unit_length, check_batch, space_of
from gpu_kernels.models import Model


class OpenVinoEngine:
    """One compiled network of batch 1: on a CPU a larger batch gains nothing.

    The precision is stated, f32, because OpenVINO would otherwise take bf16 wherever the CPU
    prefers it, and vectors of two machines would differ. Quantised layers run in int8 all the same.
    """

    def __init__(self, content: bytes, model: Model, threads: int) -> None:
        network = ov.Core().read_model(content)
        network.reshape({0: [1, model.side, model.side, 3]})
        compiled = ov.Core().compile_model(
            network,
            "CPU",
            {
                hint.inference_precision(): ov.Type.f32,
                hint.performance_mode(): hint.PerformanceMode.LATENCY,
                hint.enable_cpu_pinning(): False,
                properties.inference_num_threads(): threads,
            },
        )
        self._request = compiled.create_infer_request()
        self.space = space_of(model, "openvino", "f32")
        self.side = model.side
        self._dimensions = model.dimensions

    def infer(self, images: PictureBatch, /) -> Embeddings:
        check_batch(images, self.side)
        rows = np.empty((len(images), self._dimensions), np.float32)
        for i in range(len(images)):
            rows[i] = self._request.infer([images[i : i + 1]])[0][0]
        return at_unit_length(rows)

    def close(self) -> None:
        self._request = None
