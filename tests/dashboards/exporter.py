"""Serves every metric of `monitors.metrics`, moving: python -m tests.dashboards.exporter PORT."""

import sys
import threading
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from monitors import metrics


def children() -> list[Any]:
    """Give each metric, with a value for each of its labels."""
    declared = [m for m in vars(metrics).values() if isinstance(m, Counter | Gauge | Histogram)]
    return [m.labels(*m._labelnames) if m._labelnames else m for m in declared]


def move(metric: Any) -> None:
    if isinstance(metric, Counter):
        metric.inc()
    elif isinstance(metric, Histogram):
        metric.observe(1)
    else:
        metric.set(1)


if __name__ == "__main__":
    start_http_server(int(sys.argv[1]), "127.0.0.1")
    ours, wait = children(), threading.Event()
    while not wait.wait(0.1):
        for metric in ours:
            move(metric)
