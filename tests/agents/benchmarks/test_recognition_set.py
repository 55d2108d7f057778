"""`agents.benchmarks.recognition_set`."""

import json
from pathlib import Path

import pytest

from agents.benchmarks.recognition_set import film_of, half_of, load_set, together
from streams.errors import ConfigurationError


def test_copies_know_their_reference_and_the_others_none(folder: Path) -> None:
    media = load_set(folder).kinds["image"]
    assert media.truth.tolist() == [0, 1, 2, 3, -1, -1, -1, -1]
    assert media.edits[:4] == ["same"] * 4


def test_halves_share_no_source_and_lose_none(folder: Path) -> None:
    media = load_set(folder).kinds["image"]
    first, second = (media.part(half) for half in (0, 1))
    assert sorted([*first[0], *second[0]]) == list(range(len(media.posts)))
    assert sorted([*first[1], *second[1]]) == list(range(len(media.references)))
    for half, (posts, _) in enumerate((first, second)):
        assert {half_of(media.posts[i].source) for i in posts} <= {half}


def test_a_sample_is_the_same_each_time(folder: Path) -> None:
    media = load_set(folder).kinds["image"]
    one, other = media.sample(2), media.sample(2)
    assert one.posts == other.posts
    assert [post.reference >= 0 for post in one.posts].count(True) == 2


def test_what_shares_content_is_neither_a_find_nor_a_false_alarm(
    folder: Path, tmp_path: Path
) -> None:
    media = load_set(folder).kinds["image"]
    pair = [media.references[0].id, media.posts[-1].source]
    groups = tmp_path / "same.json"
    groups.write_text(json.dumps({"toy": [pair]}))
    ignored = load_set(folder, groups).kinds["image"].ignored
    assert ignored[-1, 0]
    assert ignored.sum() == 1


def test_together_every_post_keeps_its_reference(folder: Path) -> None:
    kinds = load_set(folder).kinds
    apart, mixed = list(kinds.values()), together(list(kinds.values()))
    assert len(mixed.references) == sum(len(one.references) for one in apart)
    assert mixed.ignored.shape == (len(mixed.posts), len(mixed.references))
    theirs = [
        one.references[post.reference].id if post.reference >= 0 else None
        for one in apart
        for post in one.posts
    ]
    ours = [
        mixed.references[post.reference].id if post.reference >= 0 else None for post in mixed.posts
    ]
    assert ours == theirs
    assert [post.file for post in mixed.posts] == [p.file for one in apart for p in one.posts]


def test_parts_of_a_film_belong_together() -> None:
    assert film_of("clip-20") == film_of("clip-40") == "clip"
    assert film_of("clip") == "clip"


def test_no_set_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no built set"):
        load_set(tmp_path)
