"""`agents.examined`."""

import pytest

from agents.examined import NO_MODEL, NO_TIME, Examined
from agents.steps.findings import Findings
from streams.types import Looked, MediaKind


@pytest.mark.parametrize(
    ("skipped", "lacking"),
    [
        ((), []),
        (
            (f"faces:{NO_MODEL}", f"speech:{NO_TIME}", f"lettering:{NO_MODEL}"),
            ["faces", "lettering"],
        ),
    ],
)
def test_what_lacked_a_network_is_told_apart(skipped: tuple[str, ...], lacking: list[str]) -> None:
    looked = Looked(
        kind=MediaKind.IMAGE, seconds=0.0, until_seconds=0.0, frames=1, skipped=skipped, nudity=None
    )
    assert Examined(matches=[], looked=looked, findings=Findings(space="s")).lacking == lacking
