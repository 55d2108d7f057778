"""What the demo's boards publish that moves or sounds: re-uploads and look-alikes of each kind."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agents.demo.encoding import SOUND_FORMATS
from agents.demo.films import FILM_EDITS, WITH_ANOTHER_FILM
from agents.demo.footage import (
    FILM_SECONDS,
    TUNE_SECONDS,
    AnimationRecipe,
    Clip,
    FilmRecipe,
    SoundRecipe,
    Tune,
)
from agents.demo.plan import DemoCase, Kind, Planted
from agents.demo.rendering import Picture, Renderable
from agents.demo.tunes import SOUND_EDITS

PLANTED_OF_EACH_FILM_EDIT = 2
LOOK_ALIKES_OF_EACH_FILM_EDIT = 2
PLANTED_OF_EACH_SOUND_EDIT = 2
LOOK_ALIKES_OF_EACH_SOUND_EDIT = 2
ANIMATIONS = 4
"""Planted, and again as many look-alikes."""

DrawUnrelated = Callable[[], Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """One medium that a post publishes.

    Args:
        recipe: of the medium.
        planted: the truth; None of what is nobody's.
    """

    recipe: Renderable
    planted: Planted | None = None


class Studio:
    """Shoots films and plays tunes for cases, and look-alikes of them.

    Args:
        chance: where all of it comes from.
        photograph: gives a photograph of nobody's case.
        drawing: gives a drawing that was not given before.
    """

    def __init__(
        self, chance: random.Random, photograph: DrawUnrelated, drawing: DrawUnrelated
    ) -> None:
        self._chance = chance
        self._photograph = photograph
        self._drawing = drawing
        self._styles: list[int] = []
        self._count = 0

    def film_of(self, pictures: Sequence[Picture], file: str) -> FilmRecipe:
        """Shoot a reference."""
        clip = Clip(pictures=tuple(pictures), seed=self._seed(), tune=self._own_tune(FILM_SECONDS))
        return FilmRecipe(file=file, clip=clip)

    def sound_of(self, file: str) -> SoundRecipe:
        """Play a reference."""
        return SoundRecipe(file=file, tune=self._own_tune(TUNE_SECONDS))

    def offerings(
        self,
        films: Sequence[tuple[DemoCase, FilmRecipe]],
        sounds: Sequence[tuple[DemoCase, SoundRecipe]],
    ) -> Iterator[Offering]:
        """Plan every medium.

        Args:
            films: of the cases, each with its case.
            sounds: likewise.
        """
        yield from self._films(films)
        yield from self._animations(films)
        yield from self._sounds(sounds)
        for case, film in films:  # the film's sound without its pictures
            yield self._sound(case, film.file, film.clip.tune, "compressed")

    def _films(self, films: Sequence[tuple[DemoCase, FilmRecipe]]) -> Iterator[Offering]:
        for edit in FILM_EDITS:
            for number in range(PLANTED_OF_EACH_FILM_EDIT):
                yield self._film(*films[(self._count + number) % len(films)], edit)
            for number in range(LOOK_ALIKES_OF_EACH_FILM_EDIT):
                clip = self._unrelated(photograph=number % 2 == 0)
                yield Offering(recipe=self._edited(clip, edit))

    def _animations(self, films: Sequence[tuple[DemoCase, FilmRecipe]]) -> Iterator[Offering]:
        for number in range(ANIMATIONS):
            yield self._animation(*films[number % len(films)])
            clip = self._unrelated(photograph=number % 2 == 0)
            yield Offering(recipe=self._animated(clip))

    def _sounds(self, sounds: Sequence[tuple[DemoCase, SoundRecipe]]) -> Iterator[Offering]:
        for edit in SOUND_EDITS:
            for number in range(PLANTED_OF_EACH_SOUND_EDIT):
                case, sound = sounds[number % len(sounds)]
                yield self._sound(case, sound.file, sound.tune, edit)
            for _ in range(LOOK_ALIKES_OF_EACH_SOUND_EDIT):
                yield Offering(recipe=self._played(self._unrelated_tune(TUNE_SECONDS), edit))

    def _film(self, case: DemoCase, film: FilmRecipe, edit: str) -> Offering:
        pictures = tuple(one.file for one in case.references)
        planted = Planted(
            case=case.alias,
            reference=film.file,
            edit=f"film_{edit}",
            kind=Kind.FILM,
            also=() if edit == "borrowed_sound" else pictures,
        )
        return Offering(recipe=self._edited(film.clip, edit), planted=planted)

    def _animation(self, case: DemoCase, film: FilmRecipe) -> Offering:
        planted = Planted(
            case=case.alias,
            reference=film.file,
            edit="animation",
            kind=Kind.ANIMATION,
            also=tuple(one.file for one in case.references),
        )
        return Offering(recipe=self._animated(film.clip), planted=planted)

    def _sound(self, case: DemoCase, file: str, tune: Tune, edit: str) -> Offering:
        planted = Planted(case=case.alias, reference=file, edit=f"sound_{edit}", kind=Kind.SOUND)
        return Offering(recipe=self._played(tune, edit), planted=planted)

    def _edited(self, clip: Clip, edit: str) -> FilmRecipe:
        return FilmRecipe(
            file=self._name("v", "mp4"),
            clip=clip,
            edit=edit,
            other=self._unrelated(photograph=False) if edit in WITH_ANOTHER_FILM else None,
            seed=self._seed(),
        )

    def _animated(self, clip: Clip) -> AnimationRecipe:
        suffix = self._chance.choice(("gif", "webp"))
        return AnimationRecipe(file=self._name("a", suffix), clip=clip, seed=self._seed())

    def _played(self, tune: Tune, edit: str) -> SoundRecipe:
        suffix = self._chance.choice(SOUND_FORMATS)
        return SoundRecipe(file=self._name("s", suffix), tune=tune, edit=edit, seed=self._seed())

    def _unrelated(self, *, photograph: bool) -> Clip:
        draw = self._photograph if photograph else self._drawing
        tune = self._unrelated_tune(FILM_SECONDS)
        return Clip(pictures=(draw(), draw()), seed=self._seed(), tune=tune)

    def _own_tune(self, seconds: float) -> Tune:
        self._styles.append(self._seed())
        return Tune(seed=self._seed(), style=self._styles[-1], seconds=seconds)

    def _unrelated_tune(self, seconds: float) -> Tune:
        """Play other notes in the style of a reference."""
        return Tune(seed=self._seed(), style=self._chance.choice(self._styles), seconds=seconds)

    def _name(self, start: str, suffix: str) -> str:
        self._count += 1
        return f"{start}{self._count:04d}.{suffix}"

    def _seed(self) -> int:
        return self._chance.getrandbits(32)
