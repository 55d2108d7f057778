"""`agents.steps.deciding`."""

from agents.steps.deciding import without_matches
from streams.types import CaseId, ContentId, Decision, Match, MediumResult, Outcome, ReferenceId


def test_without_its_matches_a_sighted_medium_is_clear_and_the_rest_ends_as_it_did() -> None:
    gone = MediumResult(index=0, outcome=Outcome.VANISHED, reason="media_vanished")
    match = Match(
        case=CaseId("c"),
        reference=ReferenceId("r"),
        content=ContentId("g"),
        confidence=0.9,
        decision=Decision.ALERT,
        evidence=(),
    )
    seen = MediumResult(index=1, outcome=Outcome.SIGHTED, sha256="ab", matches=(match,))
    assert without_matches([gone, seen]) == (
        gone,
        MediumResult(index=1, outcome=Outcome.CLEAR, sha256="ab"),
    )
