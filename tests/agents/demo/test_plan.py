"""The plan's small truths."""

import json

import pytest

from agents.demo.plan import Kind, kind_of
from agents.demo.stream import build_stream


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("m/00012.webp", Kind.PICTURE),
        ("gone/1.jpg", Kind.PICTURE),
        ("m/v0001.mp4", Kind.FILM),
        ("m/a0001.gif", Kind.ANIMATION),
        ("s0001.wav", Kind.SOUND),
        ("http://192.168.77.7/v.jpg", Kind.PICTURE),
    ],
)
def test_a_medium_s_kind_is_in_its_name(file: str, kind: Kind) -> None:
    assert kind_of(file) is kind


def test_boards_claim_what_boards_claim() -> None:
    claims = {kind: kind.claimed for kind in Kind}
    assert claims == {
        Kind.PICTURE: "image",
        Kind.FILM: "video",
        Kind.ANIMATION: "image",
        Kind.SOUND: "audio",
    }


def test_every_medium_that_is_served_is_published_by_its_kind() -> None:
    stream = build_stream(1)
    lines = [json.loads(line) for line in stream.to_lines("http://h")]
    served = {f"http://h/m/{one.file}" for one in stream.media}
    published = {medium["url"]: medium["kind"] for line in lines for medium in line["media"]}
    assert served <= set(published)
    assert all(
        published[f"http://h/m/{one.file}"] == kind_of(one.file).claimed for one in stream.media
    )
    assert sum(stream.count_by_kind().values()) == len(stream.media)
