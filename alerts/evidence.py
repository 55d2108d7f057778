"""Evidence in numbers and words: no address, no text of a post, no picture, no name."""

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


def evidence_in_words(match: Match, hits: int) -> list[dict[str, Any]]:
    """Write what speaks for a match, the keywords in the post's text last.

    Args:
        match: with its evidence.
        hits: how many of the case's keywords the post's text holds.
    """
    said = [_said(one) for one in match.evidence]
    if hits:
        said.append({"modality": Modality.TEXT, "reason": POST_TEXT, "keyword_hits": hits})
    return said


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
