"""`agents.media_way`; `test_inspecting` drives it whole."""

import pytest

from agents.media_way import Found, Opened, Until, Untried, all_of, laid_out
from agents.steps.inspecting import shed
from streams.errors import EngineError, UndecodableMediaError
from streams.types import MediaItem, MediaKind
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock


def test_what_a_page_named_stands_in_its_place_and_at_the_end(clock: FakeClock) -> None:
    page = MediaItem(url="https://h.example/page", kind=MediaKind.PAGE)
    one, two, other = (MediaItem(url=f"https://h.example/{n}") for n in (1, 2, 3))
    post = a_post(clock, media=(page, other))
    found: list[Found | Opened] = [Opened(0, [one, two], [shed(0), Untried(0)]), shed(1)]
    whole, laid = laid_out(post, found)
    assert whole.media == (one, other, two)
    assert laid == [shed(0), shed(1), Untried(2)]


def test_time_runs_out(clock: FakeClock) -> None:
    until = Until(clock, clock.monotonic() + 5)
    clock.advance(7)
    assert (until.left, until.left_with(3)) == (0, 1)


async def test_a_failure_that_will_pass_is_raised_before_others() -> None:
    async def fail(error: Exception) -> None:
        raise error

    with pytest.raises(EngineError):
        await all_of([fail(UndecodableMediaError()), fail(EngineError())])
