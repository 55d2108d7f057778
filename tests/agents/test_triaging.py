"""`agents.triaging`, its agent driven through Faust's test context."""

import asyncio

import faust
import pytest
import sqlalchemy as sa
from faust.types import AgentT

from agents.setting_aside import SettingAside
from agents.shell import Batching, Shell, Stop, attach
from agents.steps.triaging import KeywordIndex
from agents.triaging import Triaging
from monitors import inbox
from monitors.database import Database
from monitors.health import Progress
from monitors.keywords import WatchedKeyword
from monitors.tables import dead_letters, outcomes
from streams import topics
from streams.app import build_app, declare_topics
from streams.schemas import InspectionRecord, PostRecord
from streams.settings import Settings
from streams.types import CaseId, KeywordId, MediaItem, MediaKind, Post
from tests.agents.pipeline import Sent, a_post, store, until
from tests.fakes import FakeClock

INDEX = KeywordIndex(
    [WatchedKeyword(case=CaseId("c"), keyword=KeywordId("k"), text="haechi secret")]
)
MEDIA = (MediaItem(url="https://h.example/1.jpg"),)


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def triaging(database: Database, sent: Sent, clock: FakeClock) -> Triaging:
    return Triaging("triage", database=database, index=lambda: INDEX, send=sent, clock=clock)


async def run(triaging: Triaging, *posts: Post) -> None:
    records = [PostRecord.from_domain(post) for post in posts]
    await triaging.emit(await triaging.step(records))


async def test_posts_with_media_go_on_by_their_priority(
    triaging: Triaging, database: Database, sent: Sent, clock: FakeClock
) -> None:
    plain = a_post(clock, 1, media=MEDIA)
    named = a_post(clock, 2, media=MEDIA, text="the haechi secret is out")
    store(database, plain, named)
    await run(triaging, plain, named)
    [(key, value)] = sent.to(topics.INSPECTIONS_BULK)
    assert key == plain.key
    assert InspectionRecord.from_bytes(value).post.to_post() == plain
    [(key, value)] = sent.to(topics.INSPECTIONS_URGENT)
    assert key == named.key
    [hit] = InspectionRecord.from_bytes(value).hits
    assert (hit.case, hit.keyword) == ("c", "k")
    with database.read() as connection:
        assert inbox.waiting(connection).posts == 2


async def test_a_text_that_names_everybody_makes_no_record_too_large(
    database: Database, sent: Sent, clock: FakeClock
) -> None:
    words = [f"name{number:04}x" for number in range(1100)]
    index = KeywordIndex(
        [WatchedKeyword(case=CaseId(word), keyword=KeywordId(word), text=word) for word in words]
    )
    triaging = Triaging("triage", database=database, index=lambda: index, send=sent, clock=clock)
    post = a_post(clock, 1, media=MEDIA, text=" ".join(words))
    store(database, post)
    await run(triaging, post)
    [(_, value)] = sent.to(topics.INSPECTIONS_URGENT)
    assert len(InspectionRecord.from_bytes(value).hits) == 1000


async def test_a_post_without_media_ends_clear_whatever_its_text_says(
    triaging: Triaging, database: Database, sent: Sent, clock: FakeClock
) -> None:
    named = a_post(clock, 1, text="haechi secret")
    store(database, named)
    await run(triaging, named)
    assert sent.records == []
    with database.read() as connection:
        [row] = connection.execute(sa.select(outcomes)).all()
        assert inbox.waiting(connection).posts == 0
    assert (row.outcome, row.reason, row.media) == ("clear", "no_media", 0)


async def test_links_alone_go_on_only_where_a_keyword_was_found(
    triaging: Triaging, database: Database, sent: Sent, clock: FakeClock
) -> None:
    links = (MediaItem(url="https://news.example/1", kind=MediaKind.LINK),)
    plain, named = (
        a_post(clock, 1, media=links),
        a_post(clock, 2, media=links, text="haechi secret"),
    )
    store(database, plain, named)
    await run(triaging, plain, named)
    assert [key for _, (key, _) in sent.records] == [named.key]
    with database.read() as connection:
        [row] = connection.execute(sa.select(outcomes)).all()
    assert (row.post_key, row.outcome, row.reason) == (plain.key, "clear", "links_not_followed")


async def test_a_post_that_ended_and_a_second_record_are_passed_over(
    triaging: Triaging, database: Database, sent: Sent, clock: FakeClock
) -> None:
    waiting, ended = a_post(clock, 1, media=MEDIA), a_post(clock, 2, media=MEDIA)
    store(database, waiting)
    await run(triaging, waiting, ended, waiting)
    assert [key for key, _ in sent.to(topics.INSPECTIONS_BULK)] == [waiting.key]


@pytest.fixture
async def agent(
    triaging: Triaging, database: Database, sent: Sent, clock: FakeClock, settings: Settings
) -> AgentT:  # type: ignore[type-arg]
    app: faust.App = build_app(settings)
    app.loop = asyncio.get_running_loop()
    app.finalize()
    shell = Shell(
        "triage",
        record=PostRecord,
        set_aside=SettingAside(database, sent, clock),
        epoch="haechi-1",
        max_in_a_row=20,
        progress=Progress(clock),
        stop=Stop(),
    )
    topic = declare_topics(app, 4)[topics.POSTS]
    return attach(app, topic, shell, triaging, Batching(posts=8, seconds=0.05))


async def test_malformed_and_oversized_records_end_dead_once_and_the_agent_lives_on(
    agent: AgentT,  # type: ignore[type-arg]
    database: Database,
    sent: Sent,
    clock: FakeClock,
) -> None:
    broken, huge, good = a_post(clock, 1), a_post(clock, 2), a_post(clock, 3, media=MEDIA)
    store(database, broken, huge, good)
    async with agent.test_context() as running:
        await running.put(b'{"id": 7', key=broken.key.encode(), wait=False)
        await running.put(b" " * (2 * 2**20), key=huge.key.encode(), wait=False)
        await running.put(
            PostRecord.from_domain(good).to_bytes(), key=good.key.encode(), wait=False
        )
        await until(lambda: sent.to(topics.INSPECTIONS_BULK))
    with database.read() as connection:
        letters = connection.execute(sa.select(dead_letters)).all()
        ends = dict(connection.execute(sa.select(outcomes.c.post_key, outcomes.c.outcome)).all())
        assert inbox.still_open(connection, [broken.key, huge.key, good.key]) == {good.key}
    assert sorted(letter.reason for letter in letters) == ["invalid_message", "oversized_message"]
    assert ends == {broken.key: "dead", huge.key: "dead"}
    assert len(sent.to(topics.DEAD_LETTERS)) == 2
