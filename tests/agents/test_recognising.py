"""`agents.recognising`: what may be matched, and what may not be called clear."""

import gc
import weakref
from pathlib import Path

import pytest
import structlog
from prometheus_client import REGISTRY

from agents import recognising
from agents.recognising import Eyes
from gpu_kernels.lettering import Lettering, Line
from gpu_kernels.views import Box
from monitors.database import Database
from monitors.gallery import GalleryKeeper
from monitors.keystore import KeyStore
from monitors.references import Enroller
from monitors.register import CaseRegister
from streams.errors import (
    EngineError,
    GalleryStaleError,
    ModelError,
    UndecodableMediaError,
)
from streams.settings import Settings
from tests.fakes import FakeClock, FakeRecogniser, an_adults_case, picture_bytes


def forever() -> float:
    return 1e6


@pytest.fixture
def children() -> FakeRecogniser:
    return FakeRecogniser()


@pytest.fixture
def eyes(
    database: Database, settings: Settings, clock: FakeClock, children: FakeRecogniser
) -> Eyes:
    """Eyes with a gallery, loaded as `open` does, but with children that are none."""
    opened = Eyes(settings, database, clock)
    opened._keeper = GalleryKeeper(
        database, KeyStore(settings.keys_dir), clock, "fake/1/numpy/f32", stale_seconds=30
    )
    opened._recognition = children  # type: ignore[assignment]
    return opened


PICTURE = picture_bytes(1)


async def test_a_stale_gallery_matches_nothing_and_calls_nothing_clear(
    eyes: Eyes, clock: FakeClock, children: FakeRecogniser
) -> None:
    with pytest.raises(GalleryStaleError):
        await eyes.examine(PICTURE, "1", forever)
    await eyes.refresh()
    clock.advance(30)
    assert (await eyes.examine(PICTURE, "1", forever)).matches == []
    assert len(eyes.index()) == 0
    clock.advance(1)
    with pytest.raises(GalleryStaleError):
        await eyes.examine(PICTURE, "1", forever)  # nor is told again what was seen before
    with pytest.raises(GalleryStaleError):
        eyes.index()
    assert children.asked == 1


async def test_the_same_bytes_are_examined_once_for_each_version_of_the_gallery(
    eyes: Eyes, register: CaseRegister, children: FakeRecogniser
) -> None:
    await eyes.refresh()
    first = await eyes.examine(PICTURE, "1", forever)
    await eyes.refresh()
    assert await eyes.examine(PICTURE, "1", forever) is first
    assert children.asked == 1
    case = register.open(an_adults_case()).id
    await Enroller(register, FakeRecogniser()).enrol_bytes(case, PICTURE)
    await eyes.refresh()
    again = await eyes.examine(PICTURE, "1", forever)
    assert children.asked == 2
    assert (first.matches, [match.case for match in again.matches]) == ([], [case])
    register.withdraw(case)
    await eyes.refresh()
    assert (await eyes.examine(PICTURE, "1", forever)).matches == []


async def test_a_gallery_that_a_case_has_left_is_held_by_nothing(
    eyes: Eyes, register: CaseRegister
) -> None:
    case = register.open(an_adults_case()).id
    await Enroller(register, FakeRecogniser()).enrol_bytes(case, PICTURE)
    await eyes.refresh()
    await eyes.examine(PICTURE, "1", forever)
    before = weakref.ref(eyes._opened_keeper().current().shelf)
    register.withdraw(case)
    await eyes.refresh()
    await eyes.examine(picture_bytes(2), "2", forever)
    gc.collect()
    assert before() is None


async def test_what_there_was_no_time_for_is_looked_at_again_and_counted(
    eyes: Eyes, register: CaseRegister, children: FakeRecogniser
) -> None:
    register.add_keyword(register.open(an_adults_case()).id, "haechi secret")
    await eyes.refresh()
    before = skipped("lettering", "no_time")
    hurried = await eyes.examine(PICTURE, "1", lambda: 0.0)
    assert hurried.looked.skipped == ("lettering:no_time",)
    assert skipped("lettering", "no_time") == before + 1
    at_leisure = await eyes.examine(PICTURE, "1", forever)
    assert at_leisure.looked.skipped == ()
    assert await eyes.examine(PICTURE, "1", lambda: 0.0) is at_leisure
    assert children.asked == 2


async def test_what_was_cut_on_its_way_is_not_remembered_either(
    eyes: Eyes, register: CaseRegister, children: FakeRecogniser
) -> None:
    register.add_keyword(register.open(an_adults_case()).id, "haechi secret")
    await eyes.refresh()
    children.page = Lettering(late=True)
    cut = await eyes.examine(PICTURE, "1", forever)
    assert cut.looked.skipped == ("lettering_rest:no_time",)
    children.page = Lettering()
    assert (await eyes.examine(PICTURE, "1", forever)).looked.skipped == ()


def skipped(step: str, why: str) -> float:
    labels = {"step": step, "why": why}
    return REGISTRY.get_sample_value("haechi_steps_skipped_total", labels) or 0.0


async def test_only_so_many_media_are_remembered(
    eyes: Eyes, children: FakeRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognising, "REMEMBERED", 2)
    await eyes.refresh()
    for number in (1, 2, 1, 3, 1, 2):  # 2 is forgotten when 3 comes
        await eyes.examine(picture_bytes(number), str(number), forever)
    assert children.asked == 4


async def test_a_medium_that_cannot_be_looked_at_is_not_remembered(
    eyes: Eyes, children: FakeRecogniser
) -> None:
    await eyes.refresh()
    for _ in range(2):
        with pytest.raises(UndecodableMediaError):
            await eyes.examine(b"a text", "t", forever)
    assert children.asked == 2
    assert eyes.children_answer


async def test_the_keywords_are_made_ready_once_a_version(
    eyes: Eyes, database: Database, settings: Settings, clock: FakeClock
) -> None:
    await eyes.refresh()
    first = eyes.index()
    assert eyes.index() is first
    register = CaseRegister(database, KeyStore(settings.keys_dir), clock, actor="test")
    case = register.open(an_adults_case())
    register.add_keyword(case.id, "haechi secret")
    await eyes.refresh()
    assert len(eyes.index()) == 1
    assert eyes.index() is not first


async def test_nothing_is_looked_at_before_it_is_open(
    database: Database, settings: Settings, clock: FakeClock
) -> None:
    closed = Eyes(settings, database, clock)
    with pytest.raises(GalleryStaleError):
        closed.index()
    with pytest.raises(GalleryStaleError):
        await closed.examine(b"x", "x", forever)
    with pytest.raises(EngineError):
        await closed.fetch("https://h.example/")
    assert closed.gallery_age_seconds is None
    await closed.close()


async def test_a_missing_model_is_said_at_the_start(
    database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    settings = Settings(home=tmp_path, models=tmp_path / "none")
    with pytest.raises(ModelError, match="haechi models pull"):
        await Eyes(settings, database, clock).open()


async def test_an_engine_that_cannot_be_had_is_seen_until_it_answers_again(
    eyes: Eyes, children: FakeRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise EngineError("no child")

    await eyes.refresh()
    with monkeypatch.context() as patch:
        patch.setattr(children, "fingerprint_frames", fail)
        with pytest.raises(EngineError):
            await eyes.examine(PICTURE, "1", forever)
    assert not eyes.children_answer
    await eyes.examine(PICTURE, "1", forever)
    seen: bool = eyes.children_answer
    assert seen


async def test_what_is_seen_is_never_logged(
    eyes: Eyes, register: CaseRegister, children: FakeRecogniser
) -> None:
    register.add_keyword(register.open(an_adults_case()).id, "haechi secret")
    line = Line(text="haechi secret pineapple", box=Box(0, 0, 1, 1), confidence=0.9)
    children.page = Lettering(lines=(line,))
    with structlog.testing.capture_logs() as logs:
        await eyes.refresh()
        examined = await eyes.examine(PICTURE, "1", forever)
    assert examined.matches
    assert "pineapple" not in repr((examined, logs, eyes._seen))
