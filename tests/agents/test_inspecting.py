"""`agents.inspecting`, with fetcher and examination as fakes."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from agents.examined import Examined
from agents.examining import Left
from agents.inspecting import BATCH_SECONDS, Inspecting, Tries
from agents.media_way import DEPTH_SECONDS, Media
from agents.remembering import Remember, Shown, remember_nothing
from agents.steps.findings import Findings
from agents.steps.remembering import View
from monitors import inbox
from monitors.database import Database
from monitors.tables import outcomes
from streams import topics
from streams.errors import (
    DatabaseUnavailableError,
    EngineError,
    ForbiddenAddressError,
    GalleryStaleError,
    MediaTooLargeError,
    MediaUnavailableError,
    MediaVanishedError,
    StreamError,
    UndecodableMediaError,
)
from streams.media.fetcher import FetchedMedia
from streams.schemas import InspectionRecord, KeywordHitRecord, PostRecord, SightingRecord
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    Evidence,
    Looked,
    Match,
    MediaItem,
    MediaKind,
    Modality,
    Outcome,
    Post,
    PostKey,
    Priority,
    ReferenceId,
)
from tests.agents.pipeline import Sent, a_post, store
from tests.fakes import FakeClock

Behaviour = StreamError | Decision | None


class World:
    """Hosts, decoder, engines and gallery: each address behaves as told."""

    def __init__(self) -> None:
        self.passing: Callable[[], None] = lambda: None
        self.advanced = 0
        self.fetched: list[str] = []
        self.lefts: list[float] = []
        self.matches: list[Match] = []
        self.looked = Looked(kind=MediaKind.IMAGE, frames=1)
        self.at: dict[str, Behaviour] = {}
        self.hangs: set[str] = set()
        self.pages: dict[str, bytes] = {}
        self._bodies: dict[bytes, str] = {}
        self.at_once = self.most_at_once = 0

    async def fetch(self, url: str) -> FetchedMedia:
        self.fetched.append(url)
        self.passing()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(60 if url in self.hangs else 0.001)
        finally:
            self.at_once -= 1
        behaviour = self.at.get(url)
        if isinstance(
            behaviour, MediaUnavailableError | MediaVanishedError | ForbiddenAddressError
        ):
            raise behaviour
        body = self.pages.get(url) or url.encode()
        self._bodies[body] = url
        return FetchedMedia(
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            content_type=None,
            final_url=url,
            status=200,
        )

    async def examine(self, body: bytes, sha256: str, left: Left, most_seconds: float) -> Examined:
        assert sha256 == hashlib.sha256(body).hexdigest()
        self.lefts.append(left())
        behaviour = self.at.get(self._bodies[body])
        if isinstance(behaviour, StreamError):
            raise behaviour
        found = [a_match(behaviour)] if isinstance(behaviour, Decision) else []
        return Examined(
            matches=self.matches or found,
            looked=self.looked,
            findings=Findings(space="s"),
            views=(View(at_seconds=0.0, vector=np.full(4, 0.5, np.float32), pdq=None),),
        )

    def advance(self) -> None:
        self.advanced += 1


def a_match(decision: Decision) -> Match:
    return Match(
        case=CaseId("c"),
        reference=ReferenceId("r"),
        content=ContentId("g"),
        confidence=0.9,
        decision=decision,
        evidence=(Evidence(modality=Modality.FRAME, similarity=0.9),),
    )


def url(number: int) -> str:
    return f"https://h.example/{number}"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def sent() -> Sent:
    return Sent()


Make = Callable[..., Inspecting]


@pytest.fixture
def make(database: Database, sent: Sent, clock: FakeClock, world: World) -> Make:
    def build(timeout_seconds: float = 15.0, remember: Remember = remember_nothing) -> Inspecting:
        return Inspecting(
            "inspect_bulk",
            database=database,
            media=Media(world.fetch, world.examine, world.advance),
            send=sent,
            tries=Tries(attempts=3, retry_seconds=20, timeout_seconds=timeout_seconds),
            clock=clock,
            remember=remember,
        )

    return build


def a_record(post: Post, clock: FakeClock, priority: Priority = Priority.BULK) -> InspectionRecord:
    return InspectionRecord(
        post=PostRecord.from_domain(post), priority=priority, triaged_at=clock.now()
    )


async def run(
    inspecting: Inspecting, clock: FakeClock, *posts: Post, priority: Priority = Priority.BULK
) -> None:
    records = [a_record(post, clock, priority) for post in posts]
    await inspecting.emit(await inspecting.step(records))


def post_with(clock: FakeClock, number: int, *media: int) -> Post:
    return a_post(clock, number, media=tuple(MediaItem(url=url(one)) for one in media))


def ends(database: Database) -> dict[str, tuple[str, str | None]]:
    with database.read() as connection:
        rows = connection.execute(sa.select(outcomes)).all()
    return {row.post_key: (row.outcome, row.reason) for row in rows}


async def test_posts_without_a_match_end_clear(
    make: Make, database: Database, clock: FakeClock, sent: Sent
) -> None:
    posts = [post_with(clock, 1, 1), post_with(clock, 2, 2, 3)]
    store(database, *posts)
    await run(make(), clock, *posts)
    assert ends(database) == {post.key: ("clear", None) for post in posts}
    assert sent.records == []
    with database.read() as connection:
        assert inbox.waiting(connection).posts == 0


async def test_what_posts_showed_is_kept_before_they_end_or_go_on(
    make: Make, database: Database, clock: FakeClock, sent: Sent, world: World
) -> None:
    clear, sighted, late = (post_with(clock, n, n, n + 10) for n in (1, 2, 3))
    world.at = {
        url(2): Decision.ALERT,
        url(11): MediaVanishedError(),
        url(13): MediaUnavailableError(),
    }
    kept: list[tuple[PostKey, list[tuple[int, str, int]]]] = []
    away = True

    async def remember(posts: Sequence[tuple[Post, Sequence[Shown]]]) -> None:
        if away:
            raise DatabaseUnavailableError
        assert (ends(database), sent.records) == ({}, [])
        for post, shown in posts:
            some = [(one.result.index, one.space, len(one.views)) for one in shown]
            kept.append((post.key, some))

    store(database, clear, sighted, late)
    inspecting = make(remember=remember)
    found = await inspecting.step([a_record(post, clock) for post in (clear, sighted, late)])
    with pytest.raises(DatabaseUnavailableError):
        await inspecting.emit(found)
    assert (ends(database), sent.records) == ({}, [])
    away = False
    await inspecting.emit(found)
    assert kept == [(clear.key, [(0, "s", 1)]), (sighted.key, [(0, "s", 1), (1, "s", 1)])]
    assert set(ends(database)) == {clear.key}
    assert len(sent.records) == 1


@pytest.mark.parametrize("decision", [Decision.ALERT, Decision.REVIEW])
async def test_a_post_with_a_match_goes_on_and_does_not_end_here(
    make: Make,
    database: Database,
    clock: FakeClock,
    sent: Sent,
    world: World,
    decision: Decision,
) -> None:
    post = post_with(clock, 1, 1, 2)
    world.at[url(2)] = decision
    store(database, post)
    await run(make(), clock, post)
    assert ends(database) == {}
    [(key, value)] = sent.to(topics.SIGHTINGS)
    sighting = SightingRecord.from_bytes(value).to_domain()
    assert (key, sighting.post) == (post.key, post)
    assert [one.outcome for one in sighting.results] == [Outcome.CLEAR, Outcome.SIGHTED]
    assert sighting.results[1].matches == (a_match(decision),)


async def test_a_match_that_nobody_shall_see_ends_clear(
    make: Make, database: Database, clock: FakeClock, sent: Sent, world: World
) -> None:
    post = post_with(clock, 1, 1)
    world.at[url(1)] = Decision.NONE
    store(database, post)
    await run(make(), clock, post)
    assert ends(database) == {post.key: ("clear", None)}
    assert sent.records == []


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (MediaVanishedError(), ("vanished", "media_vanished")),
        (ForbiddenAddressError(), ("refused", "forbidden_address")),
        (MediaTooLargeError(), ("refused", "media_too_large")),
        (UndecodableMediaError(), ("unreadable", "undecodable_media")),
    ],
)
async def test_what_cannot_be_inspected_is_a_counted_outcome(
    make: Make,
    database: Database,
    clock: FakeClock,
    world: World,
    error: StreamError,
    end: tuple[str, str],
) -> None:
    whole, partly = post_with(clock, 1, 1), post_with(clock, 2, 1, 2)
    world.at[url(1)] = error
    store(database, whole, partly)
    await run(make(), clock, whole, partly)
    assert ends(database) == {whole.key: end, partly.key: (end[0], f"partly_{end[1]}")}


async def test_an_undelivered_medium_is_tried_again_later_and_not_for_ever(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    post = post_with(clock, 1, 1)
    world.at[url(1)] = MediaUnavailableError("503")
    store(database, post)
    inspecting = make()
    for wait in (20, 40):
        await run(inspecting, clock, post)
        assert ends(database) == {}
        with database.read() as connection:
            soon = clock.now() + timedelta(seconds=wait - 1)
            assert inbox.take_due(connection, soon, limit=9) == []
        clock.advance(wait)
        with database.write() as connection:
            [due] = inbox.take_due(connection, clock.now(), limit=9)
            inbox.mark_produced(connection, [due.key], clock.now())
    await run(inspecting, clock, post)
    assert ends(database) == {post.key: ("vanished", "host_unreachable")}


async def test_a_host_that_asks_for_time_gets_it(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    post = post_with(clock, 1, 1)
    world.at[url(1)] = MediaUnavailableError("429", retry_after_seconds=90)
    store(database, post)
    await run(make(), clock, post)
    with database.read() as connection:
        assert not inbox.take_due(connection, clock.now() + timedelta(seconds=89), limit=9)
        assert inbox.take_due(connection, clock.now() + timedelta(seconds=90), limit=9)


async def test_a_match_does_not_wait_for_another_mediums_host(
    make: Make, database: Database, clock: FakeClock, world: World, sent: Sent
) -> None:
    post = post_with(clock, 1, 1, 2)
    world.at[url(1)], world.at[url(2)] = MediaUnavailableError(), Decision.ALERT
    store(database, post)
    await run(make(), clock, post)
    [(_, value)] = sent.to(topics.SIGHTINGS)
    results = SightingRecord.from_bytes(value).to_domain().results
    assert [one.outcome for one in results] == [Outcome.VANISHED, Outcome.SIGHTED]


async def test_a_slow_host_does_not_hold_up_its_batch(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    slow, quick = post_with(clock, 1, 1), post_with(clock, 2, 2)
    world.hangs.add(url(1))
    store(database, slow, quick)
    async with asyncio.timeout(5):
        await run(make(timeout_seconds=0.2), clock, slow, quick)
    assert ends(database) == {quick.key: ("clear", None)}


async def test_fifty_media_of_a_post_are_fetched_at_once_but_not_all(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    post = post_with(clock, 1, *range(50))
    store(database, post)
    await run(make(), clock, post)
    assert ends(database) == {post.key: ("clear", None)}
    assert len(world.fetched) == 50
    assert 8 < world.most_at_once <= 24


async def test_what_was_looked_at_travels_with_the_sighting(
    make: Make, database: Database, clock: FakeClock, world: World, sent: Sent
) -> None:
    post = post_with(clock, 1, 1)
    world.at[url(1)] = Decision.REVIEW
    world.looked = Looked(
        kind=MediaKind.VIDEO,
        seconds=90.5,
        until_seconds=90,
        frames=45,
        skipped=("faces:decided", "speech:no_time"),
        nudity=0.25,
    )
    store(database, post)
    await run(make(), clock, post)
    [(_, value)] = sent.to(topics.SIGHTINGS)
    [result] = SightingRecord.from_bytes(value).to_domain().results
    assert (result.outcome, result.reason, result.looked) == (
        Outcome.SIGHTED,
        None,
        world.looked,
    )


@pytest.mark.parametrize(
    "looked",
    [
        Looked(kind=MediaKind.VIDEO, seconds=900, until_seconds=120),
        Looked(kind=MediaKind.IMAGE, skipped=("lettering:no_time",)),
    ],
)
async def test_a_post_that_is_clear_as_far_as_it_was_looked_at_says_so(
    make: Make, database: Database, clock: FakeClock, world: World, looked: Looked
) -> None:
    post = post_with(clock, 1, 1)
    world.looked = looked
    store(database, post)
    await run(make(), clock, post)
    assert ends(database) == {post.key: ("clear", "partly_looked")}


async def test_a_medium_may_go_deeper_for_the_batchs_time_and_a_little_more(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    posts = [post_with(clock, 1, 1), post_with(clock, 2, 2)]
    world.passing = lambda: clock.advance(BATCH_SECONDS - 1)
    store(database, *posts)
    await run(make(), clock, *posts)
    passed = 2 * (BATCH_SECONDS - 1)
    assert world.lefts == [BATCH_SECONDS + DEPTH_SECONDS - passed] * 2
    world.passing = lambda: clock.advance(5)
    post = post_with(clock, 3, 3)
    store(database, post)
    await run(make(), clock, post)
    assert world.lefts[2:] == [BATCH_SECONDS - 5 + DEPTH_SECONDS]


async def test_what_is_left_for_going_deeper_runs_out(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    post = post_with(clock, 1, 1)
    store(database, post)
    told: list[float] = []

    async def examine(body: bytes, sha256: str, left: Left, most_seconds: float) -> Examined:
        clock.advance(BATCH_SECONDS + DEPTH_SECONDS / 2)
        told.append(left())
        clock.advance(DEPTH_SECONDS)
        told.append(left())
        return await World.examine(world, body, sha256, left, most_seconds)

    world.examine = examine  # type: ignore[method-assign]
    await run(make(), clock, post)
    assert told == [DEPTH_SECONDS / 2, 0]


@pytest.mark.parametrize("error", [EngineError("gone"), GalleryStaleError("old")])
async def test_what_will_pass_is_raised_for_the_shell_to_retry_and_ends_nothing(
    make: Make, database: Database, clock: FakeClock, world: World, error: StreamError
) -> None:
    good, bad = post_with(clock, 1, 1), post_with(clock, 2, 2)
    world.at[url(2)] = error
    store(database, good, bad)
    with pytest.raises(type(error)):
        await run(make(), clock, good, bad)
    assert ends(database) == {}


async def test_a_post_that_ended_meanwhile_is_not_fetched(
    make: Make, clock: FakeClock, world: World
) -> None:
    await run(make(), clock, post_with(clock, 1, 1))
    assert world.fetched == []


async def test_a_post_of_many_slow_media_neither_keeps_others_from_their_turn_nor_lasts(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    slow, quick = post_with(clock, 1, *range(100, 200)), post_with(clock, 2, 1)
    world.passing = lambda: clock.advance(BATCH_SECONDS / 30)
    store(database, slow, quick)
    inspecting = make()
    await run(inspecting, clock, slow, quick)
    assert ends(database) == {quick.key: ("clear", None)}
    assert world.fetched[1] == url(1)
    assert len(world.fetched) == world.advanced < 60
    await run(inspecting, clock, slow)
    assert world.fetched[-1] != url(199)
    assert url(199) in world.fetched
    await run(inspecting, clock, slow)
    assert ends(database)[slow.key] == ("shed", "partly_out_of_time")


async def test_a_post_that_had_to_wait_for_others_has_lost_no_try(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    first, other = post_with(clock, 1, 1), post_with(clock, 2, 2)
    world.passing = lambda: clock.advance(BATCH_SECONDS)
    store(database, first, other)
    media = 30  # more than are looked at at once: the last ones meet the end of the batch's time
    crowd = [post_with(clock, 10 + number, 10 + number) for number in range(media)]
    store(database, *crowd)
    await run(make(), clock, first, *crowd, other)
    assert other.key not in ends(database)
    with database.read() as connection:
        assert inbox.attempts(connection, [other.key]) == {other.key: 0}
        due = inbox.take_due(connection, clock.now() + timedelta(seconds=1), limit=99)
    assert other.key in {one.key for one in due}


async def test_a_medium_that_keeps_its_examination_busy_is_left_for_another_try(
    make: Make,
    database: Database,
    clock: FakeClock,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(_body: bytes, _sha256: str, _left: Left, most_seconds: float) -> Examined:
        async with asyncio.timeout(most_seconds):
            await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(world, "examine", hang)
    monkeypatch.setattr("agents.media_way.EXAMINE_SECONDS", 0.05)
    world.passing = lambda: clock.advance(BATCH_SECONDS)
    post = post_with(clock, 1, 1)
    store(database, post)
    async with asyncio.timeout(5):
        await run(make(), clock, post)
    assert ends(database) == {}
    with database.read() as connection:
        assert inbox.attempts(connection, [post.key]) == {post.key: 1}


async def test_a_sighting_carries_no_words_and_fits_the_broker(
    make: Make, database: Database, clock: FakeClock, world: World, sent: Sent
) -> None:
    media = tuple(
        MediaItem(url="https://h.example/" + "x" * 3900 + f"/{number}", alt_text="words " * 50)
        for number in range(100)
    )
    post = a_post(clock, 1, media=media, text="words " * 10_000)
    many = [replace(a_match(Decision.ALERT), case=CaseId("c" * 32)) for _ in range(40)]
    world.matches = many
    store(database, post)
    record = a_record(post, clock)
    hits = tuple(KeywordHitRecord(case=case, keyword="k", similarity=1) for case in ("c" * 32, "d"))
    inspecting = make()
    await inspecting.emit(await inspecting.step([record.model_copy(update={"hits": hits})]))
    [(_, value)] = sent.to(topics.SIGHTINGS)
    assert b"words" not in value
    assert len(value) < 900_000
    sighting = SightingRecord.from_bytes(value).to_domain()
    assert [hit.case for hit in sighting.hits] == ["c" * 32]
    assert [item.url for item in sighting.post.media] == [item.url for item in media]


def linking(clock: FakeClock, *kinds: MediaKind) -> Post:
    media = tuple(MediaItem(url=url(at), kind=kind) for at, kind in enumerate(kinds, 1))
    return a_post(clock, 1, media=media)


def a_page(*numbers: int) -> bytes:
    return b"<!doctype html>" + b"".join(b"<img src='/%d'>" % number for number in numbers)


async def test_what_a_page_names_is_inspected_as_the_posts_own_media(
    make: Make, database: Database, clock: FakeClock, world: World, sent: Sent
) -> None:
    post = linking(clock, MediaKind.PAGE, MediaKind.IMAGE)
    world.pages[url(1)] = a_page(2, 11, 12)
    world.at[url(12)] = Decision.ALERT
    store(database, post)
    await run(make(), clock, post)
    [(_, value)] = sent.to(topics.SIGHTINGS)
    sighting = SightingRecord.from_bytes(value).to_domain()
    assert [item.url for item in sighting.post.media] == [url(11), url(2), url(12)]
    assert [one.index for one in sighting.results] == [0, 1, 2]
    assert [one.outcome for one in sighting.results][2] is Outcome.SIGHTED
    assert sighting.post.key == post.key
    assert sorted(world.fetched) == sorted([url(1), url(2), url(11), url(12)])


async def test_a_page_named_by_a_page_is_not_read(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    post = linking(clock, MediaKind.PAGE)
    world.pages |= {url(1): a_page(11), url(11): a_page(12)}
    world.at[url(11)] = UndecodableMediaError()
    world._bodies[a_page(12)] = url(11)
    store(database, post)
    await run(make(), clock, post)
    assert world.fetched == [url(1), url(11)]
    assert ends(database) == {post.key: ("unreadable", "undecodable_media")}


async def test_a_page_that_is_a_picture_is_one(
    make: Make, database: Database, clock: FakeClock, world: World, sent: Sent
) -> None:
    post = linking(clock, MediaKind.PAGE)
    world.at[url(1)] = Decision.ALERT
    store(database, post)
    await run(make(), clock, post)
    assert len(sent.to(topics.SIGHTINGS)) == 1


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (None, ("clear", "page_without_media")),
        (MediaVanishedError(), ("vanished", "media_vanished")),
        (ForbiddenAddressError(), ("refused", "forbidden_address")),
    ],
)
async def test_a_page_without_media_or_that_fails_has_its_outcome(
    make: Make,
    database: Database,
    clock: FakeClock,
    world: World,
    error: StreamError | None,
    end: tuple[str, str],
) -> None:
    post = linking(clock, MediaKind.PAGE)
    world.pages[url(1)] = a_page()
    world.at[url(1)] = error
    store(database, post)
    await run(make(), clock, post)
    assert ends(database) == {post.key: end}


async def test_a_page_or_what_it_names_is_asked_for_again_where_it_does_not_come(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    post = linking(clock, MediaKind.PAGE)
    world.pages[url(1)] = a_page(11)
    world.at[url(11)] = MediaUnavailableError("503")
    store(database, post)
    await run(make(), clock, post)
    assert ends(database) == {}
    world.at[url(11)], world.at[url(1)] = None, MediaUnavailableError("503")
    await run(make(), clock, post)
    assert ends(database) == {}
    world.at[url(1)] = None
    await run(make(), clock, post)
    assert ends(database) == {post.key: ("clear", None)}


async def test_a_link_is_followed_only_where_the_post_is_urgent(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    only, mixed = linking(clock, MediaKind.LINK), post_with(clock, 2, 2)
    link = MediaItem(url=url(1), kind=MediaKind.LINK)
    mixed = replace(mixed, media=(link, *mixed.media))
    world.pages[url(1)] = a_page(11)
    store(database, only, mixed)
    await run(make(), clock, only, mixed)
    assert world.fetched == [url(2)]
    assert ends(database) == {only.key: ("clear", "links_not_followed"), mixed.key: ("clear", None)}


async def test_an_urgent_posts_link_is_a_page(
    make: Make, database: Database, clock: FakeClock, world: World
) -> None:
    post = linking(clock, MediaKind.LINK)
    world.pages[url(1)] = a_page(11)
    store(database, post)
    await run(make(), clock, post, priority=Priority.URGENT)
    assert world.fetched == [url(1), url(11)]
    assert ends(database) == {post.key: ("clear", None)}


async def test_pages_full_of_pictures_do_not_make_a_post_larger_than_one_may_be(
    make: Make, database: Database, clock: FakeClock, world: World, sent: Sent
) -> None:
    post = linking(clock, *[MediaKind.PAGE] * 20)
    for at in range(1, 21):
        world.pages[url(at)] = a_page(*range(at * 1000, at * 1000 + 30))
    world.at[url(1000)] = Decision.ALERT
    store(database, post)
    await run(make(), clock, post)
    [(_, value)] = sent.to(topics.SIGHTINGS)
    assert len(SightingRecord.from_bytes(value).to_domain().post.media) == 100
