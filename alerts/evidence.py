"""Evidence in numbers and words: no address, no text of a post, no picture, no name."""

from collections.abc import Mapping, Sequence
from typing import Any

from streams.types import Evidence, Match, Modality

REASONS = {
    Modality.FRAME: "same picture by its embedding",
    Modality.HASH: "same picture by its perceptual hash",
    Modality.FACE: "same face",
    Modality.AUDIO: "same sound",
    Modality.VOICE: "same voice",
    Modality.SPEECH: "keywords of the case in what is spoken",
    Modality.TEXT: "keywords of the case in writing on the picture",
}
"""What each modality of a medium says, in words that name nobody."""

POST_TEXT = "keywords of the case in the post's text"
"""What the post around the medium says."""


NUDITY = "nudity"
"""Name of the one signal that is no evidence: it stands in the list as {"signal": "nudity",
"estimate": 0..1, "preview": "blur" or "plain"}, without a modality."""

PLAIN_BELOW = 0.2
"""Estimate below which a preview may be plain: there open_nsfw's authors call a picture likely to
be safe (README of yahoo/open_nsfw). Anything else is blurred, what was not estimated included."""


def evidence_in_words(match: Match, hits: int, nudity: float | None = None) -> list[dict[str, Any]]:
    """Write what speaks for a match, then the keywords in the post's text, then the signal.

    Args:
        match: with its evidence.
        hits: how many of the case's keywords the post's text holds.
        nudity: estimate, 0..1, of the frames that matched; None where none was estimated.
    """
    said = [_said(one) for one in match.evidence]
    if hits:
        said.append({"modality": Modality.TEXT, "reason": POST_TEXT, "keyword_hits": hits})
    if nudity is not None:
        preview = "plain" if nudity < PLAIN_BELOW else "blur"
        said.append({"signal": NUDITY, "estimate": nudity, "preview": preview})
    return said


def nudity_in(said: Sequence[Mapping[str, Any]]) -> float | None:
    """Read the estimate back out of what `evidence_in_words` wrote."""
    found = (float(one["estimate"]) for one in said if one.get("signal") == NUDITY)
    return next(found, None)


def _said(one: Evidence) -> dict[str, Any]:
    numbers = {
        "query_box": one.query_box,
        "query_span_seconds": one.query_span_seconds,
        "reference_span_seconds": one.reference_span_seconds,
    }
    present = {name: list(value) for name, value in numbers.items() if value is not None}
    return {
        "modality": one.modality,
        "similarity": one.similarity,
        "reason": REASONS[one.modality],
        **present,
        **({"space": one.space} if one.space else {}),
    }
