"""Recognised text in, keyword hits out: on-screen text and speech are searched like a post's own.

What was recognised is a stranger's words or a victim's: it is searched here and goes no further.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from agents.steps.triaging import MAX_TEXT, URGENT_SIMILARITY, KeywordIndex
from gpu_kernels.lettering import Lettering
from gpu_kernels.speech import Transcript
from streams.types import CaseId, Evidence, KeywordHit, KeywordId, Modality

MIN_SIMILARITY = URGENT_SIMILARITY
"""Hits below it do not count: initials alone are what a recogniser makes of patterns, too."""

Box = tuple[float, float, float, float]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadHit:
    """A keyword found in what was recognised; the words themselves are not in it.

    Args:
        hit: of which keyword, how near.
        modality: text or speech.
        span: from, to in seconds of the medium; at a still picture (0, 0).
        box: around the line that holds it, in 0..1 of the frame; None of speech.
    """

    hit: KeywordHit
    modality: Modality
    span: Span
    box: Box | None = None

    def to_evidence(self) -> Evidence:
        """Return it as evidence: without whose keyword it is."""
        return Evidence(
            modality=self.modality,
            similarity=self.hit.similarity,
            query_box=self.box,
            query_span_seconds=self.span,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Passage:
    text: str
    modality: Modality
    span: Span
    box: Box | None = None


def search_lettering(
    frames: Iterable[tuple[float, Lettering]], index: KeywordIndex
) -> tuple[ReadHit, ...]:
    """Search what is written in a medium's frames.

    Args:
        frames: each with its position in seconds, in order of time.
        index: the keywords in force.

    Returns:
        The best hit of each keyword of each case, in the keywords' order.
    """
    return _search((passage for at, page in frames for passage in _of_page(at, page)), index)


def search_transcript(transcript: Transcript, index: KeywordIndex) -> tuple[ReadHit, ...]:
    """Search what is said in a medium; see `search_lettering`."""
    said = [
        _Passage(text=one.text, modality=Modality.SPEECH, span=one.span)
        for one in transcript.segments
    ]
    return _search(_with_seams(said), index)


def best_hits(hits: Iterable[ReadHit]) -> tuple[ReadHit, ...]:
    """Keep the best of each keyword of each case, whatever its modality; of equals the first."""
    best: dict[tuple[CaseId, KeywordId], ReadHit] = {}
    for one in hits:
        key = (one.hit.case, one.hit.keyword)
        if key not in best or one.hit.similarity > best[key].hit.similarity:
            best[key] = one
    return tuple(best.values())


def _of_page(at_seconds: float, page: Lettering) -> Iterator[_Passage]:
    lines = [
        _Passage(
            text=line.text, modality=Modality.TEXT, span=(at_seconds, at_seconds), box=line.box
        )
        for line in page.lines
    ]
    return _with_seams(lines)


def _with_seams(passages: Sequence[_Passage]) -> Iterator[_Passage]:
    """Give each passage, then each two neighbours as one: a keyword may be broken in two."""
    yield from passages
    for first, second in pairwise(passages):
        box = _around(first.box, second.box) if first.box and second.box else None
        span = (first.span[0], second.span[1])
        text = f"{first.text} {second.text}"
        yield replace(first, text=text, span=span, box=box)


def _around(one: Box, other: Box) -> Box:
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _search(passages: Iterable[_Passage], index: KeywordIndex) -> tuple[ReadHit, ...]:
    """Search every text once, however many frames show it, and no more of them than of a post."""
    return best_hits(
        ReadHit(hit=hit, modality=one.modality, span=one.span, box=one.box)
        for one in _distinct(passages)
        for hit in index.find([one.text])
        if hit.similarity >= MIN_SIMILARITY
    )


def _distinct(passages: Iterable[_Passage]) -> Iterable[_Passage]:
    seen: dict[str, _Passage] = {}
    letters = 0
    for one in passages:
        if known := seen.get(one.text):
            seen[one.text] = replace(known, span=(known.span[0], one.span[1]))
            continue
        letters += len(one.text)
        if letters > MAX_TEXT:
            break
        seen[one.text] = one
    return seen.values()
