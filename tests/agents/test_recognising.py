"""`agents.recognising`: what may be matched, and what may not be called clear."""

from pathlib import Path
from typing import Any

import pytest

from agents.recognising import Eyes
from monitors.database import Database
from monitors.gallery import GalleryKeeper
from monitors.keystore import KeyStore
from monitors.register import CaseRegister
from streams.errors import EngineError, GalleryStaleError, ModelError
from streams.settings import Settings
from tests.fakes import FakeClock, an_adults_case, fingerprint_of


@pytest.fixture
def eyes(database: Database, settings: Settings, clock: FakeClock) -> Eyes:
    """Eyes with a gallery, loaded as `open` does, but without children."""
    opened = Eyes(settings, database, clock)
    opened._keeper = GalleryKeeper(
        database, KeyStore(settings.keys_dir), clock, "fake/1/numpy/f32", stale_seconds=30
    )
    return opened


async def test_a_stale_gallery_matches_nothing_and_calls_nothing_clear(
    eyes: Eyes, clock: FakeClock
) -> None:
    with pytest.raises(GalleryStaleError):
        eyes.match([fingerprint_of(1)])
    await eyes.refresh()
    clock.advance(30)
    assert list(eyes.match([fingerprint_of(1)])) == []
    assert len(eyes.index()) == 0
    clock.advance(1)
    with pytest.raises(GalleryStaleError):
        eyes.match([fingerprint_of(1)])
    with pytest.raises(GalleryStaleError):
        eyes.index()


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
    with pytest.raises(EngineError):
        await closed.decode(b"x")
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


async def test_an_engine_that_cannot_be_had_is_seen_until_it_answers_again(eyes: Eyes) -> None:
    class Recognition:
        broken = True

        async def fingerprint_frames(self, _media: object) -> list[Any]:
            if self.broken:
                raise EngineError("no child")
            return []

    fake: Any = Recognition()
    eyes._recognition, media = fake, Any
    with pytest.raises(EngineError):
        await eyes.fingerprint_frames(media)  # type: ignore[arg-type]
    assert not eyes.children_answer
    fake.broken = False
    await eyes.fingerprint_frames(media)  # type: ignore[arg-type]
    seen: bool = eyes.children_answer
    assert seen
