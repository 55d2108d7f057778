"""What an examination is given besides the medium, and what it gives."""

from dataclasses import dataclass

from agents.steps.findings import Findings
from agents.steps.remembering import View
from agents.steps.triaging import KeywordIndex
from alerts.policy import Calibration
from monitors.gallery import Gallery
from streams.types import Looked, Match

NO_MODEL = "no_model"
"""Why a step was skipped whose network or language is not on this machine."""
CAPPED = "rest:cap"
"""Skipped where the decoder did not come to the medium's end."""
CRASHED = "crashed"
"""Why a step is not done over which the medium killed what looked at it."""
SOUND_CAPPED = "sound_rest:cap"
"""Skipped where a video's sound goes on after what was heard."""
NO_TIME = "no_time"
"""Why a step is not begun, or was cut: another try may have the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What became of one medium.

    Args:
        matches: every candidate, best first.
        looked: at what.
        findings: that the matches were made of.
        views: what looking back keeps of it, in the findings' space.
    """

    matches: list[Match]
    looked: Looked
    findings: Findings
    views: tuple[View, ...] = ()

    @property
    def lacking(self) -> list[str]:
        """The steps that lacked a network or a language."""
        skipped = [one.partition(":") for one in self.looked.skipped]
        return [step for step, _, why in skipped if why == NO_MODEL]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is compared with.

    Args:
        gallery: the references in force.
        index: their cases' keywords, made ready.
        calibration: None takes the shipped one.
    """

    gallery: Gallery
    index: KeywordIndex
    calibration: Calibration | None = None
