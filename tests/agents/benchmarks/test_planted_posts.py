"""`agents.benchmarks.planted_posts`."""

from pathlib import Path

from agents.benchmarks.planted_posts import fill, plant
from monitors import seen
from monitors.database import Database
from monitors.lookback import MemoryLookBackStore
from tests.fakes import FakeClock, FakeRecogniser


class Eyes(FakeRecogniser):
    """Decodes every body as picture 1."""

    async def decode(self, body, look=None):  # type: ignore[no-untyped-def]
        return await super().decode(b"picture 1")


def test_so_many_posts_are_remembered_with_a_vector_each(
    database: Database, clock: FakeClock
) -> None:
    store = MemoryLookBackStore()
    fill(database, store, "one", 64, 20, clock.now())
    assert store.of("one").count() == 20
    with database.read() as connection:
        texts = list(seen.texts(connection, clock.now().replace(year=2000), 99))
    assert len(texts) == 20


async def test_half_is_planted_by_its_picture_and_half_by_its_text(
    tmp_path: Path, clock: FakeClock
) -> None:
    planted, prints = await plant(
        Eyes(), tmp_path, "http://127.0.0.1:1", runs=2, each=4, now=clock.now()
    )
    assert [(len(one.alike), len(one.spoken)) for one in planted] == [(2, 2), (2, 2)]
    shown = {post.media[0].url for one in planted for post in (*one.alike, *one.spoken)}
    assert len(shown) == 8
    for one in planted:
        assert all(one.keyword in post.text for post in one.spoken)
        assert not any(one.keyword in post.text for post in one.alike)
    alike = {post.key for one in planted for post in one.alike}
    assert {one.post for one in prints} == alike
