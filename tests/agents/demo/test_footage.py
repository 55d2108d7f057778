"""Recipes of what moves and sounds give bytes."""

import pytest

from agents.demo.encoding import encode_sound
from agents.demo.footage import AnimationRecipe, Clip, FilmRecipe, SoundRecipe, Tune
from agents.demo.rendering import Picture, Renderable

TUNE = Tune(seed=1, style=2, seconds=4.0)
CLIP = Clip(pictures=(Picture(kind="city", seed=3),), seed=5, tune=TUNE)
OTHER = Clip(pictures=(Picture(kind="marble", seed=3),), seed=6, tune=TUNE)


@pytest.mark.parametrize(
    "recipe",
    [
        FilmRecipe(file="v.mp4", clip=CLIP, edit="inside", other=OTHER, seed=1),
        AnimationRecipe(file="a.webp", clip=CLIP, seed=1),
        SoundRecipe(file="s.mp3", tune=TUNE, edit="noisy", seed=1),
    ],
    ids=lambda recipe: recipe.file,
)
def test_equal_recipes_give_equal_bytes(recipe: Renderable) -> None:
    assert recipe.to_bytes({}) == recipe.to_bytes({})


def test_an_edit_changes_what_is_published() -> None:
    plain = FilmRecipe(file="v.mp4", clip=CLIP)
    edited = FilmRecipe(file="v.mp4", clip=CLIP, edit="mirrored")
    assert plain.to_bytes({}) != edited.to_bytes({})


def test_a_tune_as_it_is_has_no_edit() -> None:
    recipe = SoundRecipe(file="s.wav", tune=TUNE)
    assert recipe.to_bytes({}) == encode_sound(TUNE.play(), "wav")
