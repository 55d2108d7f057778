"""A task's evidence in words and numbers."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from alerts.reading import visible as visible  # noqa: PLC0414 - the templates' word
from dashboards.console.texts import Words

WHOLE = 0.01
"""A region this close to the picture's edges on all four sides is the whole picture."""


def percent(share: float) -> str:
    """Write a share of 0..1, always rounded down: 100 % is said of nothing less than 1."""
    value = Decimal(str(share)) * 100
    step = Decimal("0.1") if Decimal(99) <= value < Decimal(100) else Decimal(1)
    return f"{value.quantize(step, ROUND_FLOOR)} %"


def duration(words: Words, seconds: float) -> str:
    """Write seconds; rounded up, so that nothing looks quicker than it was."""
    return words("seconds", math.ceil(seconds * 10) / 10)


def moment(at: datetime) -> str:
    """Write a time to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def summary(words: Words, confidence: float, evidence: Sequence[Mapping[str, Any]]) -> str:
    """Say how sure a location is and by how many modalities: "93 % sure; 2 modalities"."""
    count = len({str(one["modality"]) for one in evidence if "modality" in one})
    return words(
        "summary", percent(confidence), words("modality" if count == 1 else "modalities", count)
    )


def sentence(words: Words, one: Mapping[str, Any]) -> str:
    """Say one piece of evidence, or a signal."""
    if "signal" in one:
        preview = words(f"preview_{one['preview']}")
        return words(str(one["signal"]), percent(one["estimate"]), preview)
    if "keyword_hits" in one:
        return words("keyword_hits", one["keyword_hits"])
    said = [words("alike", words(str(one["modality"])), percent(one["similarity"]))]
    if box := one.get("query_box"):
        said.append(_region(words, box))
    said += [
        words(name, *(f"{second:.1f}" for second in one[f"{name}_seconds"]))
        for name in ("query_span", "reference_span")
        if one.get(f"{name}_seconds")
    ]
    if one.get("space"):
        said.append(words("space", one["space"]))
    return ", ".join(said)


def _region(words: Words, box: Sequence[float]) -> str:
    left, top, right, bottom = box
    if max(left, top, 1 - right, 1 - bottom) <= WHOLE:
        return words("whole_picture")
    return words("region", *(round(100 * edge) for edge in (left, right, top, bottom)))
