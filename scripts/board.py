"""Writes Grafana's board "Haechi: pipeline": scripts/board.py >dashboards/grafana/pipeline.json.

Development only; a test keeps the JSON equal to what this prints. Standard library alone.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WORKER = 'job="haechi-worker"'
ROW_HEIGHT, STAT_HEIGHT, CHART_HEIGHT = 1, 4, 8
WIDTH = 24
"""Grafana's grid is 24 columns wide."""

Query = tuple[str, str]
"""PromQL, and the legend of its series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Args:
        title: short.
        description: what it shows and what is bad about it.
        unit: Grafana's name of a unit, or "suffix: …".
        queries: at least one.
        colours: of a single number: from which value which colour; empty for a chart.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    colours: tuple[tuple[str, float | None], ...] = ()


def rate(metric: str, by: str = "") -> str:
    """Sum a counter's rate over everything but the label `by`."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str = "", *, window: str = "$__rate_interval") -> str:
    """Take a quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket[{window}])))"


def quantiles(metric: str) -> tuple[Query, ...]:
    """Take the three quantiles that the objective is read from."""
    return tuple((quantile(share, metric), f"p{share:.0%}"[:-1]) for share in (0.5, 0.95, 0.99))


GREEN = (("green", None),)

PROMISE = (
    Panel(
        title="Oldest unfinished post",
        description="The oldest post that has not ended. Pages above 150 s: the promise is 180 s.",
        unit="s",
        queries=(("max(haechi_inbox_oldest_seconds)", "oldest"),),
        colours=(*GREEN, ("orange", 90), ("red", 150)),
    ),
    Panel(
        title="Observed to task, p99",
        description="99% of the tasks opened in the chosen range opened within this time of their "
        "post being seen. Empty where none opened.",
        unit="s",
        queries=((quantile(0.99, "haechi_observed_to_task_seconds", window="$__range"), "p99"),),
        colours=(*GREEN, ("orange", 120), ("red", 180)),
    ),
    Panel(
        title="Tasks opened",
        description="Takedown tasks opened in the chosen range.",
        unit="short",
        queries=(("sum(increase(haechi_tasks_opened_total[$__range]))", "tasks"),),
        colours=GREEN,
    ),
    Panel(
        title="Dead letters",
        description="Messages set aside in the chosen range: each is a bug, or input that nobody "
        "expected.",
        unit="short",
        queries=(("sum(increase(haechi_dead_letters_total[$__range]))", "dead letters"),),
        colours=(*GREEN, ("red", 1)),
    ),
    Panel(
        title="Gallery age",
        description="Since the slowest worker last confirmed what it matches against. Beyond 30 s "
        "it matches nothing.",
        unit="s",
        queries=((f"max(haechi_gallery_age_seconds{{{WORKER}}})", "age"),),
        colours=(*GREEN, ("orange", 10), ("red", 30)),
    ),
    Panel(
        title="Workers ready",
        description="Workers that say that they are ready.",
        unit="short",
        queries=((f"sum(haechi_ready{{{WORKER}}})", "ready"),),
        colours=(("red", None), ("green", 1)),
    ),
)


FLOW = (
    Panel(
        title="Posts observed",
        description="Posts received, by source. A source at zero is silent or broken.",
        unit="suffix: posts/s",
        queries=((rate("haechi_posts_observed_total", "source"), "{{source}}"),),
    ),
    Panel(
        title="Posts ended",
        description="Each post ends in one outcome. `shed` and `dead` should stay at zero.",
        unit="suffix: posts/s",
        queries=((rate("haechi_posts_total", "outcome"), "{{outcome}}"),),
    ),
    Panel(
        title="Posts waiting",
        description="Posts that have not ended. A rising line: the workers do not keep up.",
        unit="short",
        queries=(("max(haechi_inbox_posts)", "waiting"),),
    ),
    Panel(
        title="Media inspected",
        description="Media by outcome.",
        unit="suffix: media/s",
        queries=((rate("haechi_media_total", "outcome"), "{{outcome}}"),),
    ),
    Panel(
        title="Put off, repeated, rejected",
        description="Posts put off to a later try; produced again since their outcome was overdue; "
        "records of posts that had ended already; posts that a source could not take in.",
        unit="suffix: posts/s",
        queries=(
            (rate("haechi_posts_postponed_total"), "put off"),
            (rate("haechi_posts_reproduced_total"), "produced again"),
            (rate("haechi_records_duplicate_total", "agent"), "repeated {{agent}}"),
            (rate("haechi_posts_rejected_total", "source"), "rejected {{source}}"),
        ),
    ),
    Panel(
        title="Keywords found",
        description="Keywords of cases found in posts' text. They set priority; media decide.",
        unit="suffix: hits/s",
        queries=((rate("haechi_keyword_hits_total"), "hits"),),
    ),
    Panel(
        title="Tasks by status",
        description="Takedown tasks in the database.",
        unit="short",
        queries=(("max by (status) (haechi_tasks)", "{{status}}"),),
    ),
)

TIME = (
    Panel(
        title="Observed to outcome",
        description="From a post being seen to its outcome, whatever it is.",
        unit="s",
        queries=quantiles("haechi_observed_to_outcome_seconds"),
    ),
    Panel(
        title="Observed to task",
        description="From a post being seen to its task being open. The promise: 99% in 180 s.",
        unit="s",
        queries=quantiles("haechi_observed_to_task_seconds"),
    ),
    Panel(
        title="Tasks opened late",
        description="Share of tasks opened after 180 s. Pages above 14.4% in both windows.",
        unit="percentunit",
        queries=(
            ("haechi:tasks_late:ratio_rate5m", "5 minutes"),
            ("haechi:tasks_late:ratio_rate1h", "1 hour"),
        ),
    ),
    Panel(
        title="Stages, p95",
        description="One item's time in each stage.",
        unit="s",
        queries=((quantile(0.95, "haechi_stage_seconds", "stage"), "{{stage}}"),),
    ),
    Panel(
        title="Batches of agents, p95",
        description="One batch's step of each agent.",
        unit="s",
        queries=((quantile(0.95, "haechi_step_seconds", "agent"), "{{agent}}"),),
    ),
    Panel(
        title="Engine call, p95",
        description="One call of an engine child.",
        unit="s",
        queries=((quantile(0.95, "haechi_engine_batch_seconds", "engine"), "{{engine}}"),),
    ),
)

HEALTH = (
    Panel(
        title="Views embedded",
        description="Views through the engines: several for each picture (borders, regions).",
        unit="suffix: views/s",
        queries=((rate("haechi_engine_images_total", "engine"), "{{engine}}"),),
    ),
    Panel(
        title="Dead letters and retries",
        description="By agent and reason. Retries: a database, a broker or a child that fails.",
        unit="suffix: /s",
        queries=(
            (rate("haechi_dead_letters_total", "agent, reason"), "dead {{agent}} {{reason}}"),
            (rate("haechi_retries_total", "agent, reason"), "retry {{agent}} {{reason}}"),
        ),
    ),
    Panel(
        title="Children that died",
        description="Decoders and engines that died and were replaced.",
        unit="suffix: /s",
        queries=((rate("haechi_child_deaths_total", "child"), "{{child}}"),),
    ),
    Panel(
        title="Gallery",
        description="References matched against; cases that may lawfully be watched.",
        unit="short",
        queries=(
            (f"max(haechi_gallery_references{{{WORKER}}})", "references"),
            (f"max(haechi_gallery_cases{{{WORKER}}})", "cases"),
        ),
    ),
    Panel(
        title="Webhooks",
        description="Attempts a second by result; deliveries by status.",
        unit="short",
        queries=(
            (rate("haechi_webhook_attempts_total", "result"), "attempts/s {{result}}"),
            ("max by (status) (haechi_outbox_deliveries)", "deliveries {{status}}"),
        ),
    ),
    Panel(
        title="Console log-ins",
        description="By result. A burst of refusals is somebody guessing.",
        unit="suffix: /s",
        queries=((rate("haechi_logins_total", "result"), "{{result}}"),),
    ),
)

SOURCES = (
    Panel(
        title="Events of sources",
        description="By source and kind. A kind that stops while others go on is missing.",
        unit="suffix: events/s",
        queries=((rate("haechi_source_events_total", "source, kind"), "{{source}} {{kind}}"),),
    ),
    Panel(
        title="Heard and late",
        description="Since a source was last heard; how old its latest event was when it came.",
        unit="s",
        queries=(
            ("max by (source) (haechi_source_heard_seconds)", "heard {{source}}"),
            ("max by (source) (haechi_source_lag_seconds)", "late {{source}}"),
        ),
    ),
    Panel(
        title="Gaps and interruptions",
        description="Entries of the gap ledger by state, and how often a source broke off.",
        unit="short",
        queries=(
            ("max by (source, state) (haechi_source_gaps)", "{{source}} {{state}}"),
            (
                "sum by (source, reason) (increase(haechi_source_interruptions_total[$__range]))",
                "{{source}} broke off: {{reason}}",
            ),
        ),
    ),
    Panel(
        title="Troubles",
        description="1 while a source has the trouble, or a kind of its events is overdue.",
        unit="short",
        queries=(
            ("max by (source, trouble) (haechi_source_troubles)", "{{source}} {{trouble}}"),
            ("max by (source, kind) (haechi_source_missing_kinds)", "{{source}} lacks {{kind}}"),
        ),
    ),
    Panel(
        title="Searches",
        description="Searches that ended, by state. `late`: the deadline came first.",
        unit="suffix: searches/s",
        queries=((rate("haechi_searches_total", "state"), "{{state}}"),),
    ),
    Panel(
        title="Looking back",
        description="Fingerprints kept, and those that wait to be filed.",
        unit="short",
        queries=(
            (rate("haechi_fingerprints_remembered_total"), "kept/s"),
            ("max(haechi_lookback_unfiled_fingerprints)", "waiting"),
        ),
    ),
)

ROWS = (
    ("Promise", PROMISE), ("Flow", FLOW), ("Sources", SOURCES), ("Time", TIME), ("Health", HEALTH),
)  # fmt: skip


def target(index: int, query: Query, *, instant: bool) -> dict[str, Any]:
    """Give one query as Grafana writes it."""
    expression, legend = query
    return {
        "refId": "ABCD"[index],
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": expression,
        "legendFormat": legend,
        "instant": instant,
        "range": not instant,
    }


def panel_of(panel: Panel, place: dict[str, int], number: int) -> dict[str, Any]:
    """Give a panel as Grafana writes it."""
    stat = bool(panel.colours)
    steps = [{"color": colour, "value": value} for colour, value in panel.colours or GREEN]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    options: dict[str, Any] = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    if stat:
        defaults["color"] = {"mode": "thresholds"}
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        options = {"reduceOptions": reduce, "colorMode": "value", "graphMode": "none"}
    return {
        "id": number,
        "type": "stat" if stat else "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [target(i, q, instant=stat) for i, q in enumerate(panel.queries)],
    }


def panels() -> list[dict[str, Any]]:
    """Lay the rows out, six single numbers or three charts beside each other."""
    laid: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        place = {"x": 0, "y": top, "w": WIDTH, "h": ROW_HEIGHT}
        laid.append(
            {
                "id": len(laid) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
        )
        top += ROW_HEIGHT
        height, width = (STAT_HEIGHT, 4) if row[0].colours else (CHART_HEIGHT, 8)
        for index, panel in enumerate(row):
            down, left = divmod(index * width, WIDTH)
            place = {"x": left, "y": top + down * height, "w": width, "h": height}
            laid.append(panel_of(panel, place, len(laid) + 1))
        top += height * -(-len(row) * width // WIDTH)
    return laid


def board() -> dict[str, Any]:
    """Give the whole board."""
    datasource = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "options": [],
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "regex": "",
    }
    return {
        "uid": "haechi-pipeline",
        "title": "Haechi: pipeline",
        "description": "What comes in, what becomes of it, how fast, and what is broken.",
        "tags": ["haechi"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [datasource]},
        "panels": panels(),
    }


if __name__ == "__main__":
    json.dump(board(), sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")
