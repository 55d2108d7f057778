"""`monitors.logs`."""

from typing import Any

from monitors.logs import Forgiving, redact


def test_a_field_off_the_list_is_dropped_and_counted() -> None:
    line = redact(None, "info", {"event": "fetched", "url": "http://a/b", "name": "x"})
    assert line == {"event": "fetched", "dropped_fields": 2}


def test_a_url_inside_a_message_is_cut_out() -> None:
    line = redact(None, "info", {"event": "failed", "error": "GET https://h/p?q: refused"})
    assert line["error"] == "GET <url> refused"


def test_a_log_that_cannot_be_written_does_not_end_the_work() -> None:
    class Full:
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    stream: Any = Full()
    assert Forgiving(stream).write("line") == 4
    Forgiving(stream).flush()
