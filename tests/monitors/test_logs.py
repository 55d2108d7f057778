"""`monitors.logs`."""

from monitors.logs import redact


def test_a_field_off_the_list_is_dropped_and_counted() -> None:
    line = redact(None, "info", {"event": "fetched", "url": "http://a/b", "name": "x"})
    assert line == {"event": "fetched", "dropped_fields": 2}


def test_a_url_inside_a_message_is_cut_out() -> None:
    line = redact(None, "info", {"event": "failed", "error": "GET https://h/p?q: refused"})
    assert line["error"] == "GET <url> refused"
