"""A real instance: `haechi up` on a home of its own, with media from a loopback host."""

import http.server
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from PIL import Image

from agents.children import die_with_parent
from agents.collecting import push_token
from agents.demo.scenes import draw
from monitors.database import Database
from monitors.tables import outcomes
from streams.settings import Settings, environment_of


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    """Encode a picture."""
    content = io.BytesIO()
    image.convert("RGB").save(content, "JPEG", quality=quality)
    return content.getvalue()


def scene(kind: str, seed: int) -> Image.Image:
    """Draw a small picture; those of different kinds do not look alike to SSCD (cosine < 0.25)."""
    return draw(kind, seed).resize((384, 288))


class MediaHost:
    """Serves bytes by path on loopback, from a thread.

    Args:
        files: by path, with its leading slash.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Instance:
    """`haechi up` as a process of its own; stopped, or killed, at the end of the `with` block.

    Args:
        settings: its home and everything else; its ports should be 0.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._database: Database | None = None

    def haechi(self, *words: str) -> list[dict[str, Any]]:
        """Run a command with `--json`; give the objects it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "haechi", *words, "--json"],
            env=environment_of(self.settings),
            check=True,
            capture_output=True,
            text=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def __enter__(self) -> Self:
        (self.settings.home / "logs").mkdir(parents=True, exist_ok=True)
        with (self.settings.home / "logs" / "up.log").open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "haechi", "up"],
                env=environment_of(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._database.close()
        if self.process.poll() is None:
            self.stop()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20) -> int:
        """Signal it; give its exit status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = Database(self.settings.database)
        return self._database

    def state(self) -> dict[str, Any]:
        """Read run/state.json; empty before it is written."""
        try:
            found: dict[str, Any] = json.loads((self.settings.run_dir / "state.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def pid_of(self, name: str) -> int:
        pid: int = self.state()["processes"][name]["pid"]
        return pid

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until something holds.

        Raises:
            AssertionError: it did not in time, or the launcher ended.
        """
        until = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"`haechi up` ended\n{self.logs()}")
            assert time.monotonic() < until, f"not in {seconds} s: {what}\n{self.logs()}"
            time.sleep(0.1)

    def wait_until_ready(self, seconds: float = 90) -> None:
        self.wait(lambda: self.state().get("ready"), seconds, "ready")

    def push(self, posts: Sequence[Mapping[str, Any]]) -> None:
        """Hand posts in by the push endpoint."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.state()['ports']['push']}/v1/posts",
            json.dumps(posts).encode(),
            {
                "Authorization": f"Bearer {push_token(self.settings)}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 202

    def outcomes(self) -> dict[str, tuple[str, str | None]]:
        """Give every post's outcome and reason, by its key."""
        query = sa.select(outcomes.c.post_key, outcomes.c.outcome, outcomes.c.reason)
        with self.database.read() as connection:
            return {row.post_key: (row.outcome, row.reason) for row in connection.execute(query)}

    def logs(self) -> str:
        """Give the tails of all logs, for a failing test's message."""
        files = sorted((self.settings.home / "logs").glob("*.log"))
        return "\n".join(
            f"== {file.name}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-12:])
            for file in files
        )


def an_instance(home: Path, **values: Any) -> Instance:
    """Make an instance with free ports that uses the desk's cache of models."""
    ports = dict.fromkeys(("push_port", "console_port", "worker_port", "collector_port"), 0)
    return Instance(Settings(home=home, **ports | values))


def kill(pid: int) -> None:
    """End a process that this test's instance started, without a chance to clean up."""
    os.kill(pid, signal.SIGKILL)


def write_replay(file: Path, posts: Sequence[Mapping[str, Any]]) -> Path:
    """Write a replay file."""
    file.write_text("".join(json.dumps(post) + "\n" for post in posts))
    return file
