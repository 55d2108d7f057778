"""Files in, one result each, in order; the contract of `haechi scan --json`."""

import asyncio
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from agents import scanning
from agents.benchmarks.hostile_media import FILMS, Pixels, make_film, make_picture, scene
from agents.demo.edits import EDITS
from agents.demo.scenes import draw
from agents.examined import Examined
from agents.scan_report import FileResult, JsonReport, TableReport, progress_over, to_json
from agents.scanning import LiveGallery, Scanner, list_files
from agents.steps.findings import Findings
from haechi import app
from monitors.migrate import open_database
from streams.errors import (
    DecoderCrashedError,
    EngineError,
    GalleryStaleError,
    MediaTooLargeError,
    UndecodableMediaError,
)
from streams.settings import Settings
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    Evidence,
    Looked,
    Match,
    MediaKind,
    Modality,
    Outcome,
    ReferenceId,
)
from tests.fakes import FakeRecogniser, a_melody, as_sound, picture_bytes


def match(decision: Decision, confidence: float = 0.123456789012345) -> Match:
    return Match(
        case=CaseId("c" * 32),
        reference=ReferenceId("r" * 32),
        content=ContentId("g"),
        confidence=confidence,
        decision=decision,
        evidence=(
            Evidence(
                modality=Modality.FRAME,
                similarity=0.81,
                query_box=(0.0, 0.0, 1.0, 1.0),
                space="sscd/1/openvino/f32",
            ),
        ),
    )


LOOKED = Looked(kind=MediaKind.IMAGE, frames=1)


class Examination:
    """Obeys the first word of a file: a number is seconds to wait; the rest are errors."""

    errors: ClassVar = {
        b"hang": DecoderCrashedError,
        b"huge": MediaTooLargeError,
        b"dead": EngineError,
    }

    def __init__(self, found: Sequence[Match], looked: Looked) -> None:
        self._found = found
        self._looked = looked

    async def __call__(self, body: bytes) -> Examined:
        if body[:4] in self.errors:
            raise self.errors[body[:4]]("said so")
        if body == b"junk":
            raise UndecodableMediaError("said so")
        await asyncio.sleep(float(body))
        return Examined(
            matches=list(self._found), looked=self._looked, findings=Findings(space="s")
        )


def scanner(
    *found: Match, show_all: bool = False, max_bytes: int = 100, looked: Looked = LOOKED
) -> Scanner:
    return Scanner(Examination(found, looked), max_bytes=max_bytes, show_all=show_all)


def write(path: Path, body: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def raise_(error: OSError) -> None:
    raise error


def test_folders_are_walked_in_order_with_hidden_files(tmp_path: Path) -> None:
    names = ["b/z.jpg", "b/.hidden", "a.jpg", "b/c/d.bin", ".x/y", "empty"]
    for name in names:
        write(tmp_path / name, b"")
    found = list(list_files([tmp_path], raise_))
    assert found == [tmp_path / name for name in sorted(names)]


def test_what_is_given_is_listed_as_given_and_twice_if_given_twice(tmp_path: Path) -> None:
    file = write(tmp_path / "a", b"")
    assert list(list_files([file, tmp_path, file], raise_)) == [file] * 3


def test_links_are_followed_inside_the_folder_alone(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", b"secret")
    folder = tmp_path / "folder"
    inside = write(folder / "inside", b"")
    (folder / "to-inside").symlink_to(inside)
    (folder / "to-outside").symlink_to(outside)
    (folder / "to-nothing").symlink_to(tmp_path / "nothing")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    left_out: list[Path] = []
    assert list(list_files([folder], raise_, left_out.append)) == [inside, folder / "to-inside"]
    assert {path.name for path in left_out} == {"to-outside", "to-nothing", "loop", "pipe"}
    assert list(list_files([folder / "to-outside"], raise_)) == [folder / "to-outside"]


def test_what_is_no_regular_file_is_left_out_of_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert list(list_files([tmp_path], raise_)) == []


def test_a_folder_that_cannot_be_listed_is_told_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "closed" / "a", b"")
    last = write(tmp_path / "open", b"")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    told: list[OSError] = []
    assert list(list_files([tmp_path], told.append)) == [last]
    assert [error.filename for error in told] == [str(tmp_path / "closed")]


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        (b"junk", Outcome.UNREADABLE, "undecodable_media"),
        (b"hang", Outcome.UNREADABLE, "decoder_crashed"),
        (b"", Outcome.UNREADABLE, "undecodable_media"),
        (b"huge", Outcome.REFUSED, "media_too_large"),
        (b"x" * 101, Outcome.REFUSED, "media_too_large"),
    ],
)
async def test_a_file_that_cannot_be_compared_says_why(
    tmp_path: Path, body: bytes, outcome: Outcome, reason: str
) -> None:
    path = write(tmp_path / "a", body)
    found = await scanner(match(Decision.ALERT)).inspect(path)
    assert found == FileResult(path=str(path), outcome=outcome, reason=reason)


@pytest.mark.parametrize(
    ("decisions", "show_all", "outcome", "shown"),
    [
        ([Decision.ALERT, Decision.NONE], False, Outcome.SIGHTED, [Decision.ALERT]),
        ([Decision.REVIEW], False, Outcome.SIGHTED, [Decision.REVIEW]),
        ([Decision.NONE, Decision.NONE], False, Outcome.CLEAR, []),
        ([Decision.NONE, Decision.NONE], True, Outcome.CLEAR, [Decision.NONE]),
        ([Decision.ALERT, Decision.NONE], True, Outcome.SIGHTED, [Decision.ALERT]),
        ([], True, Outcome.CLEAR, []),
    ],
)
async def test_what_is_decided_makes_the_outcome(
    tmp_path: Path,
    decisions: list[Decision],
    show_all: bool,
    outcome: Outcome,
    shown: list[Decision],
) -> None:
    scan = scanner(*map(match, decisions), show_all=show_all)
    found = await scan.inspect(write(tmp_path / "a", b"0"))
    assert found.outcome is outcome
    assert [one.decision for one in found.matches] == shown


async def test_a_file_that_is_clear_as_far_as_it_was_looked_at_says_so(tmp_path: Path) -> None:
    looked = Looked(kind=MediaKind.VIDEO, seconds=90, until_seconds=90, skipped=("speech:no_time",))
    found = await scanner(looked=looked).inspect(write(tmp_path / "a", b"0"))
    assert (found.outcome, found.reason, found.looked) == (Outcome.CLEAR, "partly_looked", looked)


async def test_results_come_in_the_order_of_the_files_as_they_end(tmp_path: Path) -> None:
    waits = [b"0.2", b"0", b"0", b"0.1", b"0", b"0"]
    files = [write(tmp_path / f"{n}", wait) for n, wait in enumerate(waits)]
    found = [one.path async for one in scanner().scan(files, 1)]
    assert found == [str(path) for path in files]


async def test_an_engine_that_cannot_be_had_ends_the_scan_and_what_is_under_way(
    tmp_path: Path,
) -> None:
    files = [write(tmp_path / "a", b"dead"), write(tmp_path / "b", b"30")]
    with pytest.raises(EngineError):
        _ = [one async for one in scanner().scan(files, 4)]
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    assert not rest


def test_the_json_has_exactly_the_keys_of_the_contract_and_nothing_is_rounded() -> None:
    result = FileResult(path="/a b/ü", outcome=Outcome.SIGHTED, matches=(match(Decision.ALERT),))
    assert json.loads(to_json(result)) == {
        "path": "/a b/ü",
        "outcome": "sighted",
        "reason": None,
        "matches": [
            {
                "case": "c" * 32,
                "reference": "r" * 32,
                "confidence": 0.123456789012345,
                "decision": "alert",
                "evidence": [
                    {
                        "modality": "frame",
                        "similarity": 0.81,
                        "query_span_seconds": None,
                        "reference_span_seconds": None,
                    }
                ],
            }
        ],
        "looked": None,
    }


def test_a_name_that_is_no_text_is_printed_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = os.fsdecode(b"sea\xe9.jpg")
    JsonReport().add(FileResult(path=name, outcome=Outcome.CLEAR))
    assert json.loads(capsys.readouterr().out)["path"] == name


def test_people_see_what_was_sighted_and_how_many_ended_how(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = TableReport()
    report.add(
        FileResult(path="[red]/x", outcome=Outcome.SIGHTED, matches=(match(Decision.ALERT),))
    )
    report.add(FileResult(path="y", outcome=Outcome.CLEAR))
    report.add(FileResult(path="z", outcome=Outcome.REFUSED, reason="media_too_large"))
    report.end()
    shown = capsys.readouterr().out
    assert "[red]/x" in shown
    assert "3 files: " in shown
    assert "1 refused (media_too_large)" in shown


@pytest.mark.parametrize("end", [KeyboardInterrupt, EngineError("gone")])
async def test_what_was_found_before_a_scan_was_stopped_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], end: BaseException
) -> None:
    for name in "abc":
        write(tmp_path / name, b"0")

    async def results() -> AsyncGenerator[FileResult, None]:
        found = (match(Decision.ALERT),)
        yield FileResult(path="found.jpg", outcome=Outcome.SIGHTED, matches=found)
        raise end

    with pytest.raises((KeyboardInterrupt, EngineError)):
        await scanning._report(results(), [tmp_path], TableReport())
    shown = capsys.readouterr().out
    assert "found.jpg" in shown
    assert "stopped after 1 of 3 files" in shown


def test_no_bar_is_drawn_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    def count() -> list[Path]:
        raise AssertionError("counted for nothing")

    with progress_over(count) as advance:
        advance()
    assert capsys.readouterr().err == ""


async def test_a_gallery_that_cannot_be_confirmed_ends_the_scan_rather_than_clearing_files(
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path, gallery_stale_seconds=0.2, gallery_poll_seconds=0.05)
    database = open_database(settings)
    async with LiveGallery(settings, database, FakeRecogniser()) as gallery:
        assert (gallery.references, gallery.keywords) == (0, 0)
        await asyncio.sleep(0.4)
        assert (await gallery.examine(picture_bytes(1))).matches == []
        database.close()
        (tmp_path / "haechi.db").rename(tmp_path / "gone.db")
        (tmp_path / "haechi.db").mkdir()
        await asyncio.sleep(0.5)
        with pytest.raises(GalleryStaleError):
            await gallery.examine(picture_bytes(1))


@pytest.mark.parametrize("arguments", [["/no/such/file"], [], ["--jobs", "0", "."]])
def test_unusable_arguments_end_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["scan", *arguments]).exit_code == 2


def environment(home: Path, **values: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAECHI_")}
    models = os.environ.get("HAECHI_MODELS")
    return (
        kept | {"HAECHI_HOME": str(home)} | ({"HAECHI_MODELS": models} if models else {}) | values
    )


def haechi(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "haechi", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=50, check=False)


def test_without_models_it_ends_with_1_and_the_way_out(tmp_path: Path) -> None:
    env = environment(tmp_path / "home", HAECHI_MODELS=str(tmp_path / "none"))
    done = haechi("scan", str(tmp_path), "--json", **env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("haechi: ")
    assert "haechi models pull" in done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one case and one reference."""
    home = tmp_path_factory.mktemp("home")
    draw("city", 7).save(home / "reference.png")
    env = environment(home)
    haechi(*"case open --alias A --age-class adult --basis victim_request".split(), **env)
    done = haechi("case", "reference", "add", "A", str(home / "reference.png"), "--json", **env)
    assert json.loads(done.stdout)["outcome"] == "enrolled", done.stderr
    return home


@pytest.mark.models
def test_a_folder_is_scanned_as_the_contract_says(home: Path, tmp_path: Path) -> None:
    import random

    reference = draw("city", 7)
    shown = EDITS["screenshot"](reference, random.Random(1), reference)
    write(tmp_path / "b" / "page.html", b"<html>")
    (tmp_path / "b" / "link").symlink_to(home)
    (tmp_path / "b" / "empty.jpg").touch()
    shown.save(tmp_path / "c.jpg", quality=40)
    draw("shore", 3).save(tmp_path / "a.png")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "d.webp")
    before = sorted(path.name for path in home.iterdir())
    done = haechi("scan", str(tmp_path), "--json", "--all", **environment(home))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "haechi scan: links and devices left out: 1\n"
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(one["path"]).name for one in found] == [
        "a.png",
        "empty.jpg",
        "page.html",
        "c.jpg",
        "d.webp",
    ]
    ends = {Path(one["path"]).name: (one["outcome"], one["reason"]) for one in found}
    assert ends == {
        "a.png": ("clear", None),
        "empty.jpg": ("unreadable", "undecodable_media"),
        "page.html": ("unreadable", "undecodable_media"),
        "c.jpg": ("sighted", None),
        "d.webp": ("clear", None),
    }
    assert found[0]["matches"][0]["decision"] == "none"
    assert found[3]["matches"][0]["decision"] == "alert"
    assert 0 <= found[0]["matches"][0]["confidence"] < found[3]["matches"][0]["confidence"] <= 1
    assert set(found[3]) == {"path", "outcome", "reason", "matches", "looked"}
    looked = found[3]["looked"]
    assert set(looked) == {"kind", "seconds", "until_seconds", "frames", "skipped", "nudity"}
    assert (looked["kind"], looked["frames"]) == ("image", 1)
    assert found[2]["looked"] is None
    assert sorted(path.name for path in home.iterdir() if "-" not in path.name) == [
        name for name in before if "-" not in name
    ]


@pytest.mark.models
def test_people_are_shown_the_alias_of_the_case(home: Path) -> None:
    done = haechi("scan", str(home / "reference.png"), **environment(home))
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if "alert" in line]
    assert re.search(r"\bA\b", row)


@pytest.mark.models
def test_a_withdrawn_case_is_not_matched_and_said_so(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    env = environment(copy)
    assert haechi("case", "withdraw", "A", "--yes", **env).returncode == 0
    done = haechi("scan", str(home / "reference.png"), "--json", "--all", **env)
    assert done.returncode == 0
    assert json.loads(done.stdout)["outcome"] == "clear"
    assert json.loads(done.stdout)["matches"] == []
    assert "no active case" in done.stderr


def clip(place: int) -> Pixels:
    return scene(place, 320, 192)


@pytest.mark.models
@pytest.mark.slow
def test_films_sounds_and_animations_are_scanned_like_pictures(tmp_path: Path) -> None:
    env = environment(tmp_path / "home")
    files = tmp_path / "files"
    film = write(tmp_path / "own.mp4", make_film(FILMS["mp4"], 8.0, draw=clip))
    song = write(tmp_path / "own.wav", wave_file(a_melody(1, 30)))
    haechi(*"case open --alias A --age-class adult --basis victim_request".split(), **env)
    added = haechi("case", "reference", "add", "A", str(film), str(song), "--json", **env)
    outcomes = [json.loads(line)["outcome"] for line in added.stdout.splitlines()]
    assert outcomes == ["enrolled"] * 2, added.stderr
    write(files / "a.webm", make_film(FILMS["webm"], 8.0, draw=clip))
    write(files / "b.gif", make_picture("GIF", 6))
    write(files / "c.wav", wave_file(0.5 * a_melody(1, 30)))
    write(files / "d.wav", wave_file(a_melody(2, 30)))
    write(files / "e.mp4", film.read_bytes()[:2000])
    done = haechi("scan", str(files), "--json", **env)
    assert done.returncode == 0, done.stderr
    found = {Path(one["path"]).name: one for one in map(json.loads, done.stdout.splitlines())}
    assert {name: one["outcome"] for name, one in found.items()} == {
        "a.webm": "sighted",
        "b.gif": "clear",
        "c.wav": "sighted",
        "d.wav": "clear",
        "e.mp4": "unreadable",
    }
    kinds = {name: one["looked"]["kind"] for name, one in found.items() if one["looked"]}
    assert kinds == {"a.webm": "video", "b.gif": "video", "c.wav": "audio", "d.wav": "audio"}
    assert found["a.webm"]["looked"]["until_seconds"] == pytest.approx(8, abs=0.3)
    [copy] = found["a.webm"]["matches"]
    assert "frame" in {one["modality"] for one in copy["evidence"]}
    [heard] = found["c.wav"]["matches"]
    assert [one["modality"] for one in heard["evidence"]] == ["audio"]
    assert heard["evidence"][0]["query_span_seconds"] == pytest.approx([0, 30], abs=1)


def wave_file(samples: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(as_sound(samples).pcm)
    return buffer.getvalue()


@pytest.mark.models
@pytest.mark.slow
def test_ctrl_c_ends_it_at_once_with_every_child_of_its_own(home: Path, tmp_path: Path) -> None:
    for number in range(60):
        draw("flowers", number).save(tmp_path / f"{number:02}.jpg")
    process = subprocess.Popen(
        [sys.executable, "-m", "haechi", "scan", str(tmp_path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(home),
        start_new_session=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["outcome"] == "clear"
    os.killpg(process.pid, signal.SIGINT)
    _, complained = process.communicate(timeout=20)
    assert process.returncode == 130
    assert complained == ""
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_scan_uses_the_cores_that_it_may() -> None:
    assert scanning.available_cores() == len(os.sched_getaffinity(0))
