"""An engine child: frames in, fingerprints out. It knows no post and no case.

Started by `gpu_kernels.pool` as `python -m gpu_kernels.engine_child`; dies with its parent.
"""

import json
import mmap
import os
import signal
import socket
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_kernels.engine import Engine, load_engine
from gpu_kernels.errors import ModelError
from gpu_kernels.fingerprint import fingerprint_query, fingerprint_reference
from gpu_kernels.lifeline import die_with
from gpu_kernels.models import Model
from gpu_kernels.wire import REQUEST_BYTES, Request, hello_to_bytes, reply_to_bytes


def main(arguments: list[str]) -> int:
    """Load the engine, say hello, then serve until the parent hangs up.

    Args:
        arguments: socket descriptor, parent's pid, engine, the model's fields as JSON, its file.
    """
    descriptor, parent, engine_name, fields, path = arguments
    die_with(int(parent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cv2.setNumThreads(1)
    with socket.socket(fileno=int(descriptor)) as connection:
        try:
            engine = load_engine(engine_name, Path(path), model=Model(**json.loads(fields)))
        except ModelError as error:
            connection.sendall(hello_to_bytes(str(error), ready=False))
            return 1
        connection.sendall(hello_to_bytes(engine.space, ready=True))
        _serve(connection, engine)
        engine.close()
    return 0


def _serve(connection: socket.socket, engine: Engine) -> None:
    while True:
        header, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES, 1)
        if not header:
            return
        started = time.perf_counter()
        request = Request.from_bytes(header)
        image = _map(descriptors[0], request)
        make = fingerprint_reference if request.reference else fingerprint_query
        fingerprint = make(image, engine)
        seconds = time.perf_counter() - started
        connection.sendall(reply_to_bytes(request.number, fingerprint, seconds))


def _map(descriptor: int, request: Request) -> NDArray[np.uint8]:
    """View the picture in the parent's memory; nothing is copied."""
    try:
        if os.fstat(descriptor).st_size != request.size_bytes:
            raise ValueError("the memory does not fit the header")
        pixels = mmap.mmap(descriptor, request.size_bytes, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)
    return np.frombuffer(pixels, np.uint8).reshape(request.height, request.width, 3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
