"""Every kind is planted under every edit, and has its look-alikes."""

from collections import Counter

from agents.demo.films import FILM_EDITS
from agents.demo.footage import AnimationRecipe, FilmRecipe, SoundRecipe
from agents.demo.moving import ANIMATIONS
from agents.demo.plan import Kind, kind_of
from agents.demo.stream import build_stream
from agents.demo.tunes import SOUND_EDITS

STREAM = build_stream(3)
OWN = [one for case in STREAM.cases for one in case.moving]
FILMS = [one for one in STREAM.moving if isinstance(one, FilmRecipe)]
SOUNDS = [one for one in STREAM.moving if isinstance(one, SoundRecipe)]
ANIMATED = [one for one in STREAM.moving if isinstance(one, AnimationRecipe)]
OWN_CLIPS = {one.clip for one in OWN if isinstance(one, FilmRecipe)}
OWN_TUNES = {one.tune for one in OWN if isinstance(one, SoundRecipe)} | {
    clip.tune for clip in OWN_CLIPS
}


def test_every_edit_of_every_kind_is_planted() -> None:
    planted = Counter(one.edit for post in STREAM.posts for one in post.planted)
    wanted = {f"film_{edit}" for edit in FILM_EDITS} | {f"sound_{edit}" for edit in SOUND_EDITS}
    assert wanted | {"animation"} <= set(planted)
    kinds = Counter(one.kind for post in STREAM.posts for one in post.planted)
    assert set(kinds) == set(Kind)


def test_every_edit_of_every_kind_has_its_look_alikes() -> None:
    films = Counter(one.edit for one in FILMS if one.clip not in OWN_CLIPS)
    sounds = Counter(one.edit for one in SOUNDS if one.tune not in OWN_TUNES)
    assert all(films[edit] >= 2 for edit in FILM_EDITS)
    assert all(sounds[edit] >= 2 for edit in SOUND_EDITS)
    assert sum(one.clip not in OWN_CLIPS for one in ANIMATED) == ANIMATIONS


def test_look_alikes_are_of_a_reference_s_style_with_other_notes() -> None:
    styles = {tune.style for tune in OWN_TUNES}
    others = {one.tune for one in SOUNDS} - OWN_TUNES
    assert {tune.style for tune in others} <= styles
    assert not {tune.seed for tune in others} & {tune.seed for tune in OWN_TUNES}


def test_a_post_shows_a_case_s_footage_exactly_when_it_is_planted() -> None:
    shows = {one.file for one in FILMS if one.clip in OWN_CLIPS}
    shows |= {one.file for one in ANIMATED if one.clip in OWN_CLIPS}
    shows |= {one.file for one in SOUNDS if one.tune in OWN_TUNES}
    for post in STREAM.posts:
        files = {
            file.rsplit("/", 1)[-1] for file in post.media if kind_of(file) is not Kind.PICTURE
        }
        if files:
            assert bool(files & shows) == bool(post.planted)


def test_what_another_shows_is_nobody_s() -> None:
    own = {picture for clip in OWN_CLIPS for picture in clip.pictures}
    behind = {picture for one in FILMS if one.other for picture in one.other.pictures}
    assert behind
    assert not own & behind


def test_a_film_shows_its_case_s_pictures_and_they_show_the_film() -> None:
    by_alias = {case.alias: case for case in STREAM.cases}
    for post in STREAM.posts:
        for one in post.planted:
            pictures = {recipe.file for recipe in by_alias[one.case].references}
            if one.kind is Kind.ANIMATION:
                assert set(one.also) == pictures
            if one.kind is Kind.SOUND or one.edit == "film_borrowed_sound":
                assert not one.also
            if one.kind is Kind.PICTURE:
                films = {own.file for own in by_alias[one.case].moving if own.file.endswith("mp4")}
                assert set(one.also) == films
