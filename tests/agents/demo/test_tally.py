"""The demo's numbers are what the database says, held against the truth."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from rich.console import Console

from agents.demo.plan import Kind, PlannedPost, Planted
from agents.demo.stream import build_stream
from agents.demo.tally import Located, Tally, build_table, judge, percentile, read_tally
from monitors import tables
from monitors.database import Database
from monitors.migrate import open_database
from streams.schemas import post_key
from streams.settings import Settings
from streams.types import CaseId, ContentId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RIVER, MAPLE = (CaseId("c1"), ContentId("g1")), (CaseId("c1"), ContentId("g2"))
ENROLLED = {("river", "a.jpg"): RIVER, ("river", "b.jpg"): MAPLE}


def planted(edit: str, reference: str = "a.jpg") -> tuple[Planted, ...]:
    return (Planted(case="river", reference=reference, edit=edit),)


POSTS = (
    PlannedPost(id="found", board=1, text="", media=("a",), planted=planted("crop")),
    PlannedPost(id="found-too", board=1, text="", media=("a",), planted=planted("crop", "b.jpg")),
    PlannedPost(id="missed", board=1, text="", media=("a",), planted=planted("blur")),
    PlannedPost(id="wrong-content", board=1, text="", media=("a",), planted=planted("blur")),
    PlannedPost(id="false-alarm", board=1, text="", media=("b",)),
    PlannedPost(id="clear", board=1, text="", media=("c",)),
)
STREAM = replace(build_stream(1), posts=POSTS, seed=11)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path))
    with database.write() as connection:
        connection.execute(
            sa.insert(tables.cases).values(
                id="c1",
                alias="river",
                age_class="adult",
                legal_basis="victim_request",
                status="open",
                opened_at=NOW,
            )
        )
        for content in ("g1", "g2"):
            connection.execute(
                sa.insert(tables.contents).values(id=content, case_id="c1", created_at=NOW)
            )
            connection.execute(
                sa.insert(tables.tasks).values(
                    id=f"t-{content}",
                    case_id="c1",
                    content_id=content,
                    host="board-1.example",
                    status="open",
                    severity="high",
                    decision="alert",
                    confidence=1,
                    opened_at=NOW,
                    updated_at=NOW,
                    observed_at=NOW,
                )
            )
        for post in POSTS:
            add_outcome(
                connection, post.id, "clear" if post.id in ("clear", "missed") else "sighted"
            )
        for number, (post_id, content) in enumerate(
            [("found", "g1"), ("found-too", "g2"), ("wrong-content", "g2"), ("false-alarm", "g1")]
        ):
            add_location(connection, post_id, content, seconds=number + 1)
    yield database
    database.close()


def add_outcome(connection: sa.Connection, post_id: str, outcome: str) -> None:
    reason = "no_media" if post_id == "clear" else None
    connection.execute(
        sa.insert(tables.outcomes).values(
            post_key=post_key("replay", post_id),
            source="replay",
            outcome=outcome,
            reason=reason,
            media=1,
            observed_at=NOW,
            ended_at=NOW,
        )
    )


def add_location(
    connection: sa.Connection, post_id: str, content: str, *, seconds: float, medium: int = 0
) -> None:
    connection.execute(
        sa.insert(tables.locations).values(
            id=f"{post_id}-{medium}",
            task_id=f"t-{content}",
            post_key=post_key("replay", post_id),
            medium=medium,
            source="replay",
            post_id=post_id,
            post_url="https://board-1.example/x",
            media_url="https://board-1.example/x.jpg",
            reference_id="r",
            confidence=1,
            decision="alert",
            evidence=[],
            observed_at=NOW,
            triaged_at=NOW,
            inspected_at=NOW,
            decided_at=NOW + timedelta(seconds=seconds),
        )
    )


def test_posts_are_held_against_the_truth(database: Database) -> None:
    tally = read_tally(database, STREAM, ENROLLED)
    assert (tally.planted, tally.found, tally.false_alarms) == (4, 2, 2)
    assert (tally.posts, tally.ended, tally.tasks) == (6, 6, 2)
    assert tally.outcomes == {"clear": 2, "sighted": 4}
    assert tally.reasons == {("clear", "no_media"): 1}
    assert tally.by_edit == {"crop": (2, 2), "blur": (0, 2)}
    assert tally.by_kind == {Kind.PICTURE: (2, 4)}
    assert sorted(tally.seconds) == [1, 2, 3, 4]


def test_what_a_copy_shows_besides_is_no_false_alarm() -> None:
    both = Planted(case="river", reference="a.jpg", edit="crop", also=("b.jpg",))
    post = PlannedPost(id="p", board=1, text="", media=("a",), planted=(both,))
    located = {post_key("replay", "p"): Located(contents=frozenset({MAPLE}), seconds=1.0)}
    assert judge(post, ENROLLED, located) == (True, False)
    assert judge(replace(post, planted=planted("crop")), ENROLLED, located) == (False, True)


def test_a_post_with_several_locations_counts_once_from_its_first(database: Database) -> None:
    with database.write() as connection:
        add_location(connection, "found", "g1", seconds=90, medium=1)
    tally = read_tally(database, STREAM, ENROLLED)
    assert tally.found == 2
    assert sorted(tally.seconds) == [1, 2, 3, 4]


def test_a_planted_post_that_also_holds_something_else_is_found_and_a_false_alarm(
    database: Database,
) -> None:
    with database.write() as connection:
        add_location(connection, "found", "g2", seconds=90, medium=1)
    tally = read_tally(database, STREAM, ENROLLED)
    assert (tally.found, tally.false_alarms) == (2, 3)


def test_the_last_line_has_exactly_the_keys_that_are_relied_upon(database: Database) -> None:
    assert json.loads(read_tally(database, STREAM, ENROLLED).to_json()) == {
        "seed": 11,
        "posts": 6,
        "outcomes": {"clear": 2, "sighted": 4},
        "planted": 4,
        "found": 2,
        "false_alarms": 2,
        "tasks": 2,
        "observed_to_task_seconds": {"p50": 2.0, "p95": 4.0, "p99": 4.0},
    }


def tally_of(**values: object) -> Tally:
    good = Tally(
        seed=1,
        posts=100,
        outcomes={"clear": 80, "sighted": 20},
        reasons={},
        planted=20,
        found=18,
        false_alarms=0,
        tasks=5,
        seconds=[1.0],
        by_edit={},
    )
    return replace(good, **values)  # type: ignore[arg-type]


def test_nine_tenths_without_a_false_alarm_are_good() -> None:
    assert tally_of().is_good


@pytest.mark.parametrize(
    "values", [{"found": 17}, {"false_alarms": 1}, {"outcomes": {"clear": 79, "sighted": 20}}]
)
def test_a_miss_too_many_a_false_alarm_or_a_post_without_outcome_is_not_good(
    values: dict[str, object],
) -> None:
    assert not tally_of(**values).is_good


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (50, 95, 99)] == [50, 95, 99]
    assert percentile([3.0], 50) == 3
    assert percentile([], 50) is None


def test_a_post_that_nothing_holds_is_neither_found_nor_wrong() -> None:
    assert judge(POSTS[0], ENROLLED, {}) == (False, False)


def test_the_table_shows_what_was_found_and_how_fast() -> None:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(build_table(tally_of(seconds=[12.0]), 180))
        shown = console.export_text()
    for words in ("18 (90%)", "0 of 80 posts", "12.0 s of 180 s"):
        assert words in shown
