"""Recipes give bytes."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from agents.demo.rendering import PHOTOGRAPH, Picture, Recipe, render, render_all

CITY = Picture(kind="city", seed=4)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_equal_recipes_give_equal_bytes_in_the_format_asked_for(form: str) -> None:
    recipe = Recipe(file="a", picture=CITY, edit="crop", seed=3, format=form)
    content = render(recipe, {})
    assert content == render(recipe, {})
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.format == form


def test_a_photograph_is_read_from_its_file(tmp_path: Path) -> None:
    Image.new("L", (1800, 900), 90).save(tmp_path / "grey.png")
    recipe = Recipe(file="a", picture=Picture(kind=PHOTOGRAPH, name="grey"), format="PNG")
    with Image.open(io.BytesIO(render(recipe, {"grey": tmp_path / "grey.png"}))) as opened:
        assert (opened.size, opened.mode) == ((900, 450), "RGB")


def test_a_tinted_picture_has_another_s_colours_and_its_own_forms() -> None:
    own, like = render(Recipe(file="a", picture=CITY, format="PNG"), {}), Picture(kind="shapes")
    recipe = Recipe(file="a", picture=CITY, tinted_like=like, format="PNG")
    tinted, wanted = render(recipe, {}), render(Recipe(file="b", picture=like, format="PNG"), {})

    def pixels(content: bytes) -> NDArray[np.float64]:
        return np.asarray(Image.open(io.BytesIO(content)), np.float64).reshape(-1, 3)

    assert np.abs(pixels(tinted).mean(0) - pixels(wanted).mean(0)).max() < 12
    assert np.abs(pixels(own).mean(0) - pixels(wanted).mean(0)).max() > 12
    assert np.corrcoef(pixels(tinted)[:, 1], pixels(own)[:, 1])[0, 1] > 0.9


def test_a_cut_off_file_cannot_be_loaded() -> None:
    whole = render(Recipe(file="a", picture=CITY), {})
    cut = render(Recipe(file="a", picture=CITY, keep=0.2), {})
    assert cut == whole[: len(cut)]
    with pytest.raises((OSError, UnidentifiedImageError)):
        Image.open(io.BytesIO(cut)).load()


async def test_several_processes_write_what_one_would(tmp_path: Path) -> None:
    recipes = [Recipe(file=f"{n}.jpg", picture=Picture(kind="shapes", seed=n)) for n in range(6)]
    written = [name async for name in render_all(recipes, {}, tmp_path / "media", processes=2)]
    assert sorted(written) == [recipe.file for recipe in recipes]
    for recipe in recipes:
        assert (tmp_path / "media" / recipe.file).read_bytes() == render(recipe, {})


async def test_closing_early_leaves_the_rest(tmp_path: Path) -> None:
    recipes = [Recipe(file=f"{n}.jpg", picture=Picture(kind="shapes", seed=n)) for n in range(60)]
    writing = render_all(recipes, {}, tmp_path / "media", processes=1)
    await anext(writing)
    await writing.aclose()
    assert len(list((tmp_path / "media").iterdir())) < 30
