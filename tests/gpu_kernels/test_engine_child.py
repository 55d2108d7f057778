"""`gpu_kernels.engine_child`, spoken to over its socket."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gpu_kernels.wire import HELLO_BYTES, REPLY_BYTES, ReplyHeader, Request, hello_from_bytes
from tests.contracts.test_engines import TOY, toy_network

ROOT = Path(__file__).parents[2]


class Child:
    """One child and our end of its socket."""

    def __init__(self, path: Path, sha256: str) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(30)
        fields = json.dumps(asdict(replace(TOY, sha256=sha256)))
        module = [sys.executable, "-m", "gpu_kernels.engine_child"]
        arguments = [str(theirs.fileno()), str(os.getpid()), "onnxruntime", fields, str(path)]
        with theirs:
            self.process = subprocess.Popen(
                module + arguments,
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                stderr=subprocess.DEVNULL,
            )

    def hello(self) -> tuple[bool, str]:
        ready, length = hello_from_bytes(self.receive(HELLO_BYTES))
        return ready, self.receive(length).decode()

    def receive(self, length: int) -> bytes:
        return self.socket.recv(length, socket.MSG_WAITALL)

    def send(self, header: bytes, pixels: bytes) -> None:
        descriptor = os.memfd_create("frame")
        os.write(descriptor, pixels)
        socket.send_fds(self.socket, [header], [descriptor])
        os.close(descriptor)

    def end(self) -> None:
        self.socket.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "toy.onnx"
    path.write_bytes(toy_network())
    return path


@pytest.fixture
def child(model: Path) -> Iterator[Child]:
    child = Child(model, hashlib.sha256(model.read_bytes()).hexdigest())
    yield child
    child.end()


def test_it_says_its_space_then_answers_and_ends_when_the_parent_hangs_up(child: Child) -> None:
    assert child.hello() == (True, "toy/1/onnxruntime/f32")
    request = Request(number=5, width=6, height=7, reference=False)
    child.send(request.to_bytes(), os.urandom(request.size_bytes))
    header = ReplyHeader.from_bytes(child.receive(REPLY_BYTES), number=5, dimensions=8)
    assert len(child.receive(header.size_bytes)) == header.size_bytes
    child.socket.close()
    assert child.process.wait(10) == 0


@pytest.mark.parametrize("pixels", [0, 7 * 6 * 3 - 1, 7 * 6 * 3 + 1])
def test_memory_that_does_not_fit_its_header_is_never_read(child: Child, pixels: int) -> None:
    child.hello()
    child.send(Request(number=5, width=6, height=7, reference=False).to_bytes(), bytes(pixels))
    assert child.receive(1) == b""
    assert child.process.wait(10) != 0


def test_an_unusable_model_is_told_before_the_end(model: Path) -> None:
    child = Child(model, "0" * 64)
    ready, text = child.hello()
    assert not ready
    assert "is altered" in text
    assert child.process.wait(10) == 1
    child.end()
