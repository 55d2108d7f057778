"""`dashboards.console.pages`."""

from typing import Any

import jinja2
import pytest
from fastapi import Request

from dashboards.console.pages import FOLDER, render, render_error


def request(language: str = "") -> Request:
    headers = [(b"accept-language", language.encode())]
    return Request({"type": "http", "headers": headers, "path": "/<secret>", "method": "GET"})


def page(**values: Any) -> str:
    return bytes(render(request(), "login.html", **values).body).decode()


def test_values_are_escaped() -> None:
    shown = page(error=None, csrf='"><script>alert(1)</script>', next="")
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_value_that_is_missing_is_a_bug_not_a_blank() -> None:
    with pytest.raises(jinja2.UndefinedError):
        page(error=None, next="")


@pytest.mark.parametrize(("language", "words"), [("", "no such page"), ("ko", "그런 화면이 없")])
def test_an_error_is_told_in_the_readers_language_and_says_nothing_more(
    language: str, words: str
) -> None:
    response = render_error(request(language), 404)
    text = bytes(response.body).decode()
    assert response.status_code == 404
    assert words in text
    assert f'<html lang="{language or "en"}">' in text
    assert "secret" not in text


def test_no_template_loads_anything_from_elsewhere_or_runs_a_script() -> None:
    forbidden = "<script <img <video <audio <iframe // style= onclick |safe".split()
    for template in (FOLDER / "templates").glob("*.html"):
        text = template.read_text()
        assert not [bad for bad in forbidden if bad in text], template
