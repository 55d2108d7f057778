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

from gpu_kernels.arrays import unpack
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.wire import (
    HELLO_BYTES,
    REPLY_BYTES,
    AnswerStatus,
    ReplyHeader,
    Request,
    Task,
    hello_from_bytes,
)
from tests.contracts.test_engines import TOY, toy_network

ROOT = Path(__file__).parents[2]
REQUEST = Request(number=5, task=Task.QUERY, width=6, height=7)


class Child:
    """One child and our end of its socket."""

    def __init__(self, path: Path, sha256: str) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(30)
        fields = json.dumps(asdict(replace(TOY, sha256=sha256)))
        module = [sys.executable, "-m", "gpu_kernels.engine_child"]
        arguments = [str(theirs.fileno()), str(os.getpid()), "onnxruntime", fields, str(path)]
        arguments.append(str(path.parent))
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

    def answer(self, number: int) -> tuple[AnswerStatus, bytes]:
        header = ReplyHeader.from_bytes(self.receive(REPLY_BYTES), number=number)
        return header.status, self.receive(header.size_bytes)

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
    child.send(REQUEST.to_bytes(), os.urandom(REQUEST.size_bytes))
    status, content = child.answer(5)
    assert status is AnswerStatus.FINE
    assert ImageFingerprint.from_arrays(unpack(content)).embeddings.shape[1] == 8
    child.socket.close()
    assert child.process.wait(10) == 0


def test_it_leaves_no_core_and_gains_no_privileges(child: Child) -> None:
    child.hello()
    process = Path(f"/proc/{child.process.pid}")
    [line] = [one for one in (process / "limits").read_text().splitlines() if "core" in one]
    assert line.split() == ["Max", "core", "file", "size", "0", "0", "bytes"]
    assert "NoNewPrivs:\t1" in (process / "status").read_text()


@pytest.mark.parametrize("pixels", [0, 7 * 6 * 3 - 1, 7 * 6 * 3 + 1])
def test_memory_that_does_not_fit_its_header_is_never_read(child: Child, pixels: int) -> None:
    child.hello()
    child.send(REQUEST.to_bytes(), bytes(pixels))
    assert child.receive(1) == b""
    assert child.process.wait(10) != 0


def test_sound_comes_as_samples(child: Child) -> None:
    child.hello()
    request = Request(number=6, task=Task.SOUND, width=16_000, height=1)
    child.send(request.to_bytes(), os.urandom(request.size_bytes))
    status, content = child.answer(6)
    assert status is AnswerStatus.FINE
    assert unpack(content)


def test_a_missing_network_is_told_in_words_and_the_next_request_is_served(child: Child) -> None:
    child.hello()
    for number, task in ((7, Task.FACES), (8, Task.QUERY)):
        request = replace(REQUEST, number=number, task=task)
        child.send(request.to_bytes(), bytes(request.size_bytes))
        status, content = child.answer(number)
        assert (status is AnswerStatus.NO_MODEL) == (task is Task.FACES)
        assert (b"haechi models pull" in content) == (task is Task.FACES)


@pytest.mark.parametrize(
    "header",
    [bytes(len(REQUEST.to_bytes())), REQUEST.to_bytes()[:-1]],
    ids=["zeros", "short"],
)
def test_a_header_that_is_none_ends_it(child: Child, header: bytes) -> None:
    child.hello()
    child.send(header, bytes(REQUEST.size_bytes))
    assert child.receive(1) == b""
    assert child.process.wait(10) != 0


def test_an_unusable_model_is_told_before_the_end(model: Path) -> None:
    child = Child(model, "0" * 64)
    ready, text = child.hello()
    assert not ready
    assert "is altered" in text
    assert child.process.wait(10) == 1
    child.end()
