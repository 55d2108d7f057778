"""What no kill may do: lose a post, miss a planted copy, open a task twice."""

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitors.tables import locations, outbox, tasks
from tests.end_to_end.instance import Instance, MediaHost, an_instance, kill, write_replay
from tests.end_to_end.stream import PlantedStream, planted_stream

POSTS, RATE, PLANTED = 2000, 50, 60
END_SECONDS = 150

pytestmark = [pytest.mark.slow, pytest.mark.models, pytest.mark.timeout(400)]

Harm = Callable[[Instance, random.Random], None]


def play(tmp_path: Path, seed: int, harm: Harm) -> None:
    """Play a stream over two workers, do harm while it plays, and hold the end to account."""
    stream = planted_stream(seed, POSTS, PLANTED)
    with MediaHost(stream.files) as host:
        replay = write_replay(tmp_path / "posts.jsonl", stream.played_from(host.origin))
        instance = an_instance(
            tmp_path / "home",
            workers=2,
            engine_children=1,
            decoder_children=1,
            replay_file=replay,
            replay_rate=RATE,
            fetch_allow=frozenset({host.origin}),
        )
        references = stream.enrol(instance, tmp_path)
        with instance:
            instance.wait_until_ready()
            harm(instance, random.Random(seed))
            instance.wait(
                lambda: len(instance.outcomes()) == POSTS, END_SECONDS, "an outcome of every post"
            )
            assert instance.stop() == 0
        hold_to_account(instance, stream, references)


def hold_to_account(
    instance: Instance, stream: PlantedStream, references: Mapping[str, int]
) -> None:
    ended = instance.outcomes()
    sighted = {key for key, (outcome, _) in ended.items() if outcome == "sighted"}
    assert sighted == set(stream.planted)
    assert {ended[key] for key in ended.keys() - sighted} == {
        ("clear", None),
        ("clear", "no_media"),
    }
    with instance.database.read() as connection:
        found = connection.execute(
            sa.select(tasks.c.host, locations.c.reference_id, locations.c.post_key).join(
                locations, locations.c.task_id == tasks.c.id
            )
        ).all()
        opened = connection.scalars(
            sa.select(outbox.c.task_id).where(outbox.c.event == "task.opened")
        ).all()
        count = connection.scalar(sa.select(sa.func.count()).select_from(tasks))
    seen = {row.post_key: (references[row.reference_id], row.host) for row in found}
    assert seen == stream.planted
    assert len(found) == PLANTED
    assert count == len(stream.tasks)
    assert len(opened) == len(set(opened)) == count


def kill_workers(instance: Instance, chance: random.Random) -> None:
    """End one of the two workers at five random points; the launcher brings each back."""
    for name in chance.sample(["worker-0", "worker-1"] * 3, 5):
        time.sleep(chance.uniform(2, 8))
        pid = instance.pid_of(name)
        kill(pid)
        instance.wait(
            lambda name=name, pid=pid: instance.pid_of(name) not in {None, pid},  # type: ignore[misc]
            30,
            f"{name} comes back",
        )


def kill_broker(instance: Instance, chance: random.Random) -> None:
    """End the broker once, mid-stream."""
    instance.wait(lambda: len(instance.outcomes()) > POSTS // 4, 60, "a quarter of the stream")
    before = instance.state()
    kill(before["broker"]["pid"])
    instance.wait(
        lambda: instance.state().get("group", before["group"]) != before["group"], 30, "a new epoch"
    )


def test_workers_killed_at_random_points_cost_nothing(tmp_path: Path) -> None:
    play(tmp_path, 7, kill_workers)


def test_a_broker_killed_mid_stream_costs_nothing(tmp_path: Path) -> None:
    play(tmp_path, 8, kill_broker)
