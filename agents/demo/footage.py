"""Recipes of films, animated pictures and sounds; like those of pictures, and as small."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agents.demo.encoding import encode_animation, encode_film, encode_sound
from agents.demo.films import FILM_EDITS, Film, half_size, part, take
from agents.demo.rendering import Picture, original
from agents.demo.tunes import SOUND_EDITS, Samples, compose

FILM_SECONDS = 10.0
TUNE_SECONDS = 30.0
_ANIMATION_SECONDS = 4.0
_EVERY = 2
"""An animated picture shows every second frame of its film."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tune:
    """An invented piece of music; see `compose`."""

    seed: int
    style: int
    seconds: float = TUNE_SECONDS

    def play(self) -> Samples:
        """Give its sound."""
        return compose(self.seed, self.style, self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A film as it was shot.

    Args:
        pictures: what the camera moves over, one after the other.
        seed: of the camera's ways.
        tune: that plays to it.
    """

    pictures: tuple[Picture, ...]
    seed: int
    tune: Tune

    def shoot(self, photographs: Mapping[str, Path]) -> Film:
        """Give its pictures and its sound."""
        shown = [original(one, photographs) for one in self.pictures]
        return Film(frames=take(shown, self.seed, self.tune.seconds), sound=self.tune.play())


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmRecipe:
    """A film, perhaps edited.

    Args:
        file: its name on the host; an MP4.
        clip: what was shot.
        edit: a key of `agents.demo.films.FILM_EDITS`, or None.
        other: the unrelated film, for the edits that need one.
        seed: of the edit's chance.
    """

    file: str
    clip: Clip
    edit: str | None = None
    other: Clip | None = None
    seed: int = 0

    def to_bytes(self, photographs: Mapping[str, Path]) -> bytes:
        """Make the file."""
        film = self.clip.shoot(photographs)
        if self.edit is not None:
            other = film if self.other is None else self.other.shoot(photographs)
            chance = random.Random(self.seed)  # noqa: S311 - a film's edit, not a secret
            film = FILM_EDITS[self.edit](film, chance, other)
        return encode_film(film)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationRecipe:
    """Some seconds of a film, small and silent.

    Args:
        file: its name on the host; a GIF or a WebP.
        clip: what was shot.
        seed: of where the part is cut out.
    """

    file: str
    clip: Clip
    seed: int = 0

    def to_bytes(self, photographs: Mapping[str, Path]) -> bytes:
        """Make the file."""
        chance = random.Random(self.seed)  # noqa: S311 - a cut, not a secret
        cut = part(self.clip.shoot(photographs), chance, _ANIMATION_SECONDS)
        cut = half_size(replace(cut, frames=cut.frames[::_EVERY], rate=cut.rate / _EVERY))
        return encode_animation(cut.frames, cut.rate, self.file.rsplit(".", 1)[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundRecipe:
    """A tune, perhaps edited.

    Args:
        file: its name on the host; one of `agents.demo.encoding.SOUND_FORMATS`.
        tune: what is played.
        edit: a key of `agents.demo.tunes.SOUND_EDITS`, or None.
        seed: of the edit's chance.
    """

    file: str
    tune: Tune
    edit: str | None = None
    seed: int = 0

    def to_bytes(self, _photographs: Mapping[str, Path]) -> bytes:
        """Make the file."""
        sound = self.tune.play()
        if self.edit is not None:
            chance = random.Random(self.seed)  # noqa: S311 - a sound's edit, not a secret
            sound = SOUND_EDITS[self.edit](sound, chance)
        return encode_sound(sound, self.file.rsplit(".", 1)[1])
