"""The demo runs the real processes, and says plainly when they do not do their work."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from agents.demo import running
from agents.demo.instance import Instance, LaunchError
from agents.demo.plan import DemoStream
from agents.demo.running import Demo, StalledError, run_demo, wait_for_outcomes
from agents.demo.show import PlainShow
from agents.demo.stream import build_stream
from agents.demo.tally import Tally
from monitors import tables
from monitors.database import Database
from monitors.migrate import open_database
from streams.settings import Settings


class Standing(Instance):
    """An instance that neither starts anything nor ends, unless told."""

    def __init__(self, *, fallen: bool = False) -> None:
        self._fallen = fallen

    def check(self) -> None:
        if self._fallen:
            raise LaunchError("it fell")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path))
    yield database
    database.close()


def end_post(database: Database, key: str, outcome: str = "clear") -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with database.write() as connection:
        connection.execute(
            sa.insert(tables.outcomes).values(
                post_key=key,
                source="replay",
                outcome=outcome,
                media=0,
                observed_at=now,
                ended_at=now,
            )
        )


async def test_it_waits_until_the_last_post_has_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "POLL_SECONDS", 0.01)
    end_post(database, "a")
    waiting = asyncio.ensure_future(wait_for_outcomes(database, 2, Standing(), PlainShow()))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    end_post(database, "b", "sighted")
    await asyncio.wait_for(waiting, 5)


async def test_posts_that_never_end_are_a_failure_in_words(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(running, "STALLED_SECONDS", 0.1)
    end_post(database, "a")
    with pytest.raises(StalledError, match="2 of 3 posts have no outcome"):
        await wait_for_outcomes(database, 3, Standing(), PlainShow())


async def test_an_instance_that_falls_ends_the_wait(database: Database) -> None:
    with pytest.raises(LaunchError, match="it fell"):
        await wait_for_outcomes(database, 1, Standing(fallen=True), PlainShow())


def test_a_failed_run_keeps_its_logs_and_a_good_one_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(self: Demo) -> int:
        (self._home / "up.log").write_text("why")
        raise LaunchError("it fell")

    async def succeed(self: Demo) -> int:
        (self._home / "up.log").write_text("fine")
        return 0

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(Demo, "run", fail)
    with pytest.raises(LaunchError):
        run_demo(Settings(home=tmp_path / "mine"), seed=1)
    (kept,) = tmp_path.iterdir()
    assert str(kept) in capsys.readouterr().err
    assert (kept / "up.log").read_text() == "why"
    monkeypatch.setattr(Demo, "run", succeed)
    assert run_demo(Settings(home=tmp_path / "mine"), seed=1) == 0
    assert list(tmp_path.iterdir()) == [kept]


def test_ctrl_c_after_the_result_ends_with_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(good: bool) -> int:
        async def stay(self: Demo) -> int:
            self.tally = Tally(
                seed=1,
                posts=1,
                outcomes={"sighted": 1},
                reasons={},
                planted=1,
                found=int(good),
                false_alarms=0,
                tasks=1,
                seconds=[],
                by_edit={},
            )
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(5)
            return 99

        monkeypatch.setattr(Demo, "run", stay)
        return run_demo(Settings(home=tmp_path), seed=1)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert interrupted(good=True) == 0
    assert interrupted(good=False) == 1


def small_stream() -> DemoStream:
    """Planted posts, one of each simple edit of each kind, among a dozen others."""
    stream = build_stream(1)
    simple = {"crop", "mirror", "rotate", "caption", "screenshot", "meme", "colour", "blur"}
    simple |= {"film_cropped", "animation", "sound_noisy"}
    taken: Counter[str] = Counter()
    posts = []
    for post in stream.posts:
        edit = post.planted[0].edit if post.planted else "none"
        if (edit in simple and taken[edit] < 1) or (edit == "none" and taken[edit] < 12):
            taken[edit] += 1
            posts.append(post)
    shown = {url.removeprefix("m/") for post in posts for url in post.media}
    recipes = tuple(recipe for recipe in stream.recipes if recipe.file in shown)
    moving = tuple(recipe for recipe in stream.moving if recipe.file in shown)
    return replace(stream, posts=tuple(posts), recipes=recipes, moving=moving)


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_real_processes_find_what_was_planted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = small_stream()
    assert stream.planted == 11
    demo = Demo(Settings(home=tmp_path / "mine"), tmp_path, stream, interactive=False)
    assert asyncio.run(demo.run()) == 0
    told = capsys.readouterr()
    last = json.loads(told.out.splitlines()[-1])
    assert last["posts"] == sum(last["outcomes"].values()) == len(stream.posts)
    assert (last["planted"], last["false_alarms"]) == (11, 0)
    assert last["found"] >= 9.9
    assert 0 < last["observed_to_task_seconds"]["p99"] < 180
    assert "console: http://127.0.0.1:" in told.err
    assert "password" not in told.out


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_sigterm_while_it_runs_leaves_no_process_behind(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path), "HAECHI_HOME": str(tmp_path / "mine")}
    code = (
        "import sys\n"
        "from agents.demo import running, stream\n"
        "from streams.settings import Settings\n"
        "stream.PLAIN_POSTS = stream.LOOK_ALIKES_OF_EACH_EDIT = stream.PLANTED_OF_EACH_EDIT = 1\n"
        "sys.exit(running.run_demo(Settings(), seed=1))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("  posts ended"):
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert not list(tmp_path.glob("haechi-demo-*"))
    left = [
        entry.parent.name
        for entry in Path("/proc").glob("[0-9]*/environ")
        if _mentions(entry, str(tmp_path))
    ]
    assert left == []


def _mentions(environ: Path, words: str) -> bool:
    try:
        return words.encode() in environ.read_bytes()
    except OSError:
        return False
