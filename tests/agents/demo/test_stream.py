"""The stream knows the truth about its posts."""

from collections import Counter

import pytest

from agents.demo.edits import EDITS
from agents.demo.plan import Kind
from agents.demo.stream import build_stream
from streams.schemas import NewPost


def test_a_seed_draws_the_stream() -> None:
    assert build_stream(5) == build_stream(5)
    assert build_stream(5).posts != build_stream(6).posts


@pytest.mark.parametrize("seed", [1, 7])
def test_it_is_as_large_as_the_demo_promises(seed: int) -> None:
    stream = build_stream(seed)
    assert len(stream.cases) >= 4
    assert sum(len(case.references) for case in stream.cases) >= 8
    assert sum(bool(post.media) for post in stream.posts) >= 320
    assert stream.planted >= 45
    assert any(not post.media for post in stream.posts)
    assert sum(len(post.media) > 1 for post in stream.posts) >= 10


def test_every_edit_is_planted_and_has_its_look_alikes() -> None:
    stream = build_stream(3)
    every = [one for post in stream.posts for one in post.planted]
    planted = Counter(one.edit for one in every if one.kind is Kind.PICTURE)
    assert set(planted) == set(EDITS)
    references = {one.picture for case in stream.cases for one in case.references}
    harmless = Counter(one.edit for one in stream.recipes if one.picture not in references)
    assert all(harmless[edit] >= 4 for edit in EDITS)


def test_every_reference_has_look_alikes_of_its_colours() -> None:
    stream = build_stream(3)
    references = {one.picture for case in stream.cases for one in case.references}
    tinted = [one for one in stream.recipes if one.tinted_like is not None]
    assert {one.tinted_like for one in tinted} == references
    assert not references & {one.picture for one in tinted}


def test_a_post_shows_a_reference_exactly_when_it_is_planted() -> None:
    stream = build_stream(4)
    references = {one.picture for case in stream.cases for one in case.references}
    shows = {f"m/{one.file}" for one in stream.recipes if one.picture in references}
    for post in stream.posts:
        of_pictures = [one for one in post.planted if one.kind is Kind.PICTURE]
        assert bool(of_pictures) == bool(shows.intersection(post.media))
    behind = [one.other for one in stream.recipes if one.other is not None]
    assert not references.intersection(behind)


def test_every_reference_is_planted() -> None:
    stream = build_stream(9)
    planted = {(one.case, one.reference) for post in stream.posts for one in post.planted}
    assert planted == {(case.alias, one.file) for case in stream.cases for one in case.footage}


def test_each_line_is_a_post_that_a_source_accepts() -> None:
    stream = build_stream(2)
    lines = list(stream.to_lines("http://127.0.0.1:9"))
    posts = [NewPost.model_validate_json(line) for line in lines]
    assert len({post.id for post in posts}) == len(stream.posts)
    for post, planned in zip(posts, stream.posts, strict=True):
        assert len(post.media) == len(planned.media)
        assert post.url.startswith("https://board-")


def test_some_posts_are_hostile() -> None:
    urls = {url for post in build_stream(2).posts for url in post.media}
    for start in (
        "gone/",
        "redirect/",
        "drop/",
        "page/",
        "huge/",
        "http://192.168.",
        "http://[::1]",
    ):
        assert any(url.startswith(start) for url in urls)
    assert any(recipe.keep < 1 for recipe in build_stream(2).recipes)
