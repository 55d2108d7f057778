"""Progress is shown to people, and does not flood a log."""

import pytest

from agents.demo.show import PlainShow, Show, TerminalShow


def test_a_log_gets_a_line_now_and_then_and_the_last_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with PlainShow() as show:
        show.say("drawing")
        for done in range(1, 101):
            show.advance("pictures", done, 100)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "drawing",
        "  pictures: 1 of 100",
        "  pictures: 100 of 100",
    ]


@pytest.mark.parametrize("show", [PlainShow(), TerminalShow()])
def test_nothing_goes_to_standard_output(show: Show, capsys: pytest.CaptureFixture[str]) -> None:
    with show:
        show.say("drawing")
        show.advance("pictures", 1, 2)
    assert capsys.readouterr().out == ""
