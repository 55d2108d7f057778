"""`agents.filing`."""

from pathlib import Path

import pytest

from agents import filing as filing_module
from agents.filing import Filing
from monitors import seen_views
from monitors.database import Database
from monitors.lookback import DEFAULT_LOOKBACK, MemoryLookBackStore, load_lookback, place_of
from streams.errors import DatabaseUnavailableError
from streams.settings import Settings
from tests.fakes import FakeClock
from tests.monitors.test_seen_views import fingerprint


class Store(MemoryLookBackStore):
    """A store that can be away."""

    away = False

    def of(self, space: str, /):  # type: ignore[no-untyped-def]
        if self.away:
            raise DatabaseUnavailableError("a full disk")
        return super().of(space)


@pytest.fixture
def store() -> Store:
    return Store()


def put(database: Database, clock: FakeClock, *numbers: int) -> None:
    with database.write() as connection:
        for number in numbers:
            space = f"space-{number % 2}"
            seen_views.put(connection, space, [fingerprint(clock, number)])


def waits(database: Database) -> int:
    with database.read() as connection:
        return seen_views.count(connection)


async def test_what_waits_is_filed_by_its_space(
    database: Database, clock: FakeClock, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing_module, "BATCH", 3)
    put(database, clock, *range(7))
    filing = Filing(database, lambda: store)
    await filing.look()
    assert {name: store.of(name).count() for name in store.spaces()} == {
        "space-0": 4, "space-1": 3,
    }  # fmt: skip
    assert (waits(database), filing.file()) == (0, 0)


def test_what_cannot_be_filed_waits_on(database: Database, clock: FakeClock, store: Store) -> None:
    put(database, clock, 1)
    store.away = True
    filing = Filing(database, lambda: store)
    with pytest.raises(DatabaseUnavailableError):
        filing.file()
    assert waits(database) == 1
    store.away = False
    assert filing.file() == 1


def test_it_files_where_the_settings_say(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path)
    put(database, clock, 1)
    assert Filing.from_settings(settings, database).file() == 1
    opened = load_lookback(DEFAULT_LOOKBACK, place_of(tmp_path, None))
    assert [opened.of(space).count() for space in opened.spaces()] == [1]
    opened.close()
