"""`gpu_kernels.textboxes`: a network that marks what it is told to stands in for the detector."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.network import Inputs, Outputs
from gpu_kernels.textboxes import TextBox, boxes_in, find_boxes, lines_of, may_hold_text

BOX = TextBox(x=100, y=50, width=80, height=20, angle=0, confidence=1)


class Marking:
    """Marks white pixels as text."""

    def run(self, inputs: Inputs, /) -> Outputs:
        (pictures,) = inputs
        assert all(side % 32 == 0 for side in pictures.shape[2:])
        return [(pictures.min(axis=1, keepdims=True) > 0.5).astype(np.float32)]

    def close(self) -> None:
        """Hold nothing."""


def marked(*boxes: TextBox) -> NDArray[np.float32]:
    page = np.zeros((200, 400), np.uint8)
    for box in boxes:
        cv2.fillPoly(page, [np.round(box.corners()).astype(np.int32)], 1)
    return page.astype(np.float32)


@pytest.mark.parametrize("angle", [0, 20, -30, 80])
def test_a_box_is_drawn_around_a_mark_and_let_out(angle: float) -> None:
    (found,) = boxes_in(marked(replace(BOX, x=200, y=100, angle=angle)))
    assert [found.x, found.y] == pytest.approx([200, 100], abs=1)
    assert found.angle == pytest.approx(angle, abs=2)
    assert found.height > 30
    assert found.width > 90
    assert found.confidence > 0.8


def test_specks_and_faint_marks_are_no_text() -> None:
    assert boxes_in(marked(replace(BOX, width=2, height=1))) == []
    assert boxes_in(0.4 * marked(BOX)) == []


def test_boxes_are_given_in_pixels_of_a_large_picture() -> None:
    picture = np.zeros((1000, 2000, 3), np.uint8)
    picture[500:560, 400:1000] = 255
    (found,) = find_boxes(picture, Marking())
    assert [found.x, found.y] == pytest.approx([700, 530], abs=6)


def test_words_beside_each_other_are_one_line() -> None:
    (line,) = lines_of([BOX, replace(BOX, x=190, y=52)])
    assert line.width == pytest.approx(170, abs=4)


@pytest.mark.parametrize(
    "other",
    [
        replace(BOX, y=75),
        replace(BOX, x=260),
        replace(BOX, x=190, height=40),
        replace(BOX, x=190, angle=20),
    ],
)
def test_what_stands_apart_is_another_line(other: TextBox) -> None:
    assert len(lines_of([BOX, other])) == 2


def test_a_glance_tells_a_plain_picture_from_a_written_one() -> None:
    picture = np.zeros((720, 1280, 3), np.uint8)
    assert not may_hold_text(picture, Marking())
    picture[300:330, 400:700] = 255
    assert may_hold_text(picture, Marking())


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 4000), (31, 33)])
def test_odd_pictures_do_no_harm(shape: tuple[int, int]) -> None:
    for level in (0, 255):
        picture = np.full((*shape, 3), level, np.uint8)
        may_hold_text(picture, Marking())
        find_boxes(picture, Marking())
