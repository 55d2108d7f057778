"""What the demo's run came to: the database's rows against the truth about the stream."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
from rich.table import Table

from agents.demo.plan import DemoStream, Kind, PlannedPost
from monitors.database import Database
from monitors.tables import locations, outcomes, tasks
from streams.schemas import post_key
from streams.types import CaseId, ContentId, PostKey

MIN_FOUND = 0.9
"""Share of the planted posts that a good run finds (design.md, Install)."""

Key = TypeVar("Key")

Content = tuple[CaseId, ContentId]
"""What a task is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A post that holds a location of a task.

    Args:
        contents: of its tasks.
        seconds: from its observation to the decision that opened or extended the first of them.
    """

    contents: frozenset[Content]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The run in numbers.

    Args:
        seed: of the stream.
        posts: that the stream held.
        outcomes: how many posts ended how.
        reasons: how many ended for which reason, by outcome and reason.
        planted: posts with a re-upload.
        found: planted posts that a task about the right content of the right case holds.
        false_alarms: posts that a task about anything else holds.
        tasks: how many there are.
        seconds: observed to task, one for each post that a task holds.
        by_edit: found and planted posts of each edit.
        by_kind: likewise of each kind of medium.
        served: how many media of each kind the host serves.
    """

    seed: int
    posts: int
    outcomes: Mapping[str, int]
    reasons: Mapping[tuple[str, str], int]
    planted: int
    found: int
    false_alarms: int
    tasks: int
    seconds: Sequence[float]
    by_edit: Mapping[str, tuple[int, int]]
    by_kind: Mapping[Kind, tuple[int, int]] = field(default_factory=dict)
    served: Mapping[Kind, int] = field(default_factory=dict)

    @property
    def ended(self) -> int:
        """Count the posts that have their outcome."""
        return sum(self.outcomes.values())

    @property
    def is_good(self) -> bool:
        """Say whether every post ended, enough was found, and nothing was found wrongly."""
        enough = self.found >= MIN_FOUND * self.planted
        return self.ended == self.posts and enough and self.false_alarms == 0

    def to_json(self) -> str:
        """Write the demo's last line; its keys are relied upon."""
        return json.dumps(
            {
                "seed": self.seed,
                "posts": self.posts,
                "outcomes": dict(self.outcomes),
                "planted": self.planted,
                "found": self.found,
                "false_alarms": self.false_alarms,
                "tasks": self.tasks,
                "observed_to_task_seconds": {
                    f"p{percent}": percentile(self.seconds, percent) for percent in (50, 95, 99)
                },
            }
        )


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Give the smallest value that so many percent do not exceed; None of nothing."""
    if not values:
        return None
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(0, rank - 1)]


def read_tally(
    database: Database, stream: DemoStream, enrolled: Mapping[tuple[str, str], Content]
) -> Tally:
    """Read the database and hold it against the stream.

    Args:
        database: of the demo's home.
        stream: with the truth.
        enrolled: what each reference became, by the case's alias and the reference's file.
    """
    with database.read() as connection:
        counted = connection.execute(
            sa.select(outcomes.c.outcome, outcomes.c.reason, sa.func.count())
            .group_by(outcomes.c.outcome, outcomes.c.reason)
            .order_by(outcomes.c.outcome, outcomes.c.reason)
        ).all()
        number = connection.execute(sa.select(sa.func.count()).select_from(tasks)).scalar_one()
        rows = connection.execute(
            sa.select(
                locations.c.post_key,
                tasks.c.case_id,
                tasks.c.content_id,
                locations.c.observed_at,
                locations.c.decided_at,
            ).join_from(locations, tasks)
        ).all()
    located = _by_post(rows)
    return _compare(stream, enrolled, located, (counted, number))


def _by_post(rows: Iterable[Any]) -> dict[PostKey, Located]:
    contents: dict[PostKey, set[Content]] = defaultdict(set)
    seconds: dict[PostKey, float] = {}
    for row in rows:
        key = PostKey(row.post_key)
        contents[key].add((CaseId(row.case_id), ContentId(row.content_id)))
        took = (row.decided_at - row.observed_at).total_seconds()
        seconds[key] = min(took, seconds.get(key, took))
    return {
        key: Located(contents=frozenset(found), seconds=seconds[key])
        for key, found in contents.items()
    }


def _compare(
    stream: DemoStream,
    enrolled: Mapping[tuple[str, str], Content],
    located: Mapping[PostKey, Located],
    counts: tuple[Iterable[Any], int],
) -> Tally:
    ends: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for outcome, reason, count in counts[0]:
        ends[outcome] += count
        if reason:
            reasons[outcome, reason] += count
    by_edit: dict[str, list[bool]] = defaultdict(list)
    by_kind: dict[Kind, list[bool]] = defaultdict(list)
    false_alarms = 0
    for post in stream.posts:
        found, wrong = judge(post, enrolled, located)
        false_alarms += wrong
        for planted in post.planted:
            by_edit[planted.edit].append(found)
            by_kind[planted.kind].append(found)
    planted_posts = [post for post in stream.posts if post.planted]
    return Tally(
        seed=stream.seed,
        posts=len(stream.posts),
        outcomes=dict(ends),
        reasons=dict(reasons),
        planted=len(planted_posts),
        found=sum(judge(post, enrolled, located)[0] for post in planted_posts),
        false_alarms=false_alarms,
        tasks=counts[1],
        seconds=[one.seconds for one in located.values()],
        by_edit=_counted(by_edit),
        by_kind=_counted(by_kind),
        served=stream.count_by_kind(),
    )


def _counted(found: Mapping[Key, Sequence[bool]]) -> dict[Key, tuple[int, int]]:
    return {key: (sum(some), len(some)) for key, some in found.items()}


def judge(
    post: PlannedPost,
    enrolled: Mapping[tuple[str, str], Content],
    located: Mapping[PostKey, Located],
) -> tuple[bool, bool]:
    """Say of a post whether its re-upload was found, and whether anything else was."""
    right = {
        enrolled[one.case, file] for one in post.planted for file in (one.reference, *one.also)
    }
    held = located.get(post_key("replay", post.id))
    contents = held.contents if held else frozenset()
    return bool(contents & right), bool(contents - right)


def build_table(tally: Tally, sla_seconds: float) -> Table:
    """Lay the run out for a reader."""
    table = Table(title=f"Haechi's demo, seed {tally.seed}", show_header=False)
    table.add_row("posts", str(tally.posts))
    for outcome, count in sorted(tally.outcomes.items(), key=lambda item: -item[1]):
        why = ", ".join(
            f"{reason} {number}"
            for (ended, reason), number in tally.reasons.items()
            if ended == outcome
        )
        table.add_row(f"  {outcome}", f"{count}" + (f"  ({why})" if why else ""))
    for kind, count in tally.served.items():
        found, number = tally.by_kind.get(kind, (0, 0))
        table.add_row(f"{kind}s", f"{count} served; found {found} of {number} planted")
    table.add_row("planted re-uploads", f"{tally.planted} posts")
    table.add_row("found", f"{tally.found} ({tally.found / max(1, tally.planted):.0%})")
    table.add_row("false alarms", f"{tally.false_alarms} of {tally.posts - tally.planted} posts")
    table.add_row("takedown tasks", str(tally.tasks))
    for percent in (50, 95, 99):
        seconds = percentile(tally.seconds, percent)
        shown = "-" if seconds is None else f"{seconds:.1f} s"
        table.add_row(f"observed → task, p{percent}", f"{shown} of {sla_seconds:.0f} s")
    edits = [f"{edit} {found}/{number}" for edit, (found, number) in sorted(tally.by_edit.items())]
    table.add_row("found by edit", ", ".join(edits))
    return table
