"""`alerts.tasks`: exactly one task a key, however sightings come."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from alerts.severity import Severity, severity_of
from alerts.sightings import record_sighting
from alerts.tasks import ENDED, Desk, Opened, location_id, task_id
from monitors.cases import AgeClass
from monitors.database import Database
from monitors.tables import cases, deliveries, locations, metadata, outbox, tasks
from streams.types import Decision, Match, Sighting
from tests.alerts.rows import add_case, add_content, content_of, identifier, match_of, sighting_of
from tests.fakes import FakeClock

LINK = "https://console.example"
MINUTE = timedelta(minutes=1)


def record(
    database: Database, sighting: Sighting, now: datetime, endpoints: int = 1
) -> tuple[Opened, ...]:
    desk = Desk(database=database, endpoints=endpoints, console_link=LINK)
    with database.write() as connection:
        return record_sighting(connection, sighting, desk, now).opened


def all_of(database: Database, table: sa.Table) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(table)))


def only_task(database: Database) -> Any:
    (task,) = all_of(database, tasks)
    return task


def events(database: Database) -> list[str]:
    return sorted(row.event for row in all_of(database, outbox))


def a_match(database: Database, now: datetime, **case: Any) -> Match:
    with database.write() as connection:
        return match_of(*add_case(connection, now, **case))


def test_a_sighting_opens_a_task_with_its_location_and_its_event(
    database: Database, clock: FakeClock
) -> None:
    match = a_match(database, clock.now())
    sighting = sighting_of((), (match,), now=clock.now(), hits=(match.case,))
    (opened,) = record(database, sighting, clock.now(), endpoints=2)
    assert opened == Opened(
        task=task_id(match.case, match.content, "example.com"),
        severity=Severity.CRITICAL,
        new=True,
    )
    task = only_task(database)
    assert (task.id, task.host, task.status) == (opened.task, "example.com", "new")
    assert (task.confidence, task.decision) == (0.93, "alert")
    assert task.observed_at == sighting.post.observed_at
    assert task.opened_at == task.updated_at == clock.now()
    (location,) = all_of(database, locations)
    assert location.id == location_id(opened.task, sighting.post.key, 1)
    assert location.post_url == "https://www.example.com/posts/1"
    assert location.media_url == "https://cdn.example.net/1/1.jpg"
    assert location.media_sha256 == sighting.results[1].sha256
    (event,) = all_of(database, outbox)
    assert (event.event, event.created_at) == ("task.opened", clock.now())
    assert len(all_of(database, deliveries)) == 2


def test_evidence_is_numbers_and_words_and_a_payload_leads_to_the_console_alone(
    database: Database, clock: FakeClock
) -> None:
    match = a_match(database, clock.now())
    sighting = sighting_of((match,), now=clock.now(), hits=(match.case,))
    record(database, sighting, clock.now())
    (location,) = all_of(database, locations)
    frame, fingerprint, text = location.evidence
    assert frame == {
        "modality": "frame",
        "similarity": 0.81,
        "reason": "same picture by its embedding",
        "query_box": [0.12, 0.2, 0.8, 0.9],
        "space": "sscd/1/openvino/f32",
    }
    assert set(fingerprint) == {"modality", "similarity", "reason"}
    assert (text["modality"], text["keyword_hits"]) == ("text", 1)
    (event,) = all_of(database, outbox)
    with database.read() as connection:
        alias = connection.execute(sa.select(cases.c.alias)).scalar_one()
    secrets = [
        sighting.post.url, sighting.post.media[0].url, "example.com", "example.net",
        sighting.post.text, "@uploader", alias, match.case, match.reference,
    ]  # fmt: skip
    told = json.dumps(event.payload)
    assert not [secret for secret in secrets if secret in told]
    assert not [secret for secret in secrets if secret in json.dumps(location.evidence)]
    assert event.payload["data"]["link"] == f"{LINK}/tasks/{event.task_id}"
    assert event.payload["data"]["observed_at"] == sighting.post.observed_at.isoformat()
    assert len(told) < 20_000


def test_the_same_sighting_again_changes_nothing(database: Database, clock: FakeClock) -> None:
    match = a_match(database, clock.now())
    sighting = sighting_of((match,), now=clock.now())
    record(database, sighting, clock.now())
    before = [all_of(database, table) for table in (tasks, locations, outbox, deliveries)]
    clock.advance(60)
    (again,) = record(database, sighting, clock.now())
    assert not again.new
    assert [all_of(database, t) for t in (tasks, locations, outbox, deliveries)] == before


@pytest.mark.parametrize(
    "case",
    [
        {"status": "withdrawn"},
        {"status": "closed"},
        {"expires_at": datetime(2026, 11, 23, 12, tzinfo=UTC)},
        {"legal_basis": "minor_proactive"},  # of an adult
    ],
)
def test_a_case_without_a_legal_basis_gets_nothing(
    database: Database, clock: FakeClock, case: dict[str, Any]
) -> None:
    unlawful = a_match(database, clock.now(), number=1, **case)
    lawful = a_match(database, clock.now(), number=2)
    assert record(database, sighting_of((unlawful,), now=clock.now()), clock.now()) == ()
    both = sighting_of((unlawful, lawful), now=clock.now())
    assert len(record(database, both, clock.now())) == 1
    assert only_task(database).case_id == lawful.case
    assert len(all_of(database, locations)) == len(all_of(database, outbox)) == 1


def test_a_match_that_was_decided_against_opens_nothing(
    database: Database, clock: FakeClock
) -> None:
    match = a_match(database, clock.now())
    none = match_of(match.case, match.content, decision=Decision.NONE)
    assert record(database, sighting_of((none,), (), now=clock.now()), clock.now()) == ()
    assert not all_of(database, tasks)


def test_posts_of_one_service_share_a_task_and_other_services_have_their_own(
    database: Database, clock: FakeClock
) -> None:
    match = a_match(database, clock.now())
    for post, host in enumerate(["www.example.com", "m.example.com:8443", "example.org"]):
        record(
            database, sighting_of((match,), now=clock.now(), post=str(post), host=host), clock.now()
        )
    places = Counter(row.task_id for row in all_of(database, locations))
    assert sorted(places.values()) == [1, 2]
    assert {row.host for row in all_of(database, tasks)} == {"example.com", "example.org"}


def test_one_post_may_hold_several_cases(database: Database, clock: FakeClock) -> None:
    matches = [a_match(database, clock.now(), number=n) for n in range(3)]
    opened = record(database, sighting_of(tuple(matches), now=clock.now()), clock.now())
    assert {one.task for one in opened} == {
        task_id(m.case, m.content, "example.com") for m in matches
    }
    assert all(one.new for one in opened)


def test_several_media_of_a_post_are_locations_of_one_task(
    database: Database, clock: FakeClock
) -> None:
    sure = a_match(database, clock.now())
    unsure = match_of(sure.case, sure.content, decision=Decision.REVIEW, confidence=0.4)
    (opened,) = record(database, sighting_of((unsure,), (), (sure,), now=clock.now()), clock.now())
    assert opened.severity is Severity.HIGH
    assert only_task(database).confidence == sure.confidence
    assert sorted(row.medium for row in all_of(database, locations)) == [0, 2]


def test_the_surest_of_two_references_of_a_group_stands_for_the_medium(
    database: Database, clock: FakeClock
) -> None:
    sure = a_match(database, clock.now())
    unsure = match_of(sure.case, sure.content, confidence=0.7)
    record(database, sighting_of((unsure, sure), now=clock.now()), clock.now())
    (location,) = all_of(database, locations)
    assert location.confidence == only_task(database).confidence == sure.confidence


def test_levels_only_rise_and_a_rise_is_told_once(database: Database, clock: FakeClock) -> None:
    sure = a_match(database, clock.now())
    unsure = match_of(sure.case, sure.content, decision=Decision.REVIEW, confidence=0.4)
    levels = []
    for post, match in enumerate([unsure, sure, unsure, sure]):
        clock.advance(60)
        (opened,) = record(
            database, sighting_of((match,), now=clock.now(), post=str(post)), clock.now()
        )
        levels.append(opened.severity)
    task = only_task(database)
    assert levels == [Severity.LOW, Severity.HIGH, Severity.HIGH, Severity.HIGH]
    assert (task.severity, task.decision, task.confidence) == ("high", "alert", 0.93)
    assert task.updated_at == clock.now()
    assert task.opened_at == clock.now() - 3 * MINUTE
    assert events(database) == ["task.opened", "task.severity_raised"]
    raised = next(row for row in all_of(database, outbox) if row.event != "task.opened")
    assert raised.payload["data"]["severity"] == "high"
    assert raised.payload["data"]["opened_at"] == task.opened_at.isoformat()


def set_status(database: Database, status: str) -> None:
    with database.write() as connection:
        connection.execute(sa.update(tasks).values(status=status))


@pytest.mark.parametrize("ended", sorted(ENDED))
def test_a_copy_that_returns_reopens_its_task(
    database: Database, clock: FakeClock, ended: str
) -> None:
    match = a_match(database, clock.now())
    first = sighting_of((match,), now=clock.now(), post="0")
    record(database, first, clock.now())
    for turn in (1, 2):
        set_status(database, ended)
        record(database, first, clock.now())
        assert only_task(database).status == ended, "the same post again is no return"
        copy = sighting_of((match,), now=clock.now(), post=str(turn))
        for _ in range(2):
            (opened,) = record(database, copy, clock.now())
            assert not opened.new
            task = only_task(database)
            assert (task.status, task.reappeared) == ("reappeared", turn)
    assert events(database) == ["task.opened", "task.reappeared", "task.reappeared"]


def test_a_rollback_keeps_nothing(database: Database, clock: FakeClock) -> None:
    match = a_match(database, clock.now())
    sighting = sighting_of((match,), now=clock.now())

    def fail_afterwards() -> None:
        with database.write() as connection:
            desk = Desk(database=database, endpoints=1, console_link=LINK)
            record_sighting(connection, sighting, desk, clock.now())
            raise RuntimeError("the rest of the transaction failed")

    with pytest.raises(RuntimeError):
        fail_afterwards()
    for table in (tasks, locations, outbox, deliveries):
        assert not all_of(database, table)
    assert record(database, sighting, clock.now())[0].new


def test_writers_at_once_open_each_task_exactly_once(database: Database, clock: FakeClock) -> None:
    matches = [a_match(database, clock.now(), number=n) for n in range(3)]
    sightings = [
        sighting_of(
            (matches[post % 3], matches[(post + 1) % 3]), now=clock.now(), post=str(post // 2)
        )
        for post in range(12)
    ]
    opened: list[Opened] = []
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def work(order: int) -> None:
        own = Database(database.url)
        try:
            start.wait(20)
            for sighting in sightings[order:] + sightings[:order]:
                opened.extend(record(own, sighting, clock.now()))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work, args=(3 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(all_of(database, tasks)) == 3
    new = Counter(one.task for one in opened if one.new)
    assert sorted(new.values()) == [1, 1, 1]
    assert events(database) == ["task.opened"] * 3
    expected = {
        location_id(task_id(m.case, m.content, "example.com"), s.post.key, r.index)
        for s in sightings
        for r in s.results
        for m in r.matches
    }
    assert {row.id for row in all_of(database, locations)} == expected


# Sequences of sightings against a model that is nothing but dictionaries.


Key: TypeAlias = tuple[str, str, str]


@dataclass
class Model:
    """What the tables must say."""

    tasks: dict[Key, dict[str, Any]] = field(default_factory=dict)
    locations: set[tuple[str, str, str, str, int]] = field(default_factory=set)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)

    def see(self, sighting: Sighting, ages: dict[str, AgeClass], host: str) -> None:
        seen: dict[Key, list[tuple[int, Match]]] = {}
        for result in sighting.results:
            for match in result.matches:
                if match.decision is not Decision.NONE and match.case in ages:
                    place: Key = (match.case, match.content, host)
                    seen.setdefault(place, []).append((result.index, match))
        for key, matches in seen.items():
            hits = sum(hit.case == key[0] for hit in sighting.hits)
            levels = [severity_of(ages[key[0]], m.decision, keyword_hits=hits) for _, m in matches]
            places = {(*key, sighting.post.key, index) for index, _ in matches}
            self._take(
                key,
                min(levels, key=lambda s: s.rank),
                max(m.confidence for _, m in matches),
                fresh=bool(places - self.locations),
            )
            self.locations |= places

    def _take(self, key: Key, severity: Severity, confidence: float, *, fresh: bool) -> None:
        task = self.tasks.get(key)
        name = task_id(*key)
        if task is None:
            self.tasks[key] = {
                "severity": severity, "confidence": confidence, "status": "new", "reappeared": 0,
            }  # fmt: skip
            self.events[name, "task.opened"] += 1
            return
        is_worse = severity.rank < task["severity"].rank
        if fresh and task["status"] in ENDED:
            task["status"], task["reappeared"] = "reappeared", task["reappeared"] + 1
            self.events[name, "task.reappeared"] += 1
        elif is_worse:
            self.events[name, "task.severity_raised"] += 1
        task["severity"] = severity if is_worse else task["severity"]
        task["confidence"] = max(task["confidence"], confidence)


AGES = (AgeClass.ADULT, AgeClass.UNKNOWN, AgeClass.MINOR)
WHOSE = st.sampled_from([0, 0, 0, 0, 1, 2, 3])  # the case; number 3 has no legal basis
MATCHES = st.tuples(
    WHOSE,
    st.sampled_from([0, 0, 0, 1]),  # its content
    st.sampled_from([Decision.ALERT, Decision.REVIEW, Decision.REVIEW, Decision.NONE]),
    st.sampled_from([0.2, 0.5, 0.9]),
)
MEDIA = st.lists(MATCHES, min_size=1, max_size=2, unique_by=lambda m: m[:2])
SEEN = st.tuples(
    st.just("see"),
    st.lists(MEDIA, min_size=1, max_size=2),
    st.integers(0, 2),  # the post
    st.sampled_from(["a.example.com", "b.example.com:81", "example.org"]),
    st.sets(WHOSE, max_size=1),  # whose keywords were hit
)
ENDING = st.tuples(st.just("end"), st.sampled_from(sorted(ENDED)))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for all examples."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('model') / 'haechi.db'}")
    metadata.create_all(database.engine)
    yield database
    database.close()


def prepare(database: Database, now: datetime) -> dict[str, AgeClass]:
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))
        ages = {}
        for number in range(4):
            age = AGES[number % 3]
            values = {"status": "withdrawn"} if number == 3 else {}
            case, _ = add_case(connection, now, number=number, age_class=age, **values)
            add_content(connection, now, case, content_of(number, 1))
            if number != 3:
                ages[str(case)] = age
    return ages


@hypothesis_settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(SEEN, SEEN, SEEN, ENDING), min_size=4, max_size=8))
def test_any_sequence_of_sightings_ends_where_the_model_ends(
    empty: Database, steps: list[tuple[Any, ...]]
) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    ages, model = prepare(empty, now), Model()
    for step in steps:
        if step[0] == "end":
            set_status(empty, step[1])
            for task in model.tasks.values():
                task["status"] = step[1]
            continue
        _, media, post, host, hits = step
        found = [
            tuple(
                match_of(
                    identifier_of_case(c), content_of(c, i), decision=decision, confidence=sure
                )
                for c, i, decision, sure in medium
            )
            for medium in media
        ]
        sighting = sighting_of(
            *found, now=now, post=f"{post}", host=host,
            hits=tuple(identifier_of_case(c) for c in sorted(hits)),
        )  # fmt: skip
        record(empty, sighting, now)
        model.see(sighting, ages, ".".join(host.split(":")[0].split(".")[-2:]))
    assert_equal(empty, model)


def identifier_of_case(number: int) -> Any:
    return identifier("case", number)


def assert_equal(database: Database, model: Model) -> None:
    rows = {(row.case_id, row.content_id, row.host): row for row in all_of(database, tasks)}
    assert set(rows) == set(model.tasks)
    for key, expected in model.tasks.items():
        found = {name: getattr(rows[key], name) for name in expected}
        assert found == expected
    assert {row.id for row in all_of(database, locations)} == {
        location_id(task_id(case, content, host), post, medium)
        for case, content, host, post, medium in model.locations
    }
    told = Counter((row.task_id, row.event) for row in all_of(database, outbox))
    assert told == model.events
    assert len(all_of(database, deliveries)) == len(all_of(database, outbox))


def test_a_key_names_its_task_and_no_two_keys_share_one() -> None:
    names = {task_id("a", "b", "c"), task_id("a", "bc", ""), task_id("ab", "", "c")}
    assert len(names) == 3
    assert task_id("a", "b", "c") in names
