"""A film, a sound and an animated picture, from the push endpoint to their takedown tasks."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from agents.demo.footage import AnimationRecipe, Clip, FilmRecipe, SoundRecipe, Tune
from agents.demo.rendering import Picture, Renderable
from monitors.tables import locations, tasks
from streams.schemas import post_key
from tests.end_to_end.instance import Instance, MediaHost, an_instance

pytestmark = [pytest.mark.slow, pytest.mark.models, pytest.mark.timeout(400)]

END_SECONDS = 240


def clip(kind: str, other: str, seed: int) -> Clip:
    pictures = (Picture(kind=kind, seed=seed), Picture(kind=other, seed=seed))
    return Clip(pictures=pictures, seed=seed, tune=Tune(seed=seed, style=seed, seconds=10.0))


FILM = clip("landscape", "city", 1001)
UNRELATED = clip("marble", "shore", 7)
TUNE, OTHER_TUNE = Tune(seed=21, style=5), Tune(seed=22, style=5)

SERVED: Mapping[str, Renderable] = {
    "copy": FilmRecipe(file="v.mp4", clip=FILM, edit="cropped", seed=1),
    "mirrored": FilmRecipe(file="w.mp4", clip=FILM, edit="mirrored", seed=1),
    "animation": AnimationRecipe(file="a.gif", clip=FILM, seed=1),
    "sound": SoundRecipe(file="s.mp3", tune=TUNE, edit="noisy", seed=1),
    "other_film": FilmRecipe(file="x.mp4", clip=UNRELATED, edit="cropped", seed=1),
    "other_sound": SoundRecipe(file="t.m4a", tune=OTHER_TUNE, edit="noisy", seed=1),
    "other_animation": AnimationRecipe(file="b.webp", clip=UNRELATED, seed=1),
}

POSTS: Mapping[str, tuple[str, str]] = {
    "1": ("copy", "one.example"),
    "2": ("mirrored", "one.example"),
    "3": ("animation", "two.example"),
    "4": ("sound", "one.example"),
    "5": ("other_film", "one.example"),
    "6": ("other_sound", "two.example"),
    "7": ("other_animation", "three.example"),
}
"""Medium and host of each post; the first four are planted."""

KEYS = {("film", "one.example"): 2, ("film", "two.example"): 1, ("sound", "one.example"): 1}
"""The tasks that must open, each with its locations."""


def enrol(instance: Instance, folder: Path) -> dict[str, str]:
    """Register the film and the sound in cases of their own; give each reference's name by id."""
    references: dict[str, Renderable] = {
        "film": FilmRecipe(file="film.mp4", clip=FILM),
        "sound": SoundRecipe(file="sound.wav", tune=TUNE),
    }
    names = {}
    for name, recipe in references.items():
        path = folder / recipe.file
        path.write_bytes(recipe.to_bytes({}))
        words = ("--age-class", "adult", "--basis", "victim_request")
        [case] = instance.haechi("case", "open", "--alias", f"case-{name}", *words)
        [added] = instance.haechi("case", "reference", "add", case["case"], str(path))
        assert added["outcome"] == "enrolled"
        names[added["reference"]] = name
    return names


def test_every_kind_of_medium_ends_in_its_outcome_and_in_one_task_a_key(tmp_path: Path) -> None:
    files = {f"/{one.file}": one.to_bytes({}) for one in SERVED.values()}
    with MediaHost(files) as host:
        instance = an_instance(
            tmp_path / "home",
            workers=1,
            engine_children=1,
            decoder_children=1,
            fetch_allow=frozenset({host.origin}),
        )
        names = enrol(instance, tmp_path)
        posts = [
            {
                "id": number,
                "url": f"https://{board}/{number}",
                "media": [{"url": f"{host.origin}/{SERVED[medium].file}", "kind": "unknown"}],
            }
            for number, (medium, board) in POSTS.items()
        ]
        with instance:
            instance.wait_until_ready()
            instance.push(posts)
            instance.push(posts)
            instance.wait(lambda: len(instance.outcomes()) == len(POSTS), END_SECONDS, "outcomes")
            assert instance.stop() == 0
        ended = instance.outcomes()
        for number, (medium, _) in POSTS.items():
            expected = ("clear" if medium.startswith("other") else "sighted", None)
            assert ended[post_key("push", number)] == expected, medium
        with instance.database.read() as connection:
            found = connection.execute(
                sa.select(tasks.c.id, tasks.c.host, locations.c.reference_id).join(
                    locations, locations.c.task_id == tasks.c.id
                )
            ).all()
        per_task: dict[str, list[tuple[str, str]]] = {}
        for row in found:
            per_task.setdefault(row.id, []).append((names[row.reference_id], row.host))
        keys = [(places[0], len(places)) for places in per_task.values()]
        assert sorted(keys) == sorted(KEYS.items())
