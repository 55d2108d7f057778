"""`agents.benchmarks.image_set`."""

import json
from pathlib import Path

import pytest

from agents.benchmarks.image_set import ImageSet, load_image_set
from streams.errors import ConfigurationError

SOURCES = [f"{n:016x}" for n in range(40)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten references with two edits each, thirty unrelated sources with two posts each."""
    labels = {
        "set": "toy",
        "image": {
            "refs": [{"id": one, "file": f"refs/{one}.jpg"} for one in SOURCES[:10]],
            "queries": [
                {"file": f"queries/{edit}/{one}.jpg", "ref": one, "attack": edit}
                for one in SOURCES[:10]
                for edit in ("crop", "flip")
            ],
            "distractors": [
                {"file": f"distractors/{one}_{edit or 'raw'}.jpg", "attack": edit}
                for one in SOURCES[10:]
                for edit in (None, "crop")
            ],
        },
    }
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    return tmp_path


def test_posts_know_their_reference_edit_and_source(folder: Path) -> None:
    images = load_image_set(folder)
    assert images.name == "toy"
    assert images.truth.tolist() == [i for i in range(10) for _ in range(2)] + [-1] * 60
    assert images.edits[:2] == ["crop", "flip"]
    assert images.edits[20:22] == ["", "crop"]
    assert images.posts[20].source == SOURCES[10]
    assert not images.ignored.any()


def sources(images: ImageSet, half: int) -> set[str]:
    posts, references = images.half(half)
    of_references = {Path(images.references[i]).stem for i in references}
    return {images.posts[i].source for i in posts} | of_references


def test_the_halves_share_no_source_and_leave_nothing_out(folder: Path) -> None:
    images = load_image_set(folder)
    assert sources(images, 0) & sources(images, 1) == set()
    assert sources(images, 0) | sources(images, 1) == set(SOURCES)
    assert len(images.half(0)[0]) + len(images.half(1)[0]) == 80


def test_copies_stay_with_their_reference(folder: Path) -> None:
    images = load_image_set(folder)
    posts, references = images.half(1)
    mine = {images.posts[i].reference for i in posts} - {-1}
    assert mine == set(references.tolist())


def test_pairs_that_share_content_are_ignored_but_copies_never(folder: Path) -> None:
    groups = {"toy": [[SOURCES[0], SOURCES[1], SOURCES[12]]], "other": [[SOURCES[3], SOURCES[4]]]}
    (folder / "same_content.json").write_text(json.dumps(groups))
    images = load_image_set(folder)
    assert images.ignored[0].tolist() == [False, True, *[False] * 8]
    first = next(i for i, post in enumerate(images.posts) if post.source == SOURCES[12])
    assert images.ignored[first].tolist() == [True, True, *[False] * 8]
    assert int(images.ignored.sum()) == 2 + 2 + 2 * 2


@pytest.mark.parametrize("content", [None, "{}", "junk"], ids=["none", "no images", "no json"])
def test_what_is_no_set_is_a_configuration_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "labels.json").write_text(content)
    with pytest.raises(ConfigurationError, match="no built image set"):
        load_image_set(tmp_path)
