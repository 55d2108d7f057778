"""`gpu_kernels.tesseract`, as far as no language is needed; the rest is in `test_lettering`."""

from pathlib import Path

import numpy as np
import pytest

from gpu_kernels.errors import ModelError
from gpu_kernels.tesseract import HEIGHT, find_languages, renderings


def test_a_missing_language_is_told_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "eng.traineddata").touch()
    with pytest.raises(ModelError, match="apt-get install -y tesseract-ocr-kor"):
        find_languages(tmp_path)


def test_languages_are_found_where_they_are(tmp_path: Path) -> None:
    for name in ("kor", "eng"):
        (tmp_path / f"{name}.traineddata").touch()
    assert find_languages(tmp_path) == tmp_path


@pytest.mark.parametrize("letters", [(255, 255, 255), (255, 230, 0), (0, 0, 0), (200, 30, 40)])
def test_one_rendering_draws_letters_of_any_colour_dark_on_light(
    letters: tuple[int, int, int],
) -> None:
    line = np.random.default_rng(1).integers(90, 150, (HEIGHT, 200, 3)).astype(np.uint8)
    inside = np.zeros((HEIGHT, 200), bool)
    inside[14:34, 20:180:20] = inside[14:34, 21:180:20] = inside[14:34, 22:180:20] = True
    line[inside] = letters
    contrasts = [
        float(grey[~inside].mean()) - float(grey[inside].mean()) for grey in renderings(line)
    ]
    assert max(contrasts) > 150


@pytest.mark.parametrize("width", [1, 24, 1920])
def test_a_flat_line_does_no_harm(width: int) -> None:
    line = np.full((HEIGHT, width, 3), 77, np.uint8)
    assert all(grey.shape == (HEIGHT, width) for grey in renderings(line))
