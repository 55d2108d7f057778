"""What speaks for each reference in, matches out: best first, one for each reference group."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.steps.findings import FilmFound, Findings, Owner, Searchable, StillFound
from alerts.calibration import shipped_calibration
from alerts.policy import (
    NEGATIVE,
    Calibration,
    decide,
    fuse,
    log_odds_of,
    probability,
    supporting,
)
from gpu_kernels.alignment import PATTERN
from gpu_kernels.facetracks import REVIEW_SIMILARITY as FACE_REVIEW
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.hamming import HASH_BYTES
from gpu_kernels.search import NEAR_PDQ_DISTANCE, Candidate, FilmCandidate
from gpu_kernels.voice import REVIEW_SIMILARITY as VOICE_REVIEW
from monitors.cases import mentions_content
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    Evidence,
    Match,
    Modality,
    ReferenceId,
)

CANDIDATES = 10
"""References looked at for each frame; far more than pictures that one frame shows."""

WORDS_REVIEW = 0.95
"""Similarity of a keyword, spoken or written in a picture, from which alone an officer looks: the
exact spelling, or a near one of a long keyword."""


def find_pictures(
    findings: Findings, prints: Sequence[ImageFingerprint], gallery: Searchable
) -> None:
    """Compare all frames of a medium with the gallery; what was found earlier is replaced.

    Where both have several frames they are compared in order of time, for another recording of the
    same room is like it in every frame; otherwise, and where the order says nothing, as pictures.

    Raises:
        ValueError: the fingerprints live in another vector space than the gallery.
    """
    frames, below = gallery.shelf.frames, len(gallery.owners)
    findings.stills, findings.films = {}, {}
    if len(prints) == 1:
        for one in frames.search(prints[0], CANDIDATES, below=below):
            found = StillFound(candidate=one, frame=0, at_seconds=prints[0].at_seconds)
            findings.stills[one.ordinal] = found
        return
    for film in frames.search_film(prints, CANDIDATES, below=below):
        if film.moves and film.tells:
            box = film.nearest.query_box if film.nearest else None
            findings.films[film.ordinal] = FilmFound(alignment=film.alignment, query_box=box)
        elif film.nearest is not None:
            findings.stills[film.ordinal] = _as_still(film, film.nearest, prints)


def _as_still(
    film: FilmCandidate, nearest: Candidate, prints: Sequence[ImageFingerprint]
) -> StillFound:
    at_seconds = prints[film.nearest_frame].at_seconds
    return StillFound(candidate=nearest, frame=film.nearest_frame, at_seconds=at_seconds)


def log_odds(findings: Findings, ordinal: int, calibration: Calibration) -> dict[Modality, float]:
    """Weigh what speaks for one footage reference."""
    found: dict[Modality, float] = {}
    still, film = findings.stills.get(ordinal), findings.films.get(ordinal)
    if still is not None:
        found[Modality.FRAME] = calibration.still.log_odds(
            similarity=still.candidate.similarity,
            pdq_distance=still.candidate.pdq_distance,
            detail=still.candidate.detail,
            points=still.points,
            hurried=findings.hurried,
        )
    elif film is not None:
        found[Modality.FRAME] = calibration.moving.log_odds(
            similarity=film.alignment.similarity,
            frames=film.alignment.frames,
            pattern=film.alignment.pattern,
            points=film.points,
        )
    if ordinal in findings.sounds:
        found[Modality.AUDIO] = calibration.heard.log_odds(findings.sounds[ordinal].similarity)
    return found


def confidence(findings: Findings, ordinal: int, calibration: Calibration) -> float:
    """Estimate the probability that a medium is a copy of one footage reference."""
    fused = fuse(log_odds(findings, ordinal, calibration).values())
    if ordinal in findings.rejected:
        return probability(log_odds_of(fused) - NEGATIVE)
    return fused


def judge(
    findings: Findings, gallery: Searchable, calibration: Calibration | None = None
) -> list[Match]:
    """Make matches of what was found.

    Args:
        findings: of one medium.
        gallery: that they were found in.
        calibration: None takes the shipped one.

    Returns:
        Every candidate, those that nothing is to be done about included; the most confident
        first, at most one for each reference group.
    """
    numbers = calibration or shipped_calibration()
    best: dict[tuple[CaseId, ContentId], Match] = {}
    supports = _supports(findings, gallery, numbers)
    for ordinal in findings.ordinals:
        owner = gallery.owners[ordinal]
        match = _footage(findings, ordinal, owner, supports.get(owner.case, []), numbers)
        _keep_better(best, match)
    seen = {match.case for match in best.values() if match.decision is not Decision.NONE}
    for case, supporting_it in supports.items():
        if case not in seen:
            _keep_better(best, _support_alone(case, supporting_it, numbers))
    return sorted(best.values(), key=lambda match: -match.confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Support:
    """Evidence of a case's subject or words: it concerns no footage in particular."""

    reference: ReferenceId
    content: ContentId
    log_odds: float
    evidence: Evidence


def _supports(
    findings: Findings, gallery: Searchable, calibration: Calibration
) -> dict[CaseId, list[_Support]]:
    """Sort faces, voices and words by case, the strongest of each modality alone."""
    best: dict[tuple[CaseId, Modality], _Support] = {}
    for case, one in [
        *_subject_supports(findings, gallery, calibration),
        *_word_supports(findings, calibration),
    ]:
        key = (case, one.evidence.modality)
        if key not in best or one.log_odds > best[key].log_odds:
            best[key] = one
    by_case: dict[CaseId, list[_Support]] = defaultdict(list)
    for (case, _), one in best.items():
        by_case[case].append(one)
    return by_case


def _subject_supports(
    findings: Findings, gallery: Searchable, calibration: Calibration
) -> Iterable[tuple[CaseId, _Support]]:
    review_from = {Modality.FACE: FACE_REVIEW, Modality.VOICE: VOICE_REVIEW}
    for one in findings.subjects:
        owner = gallery.owners[one.ordinal]
        evidence = Evidence(
            modality=one.modality,
            similarity=one.similarity,
            query_box=one.query_box,
            query_span_seconds=one.query_span,
            reference_span_seconds=one.reference_span,
        )
        weight = supporting(calibration, one.similarity, review_from[one.modality])
        yield (
            owner.case,
            _Support(
                reference=owner.reference,
                content=owner.content,
                log_odds=weight,
                evidence=evidence,
            ),
        )


def _word_supports(
    findings: Findings, calibration: Calibration
) -> Iterable[tuple[CaseId, _Support]]:
    for one in findings.words:
        support = _Support(
            reference=ReferenceId(one.hit.keyword),
            content=mentions_content(one.hit.case),
            log_odds=supporting(calibration, one.hit.similarity, WORDS_REVIEW),
            evidence=one.to_evidence(),
        )
        yield one.hit.case, support


def _footage(
    findings: Findings,
    ordinal: int,
    owner: Owner,
    supports: Sequence[_Support],
    calibration: Calibration,
) -> Match:
    """Make one reference's match; the case's face, voice and words add to what it has."""
    own = confidence(findings, ordinal, calibration)
    evidence = _evidence(findings, ordinal)
    added = [one for one in supports if one.log_odds > log_odds_of(calibration.review)]
    fused = own
    if own >= calibration.review:
        fused = fuse([log_odds_of(own), *(one.log_odds for one in added)])
        evidence += tuple(one.evidence for one in added)
    decision = decide(
        calibration,
        fused,
        {one.modality for one in evidence},
        may_alert=may_alert(findings, ordinal, calibration),
    )
    return Match(
        case=owner.case,
        reference=owner.reference,
        content=owner.content,
        confidence=fused,
        decision=decision,
        evidence=evidence,
    )


def may_alert(findings: Findings, ordinal: int, calibration: Calibration) -> bool:
    """Say whether frames are in a copy's pattern, or else the sound alone is worth a look.

    A picture whose local features there was no time to compare is for an officer to look at.
    """
    film, sound = findings.films.get(ordinal), findings.sounds.get(ordinal)
    still = findings.stills.get(ordinal)
    pattern = film.alignment.pattern if film else None
    unsure = findings.hurried and still is not None and still.points is None
    if (pattern is None or pattern >= PATTERN) and not unsure:
        return True
    if sound is None:
        return False
    return calibration.heard.log_odds(sound.similarity) >= log_odds_of(calibration.review)


def _support_alone(case: CaseId, supports: Sequence[_Support], calibration: Calibration) -> Match:
    strongest = max(supports, key=lambda one: one.log_odds)
    fused = fuse(one.log_odds for one in supports)
    fused = min(fused, (calibration.alert + calibration.review) / 2 if len(supports) < 2 else fused)
    modalities = {one.evidence.modality for one in supports}
    return Match(
        case=case,
        reference=strongest.reference,
        content=strongest.content,
        confidence=fused,
        decision=decide(calibration, fused, modalities),
        evidence=tuple(one.evidence for one in sorted(supports, key=lambda one: -one.log_odds)),
    )


def _keep_better(best: dict[tuple[CaseId, ContentId], Match], match: Match) -> None:
    """Keep the match on which more is done: what pages somebody is not hid by a surer review."""
    group = (match.case, match.content)
    if group not in best or _rank(match) > _rank(best[group]):
        best[group] = match


def _rank(match: Match) -> tuple[bool, float]:
    return match.decision is Decision.ALERT, match.confidence


def _evidence(findings: Findings, ordinal: int) -> tuple[Evidence, ...]:
    found: list[Evidence] = []
    if still := findings.stills.get(ordinal):
        found += _still_evidence(still, findings.space)
    elif film := findings.films.get(ordinal):
        found.append(
            Evidence(
                modality=Modality.FRAME,
                similarity=_unit(film.alignment.similarity),
                query_box=film.query_box,
                query_span_seconds=film.alignment.query_span_seconds,
                reference_span_seconds=film.alignment.reference_span_seconds,
                space=findings.space,
            )
        )
    if sound := findings.sounds.get(ordinal):
        found.append(
            Evidence(
                modality=Modality.AUDIO,
                similarity=_unit(sound.similarity),
                query_span_seconds=sound.query_span_seconds,
                reference_span_seconds=sound.reference_span_seconds,
            )
        )
    return tuple(found)


def _still_evidence(still: StillFound, space: str) -> list[Evidence]:
    candidate = still.candidate
    moves = still.at_seconds > 0 or candidate.reference_seconds > 0
    spans = (
        ((still.at_seconds, still.at_seconds), (candidate.reference_seconds,) * 2)
        if moves
        else (None, None)
    )
    frame = Evidence(
        modality=Modality.FRAME,
        similarity=_unit(candidate.similarity),
        query_box=candidate.query_box,
        query_span_seconds=spans[0],
        reference_span_seconds=spans[1],
        space=space,
    )
    distance = candidate.pdq_distance
    if distance is None or distance > NEAR_PDQ_DISTANCE:
        return [frame]
    return [frame, Evidence(modality=Modality.HASH, similarity=1 - distance / (8 * HASH_BYTES))]


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
