"""`monitors.logs`."""

import json
import subprocess
import sys
from typing import Any

import pytest

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


FALLS = {
    "library": "logging.getLogger('uvicorn.error').exception('Exception in ASGI application\\n')",
    "argument": "logging.getLogger('mode').error('Crashed reason=%r', error)",
    "future": "logging.getLogger('asyncio').error('never retrieved\\nfuture: <%r>' % error)",
    "ours": "structlog.get_logger().exception('bug')",
}


@pytest.mark.parametrize("fall", FALLS.values(), ids=FALLS.keys())
def test_no_line_quotes_an_errors_message(fall: str) -> None:
    code = f"""
import logging, structlog
from monitors.logs import configure
configure("info", process="collector")
try:
    try:
        raise KeyError("secret of the cause")
    except KeyError as cause:
        raise ValueError("secret https://host.example/secret") from cause
except ValueError as error:
    {fall}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    [line] = [json.loads(line) for line in (done.stderr + done.stdout).splitlines()]
    assert "of the cause" not in json.dumps(line)
    assert "host.example" not in json.dumps(line)
    assert line["process"] == "collector"


def test_the_last_words_of_a_service_name_the_error_but_not_its_message() -> None:
    code = """
from monitors.logs import configure
configure("info", process="collector")
raise ValueError(("sec" + "ret") * 2)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ValueError" in done.stderr
    assert "secretsecret" not in done.stderr
