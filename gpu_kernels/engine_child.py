"""An engine child: pictures and sounds in, fingerprints out. It knows no post and no case.

Started by `gpu_kernels.pool` as `python -m gpu_kernels.engine_child`; dies with its parent.
"""

import contextlib
import json
import mmap
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import pack
from gpu_kernels.engine import load_engine
from gpu_kernels.errors import ModelError
from gpu_kernels.lifeline import die_with
from gpu_kernels.models import Model
from gpu_kernels.privacy import gain_no_privileges, leave_no_core
from gpu_kernels.toolbox import Toolbox
from gpu_kernels.wire import (
    REQUEST_BYTES,
    AnswerStatus,
    Request,
    hello_to_bytes,
    reply_to_bytes,
)


def main(arguments: list[str]) -> int:
    """Load the engine, say hello, then serve until the parent hangs up.

    Args:
        arguments: socket descriptor, parent's pid, engine, the model's fields as JSON, its file,
            the folder of all other weights.
    """
    descriptor, parent, engine_name, fields, path, weights = arguments
    die_with(int(parent))
    leave_no_core()
    gain_no_privileges()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cv2.setNumThreads(1)
    with socket.socket(fileno=int(descriptor)) as connection:
        try:
            engine = load_engine(engine_name, Path(path), model=Model(**json.loads(fields)))
        except ModelError as error:
            connection.sendall(hello_to_bytes(str(error), ready=False))
            return 1
        connection.sendall(hello_to_bytes(engine.space, ready=True))
        with contextlib.suppress(ConnectionError):  # the parent hung up amid an answer
            _serve(connection, Toolbox(engine, engine_name, Path(weights)))
        engine.close()
    return 0


def _serve(connection: socket.socket, toolbox: Toolbox) -> None:
    while True:
        header, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES, 1)
        if not header:
            return
        started = time.perf_counter()
        request = Request.from_bytes(header)
        given = _map(descriptors[0], request)
        try:
            status, content = AnswerStatus.FINE, pack(toolbox.do(request, given))
        except ModelError as error:
            status, content = AnswerStatus.NO_MODEL, str(error).encode()
        seconds = time.perf_counter() - started
        connection.sendall(reply_to_bytes(request.number, status, content, seconds))


def _map(descriptor: int, request: Request) -> NDArray[Any]:
    """View the picture or the samples in the parent's memory; nothing is copied."""
    try:
        if os.fstat(descriptor).st_size != request.size_bytes:
            raise ValueError("the memory does not fit the header")
        content = mmap.mmap(descriptor, request.size_bytes, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)
    if request.task.hears:
        return np.frombuffer(content, "<i2")
    return np.frombuffer(content, np.uint8).reshape(request.height, request.width, 3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
