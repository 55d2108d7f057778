"""`gpu_kernels.lettering`, with the real detector and reader."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from gpu_kernels.errors import ModelError
from gpu_kernels.lettering import Lettering, LetteringEngine, Line, TextMemory
from gpu_kernels.tesseract import find_languages
from gpu_kernels.views import Box, Picture
from tests.weights import text_detector

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"
SHAPES = [(1, 1), (1, 3000), (3000, 1), (2, 2000), (400, 400)]
LETTERING = Lettering(
    lines=(
        Line(text="해치공주 영상", box=Box(0.1, 0.2, 0.5, 0.3), confidence=0.5),
        Line(text="blue chair", box=Box(0, 0.5, 1, 1), confidence=1.0),
    )
)


@pytest.fixture(scope="module")
def engine() -> Iterator[LetteringEngine]:
    try:
        find_languages()
    except ModelError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    opened = LetteringEngine(text_detector())
    yield opened
    opened.close()


def gradient() -> Picture:
    rows, columns = np.mgrid[0:480, 0:854]
    return np.stack([rows // 3, columns // 5, 90 + rows // 6], axis=-1).astype(np.uint8)


def photograph(name: str) -> Picture:
    return np.asarray(getattr(data, name)(), np.uint8)


def written(ground: Picture, *lines: str, size: int = 40, angle: float = 0) -> Picture:
    """Draw captions in white with a dark outline."""
    image = Image.fromarray(ground)
    for row, line in enumerate(lines):
        font = ImageFont.truetype(FONT, size, index=1)
        place = (40, 60 + 120 * row)
        ImageDraw.Draw(image).text(
            place, line, font=font, fill=(255, 255, 255), stroke_width=3, stroke_fill=(0, 0, 0)
        )
    return np.asarray(image.rotate(angle, fillcolor=(90, 90, 90)))


def words(found: Lettering) -> list[str]:
    return [line.text.replace(" ", "") for line in found.lines]


@pytest.mark.models
def test_korean_and_english_captions_are_read(engine: LetteringEngine) -> None:
    picture = written(gradient(), "오늘의 해치공주 영상", "haechi princess tonight")
    found = engine.read(picture)
    assert words(found) == ["오늘의해치공주영상", "haechiprincesstonight"]
    assert found.lines[0].box.y1 < found.lines[1].box.y0 + 0.1
    assert engine.may_hold_text(picture)


@pytest.mark.models
def test_captions_over_a_photograph_are_read(engine: LetteringEngine) -> None:
    found = engine.read(written(photograph("coffee"), "김민지 선생님 영상"))
    assert any("김민지" in line for line in words(found))


@pytest.mark.models
def test_turned_captions_are_read(engine: LetteringEngine) -> None:
    for angle in (8, 90):
        ground = np.full((700, 700, 3), 90, np.uint8)
        found = engine.read(written(ground, "절대 저장하지 마세요", angle=angle))
        assert words(found) == ["절대저장하지마세요"]


@pytest.mark.models
@pytest.mark.parametrize("shape", SHAPES)
def test_flat_pictures_of_any_shape_hold_nothing(
    engine: LetteringEngine, shape: tuple[int, int]
) -> None:
    picture = np.full((*shape, 3), 120, np.uint8)
    assert engine.read(picture) == Lettering()
    assert not engine.may_hold_text(picture)


@pytest.mark.models
def test_a_photograph_without_letters_holds_nothing(engine: LetteringEngine) -> None:
    assert engine.read(photograph("chelsea")) == Lettering()


@pytest.mark.models
def test_only_as_many_lines_as_asked_for_are_read(engine: LetteringEngine) -> None:
    picture = written(gradient(), "첫째 줄입니다", "둘째 줄입니다", "셋째 줄입니다")
    assert len(engine.read(picture, max_lines=2).lines) == 2


@pytest.mark.models
def test_a_caption_that_stays_is_read_once(
    engine: LetteringEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, picture = TextMemory(), written(gradient(), "오늘의 해치공주 영상")
    first = engine.read(picture, memory=memory)
    changed = engine.read(written(gradient(), "내일의 해치공주 영상"), memory=memory)
    monkeypatch.delattr(engine, "_reader")
    assert engine.read(np.minimum(picture, 250), memory=memory).lines[0].text == first.lines[0].text
    assert words(changed) == ["내일의해치공주영상"]


class Slow:
    """A reader that is sure of nothing, and says what it was given."""

    def __init__(self) -> None:
        self.columns: list[int] = []

    def read(self, line: Picture) -> Iterator[tuple[str, float]]:
        for attempt in range(7):
            self.columns.append(line.shape[1])
            yield f"attempt {attempt}", 0.6 + attempt / 100


@pytest.fixture
def slow(engine: LetteringEngine, monkeypatch: pytest.MonkeyPatch) -> Slow:
    reader = Slow()
    monkeypatch.setattr(engine, "_reader", reader)
    return reader


CAPTIONS = ("first line of letters", "second line of letters", "third line of letters")


@pytest.mark.models
def test_a_picture_of_unreadable_lines_ends_with_its_columns(
    engine: LetteringEngine, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = written(gradient(), *CAPTIONS)
    engine.read(picture)
    whole, each = len(slow.columns), slow.columns[:3]
    assert whole == 7 * 3
    slow.columns.clear()
    monkeypatch.setattr("gpu_kernels.lettering.MAX_COLUMNS", sum(each) + 1)
    found = engine.read(picture)
    assert slow.columns == [*each, each[0]]  # every line once, then the first again
    assert [line.text for line in found.lines].count("attempt 0") == 2
    assert not found.late


@pytest.mark.models
def test_reading_ends_with_its_budget_between_two_renderings(
    engine: LetteringEngine, slow: Slow
) -> None:
    picture, memory = written(gradient(), *CAPTIONS), TextMemory()
    found = engine.read(picture, budget_seconds=1e-6, memory=memory)
    assert (found.late, len(slow.columns), len(found.lines)) == (True, 1, 1)
    assert found.seconds > 0
    again = engine.read(picture, budget_seconds=60, memory=memory)  # what was cut is not recalled
    assert (again.late, len(slow.columns)) == (False, 1 + 7 * 3)


@pytest.mark.parametrize("lettering", [LETTERING, Lettering(late=True, seconds=1.5)])
def test_lettering_comes_back_as_it_went(lettering: Lettering) -> None:
    back = Lettering.from_arrays(lettering.to_arrays())
    assert [line.text for line in back.lines] == [line.text for line in lettering.lines]
    assert (back.late, back.seconds) == (lettering.late, lettering.seconds)
    for one, other in zip(back.lines, lettering.lines, strict=True):
        assert one.box == pytest.approx(other.box)
        assert one.confidence == pytest.approx(other.confidence)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("boxes", np.zeros((1, 4), np.float32)),
        ("boxes", np.full((2, 4), np.nan, np.float32)),
        ("boxes", np.full((2, 4), 1.5, np.float32)),
        ("boxes", np.array([[0.5, 0, 0.1, 1]] * 2, np.float32)),
        ("boxes", np.zeros((2, 4), np.float64)),
        ("confidences", np.array([0.5, -0.1], np.float32)),
        ("late", np.array([2], np.uint8)),
        ("seconds", np.array([np.nan], np.float32)),
        ("ends", np.array([0, 3], np.int64)),
        ("utf8", np.zeros(0, np.uint8)),
    ],
)
def test_what_is_no_lettering_is_refused(name: str, array: NDArray[Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each for its own reason
        Lettering.from_arrays(LETTERING.to_arrays() | {name: array})
