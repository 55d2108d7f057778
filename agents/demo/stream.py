"""What the demo's boards publish: drawn from a seed, with the truth about every post.

Nothing here is anybody's: photographs of things, drawn pictures, invented boards and words.
"""

import random
from dataclasses import replace

from agents.demo.edits import EDITS, WITH_ANOTHER
from agents.demo.footage import FilmRecipe, SoundRecipe
from agents.demo.moving import Studio
from agents.demo.photographs import PHOTOGRAPHS, SUBJECTS
from agents.demo.plan import DemoCase, DemoStream, PlannedPost, Planted
from agents.demo.rendering import PHOTOGRAPH, Picture, Recipe, Renderable
from agents.demo.scenes import SCENES

PLANTED_OF_EACH_EDIT = 4
PLANTED_COMBINED = 2
"""Most uploaders do one thing to a picture."""
LOOK_ALIKES_OF_EACH_EDIT = 6
PLAIN_POSTS = 84
"""Posts with unrelated pictures as they are."""
TEXT_POSTS = 24
BOARDS = 6

_CASES = (
    ("demo-river", ("은하수계곡", "star canyon clip")),
    ("demo-maple", ("단풍골목",)),
    ("demo-harbor", ("새벽항구", "dawn harbour set")),
    ("demo-orchid", ("난초방",)),
)
"""Pseudonyms, and invented keywords that name nobody."""
_FILMED = frozenset({"demo-river", "demo-maple", "demo-harbor"})
_PLAYED = frozenset({"demo-harbor", "demo-orchid"})
"""Cases with a film, and with a sound."""

_OPENINGS = ("오늘 찍은", "이거 봤어?", "주말에", "퍼왔음", "길 가다가", "오랜만에", "공유합니다")
_SUBJECTS = ("하늘 사진", "강아지 산책", "카페 후기", "야경 모음", "그림 연습", "여행 기록", "짤")
_ENDINGS = ("ㅋㅋㅋ", "어때요?", "댓글 부탁", "저장은 자유", "더 있음", "!!", "#일상 #사진", "")


def build_stream(seed: int) -> DemoStream:
    """Draw cases, posts, edits and order from a seed; equal seeds give equal streams."""
    return _Draft(seed).finish()


class _Draft:
    """A stream in the making; all chance comes from one generator."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)  # noqa: S311 - a demo, not a secret
        self.recipes: list[Recipe] = []
        self.moving: list[Renderable] = []
        self.films: list[tuple[DemoCase, FilmRecipe]] = []
        self.sounds: list[tuple[DemoCase, SoundRecipe]] = []
        self.posts: list[PlannedPost] = []
        self.drawn = 0
        self.unrelated = [one.name for one in PHOTOGRAPHS if one.name not in SUBJECTS]
        self.studio = Studio(self.chance, lambda: self._unrelated(photograph=True), self._drawing)
        self.cases = tuple(self._with_footage(case) for case in self._cases())

    def finish(self) -> DemoStream:
        """Write every kind of post, shuffle, and number them in the order of publication."""
        for edit in EDITS:
            for _ in range(PLANTED_COMBINED if edit == "combined" else PLANTED_OF_EACH_EDIT):
                self._plant(edit)
            for number in range(LOOK_ALIKES_OF_EACH_EDIT):
                self._post((self._medium(self._unrelated(photograph=number < 2), edit),))
        for one in self._references():  # a photograph and a drawing in its colours
            for photograph in (True, False):
                self._post((self._tinted(self._unrelated(photograph=photograph), one.picture),))
        self._offer_moving()
        for _ in range(PLAIN_POSTS):
            self._post(self._drawings(self._media_count()))
        for _ in range(TEXT_POSTS):
            self._post(())
        self._add_hostile()
        self.chance.shuffle(self.posts)
        posts = [replace(post, id=f"p{index:05d}") for index, post in enumerate(self.posts)]
        return DemoStream(
            seed=self.seed,
            cases=self.cases,
            posts=tuple(posts),
            recipes=tuple(self.recipes),
            moving=tuple(self.moving),
        )

    def _with_footage(self, case: DemoCase) -> DemoCase:
        """Add the case's film, shot of its pictures, and its sound, where it has them."""
        moving: list[Renderable] = []
        if case.alias in _FILMED:
            film = self.studio.film_of(
                [one.picture for one in case.references], f"{case.alias}.mp4"
            )
            self.films.append((case, film))
            moving.append(film)
        if case.alias in _PLAYED:
            sound = self.studio.sound_of(f"{case.alias}.mp3")
            self.sounds.append((case, sound))
            moving.append(sound)
        return replace(case, moving=tuple(moving))

    def _offer_moving(self) -> None:
        for number, one in enumerate(self.studio.offerings(self.films, self.sounds)):
            self.moving.append(one.recipe)
            planted = () if one.planted is None else (one.planted,)
            named = [p.case for p in planted] if number % 3 == 0 else []
            words = [case.keywords[0] for case in self.cases if case.alias in named]
            self._post((f"m/{one.recipe.file}",), planted, "".join(words))

    def _cases(self) -> tuple[DemoCase, ...]:
        subjects = list(SUBJECTS)
        self.chance.shuffle(subjects)
        each = len(subjects) // len(_CASES)
        return tuple(
            DemoCase(
                alias=alias,
                keywords=keywords,
                references=tuple(
                    Recipe(
                        file=f"{name}.jpg",
                        picture=Picture(kind=PHOTOGRAPH, name=name),
                        quality=92,
                    )
                    for name in subjects[place * each : (place + 1) * each]
                ),
            )
            for place, (alias, keywords) in enumerate(_CASES)
        )

    def _references(self) -> list[Recipe]:
        return [one for case in self.cases for one in case.references]

    def _plant(self, edit: str) -> None:
        """Re-upload a reference, alone or among other pictures; every third names a keyword."""
        done = sum(bool(post.planted) for post in self.posts)
        every = [(case, one) for case in self.cases for one in case.references]
        case, reference = every[done % len(every)]
        media = list(self._drawings(self.chance.choice((0, 0, 0, 0, 1, 2))))
        copy = self._medium(reference.picture, edit)
        media.insert(self.chance.randint(0, len(media)), copy)
        word = self.chance.choice(case.keywords) if done % 3 == 0 else ""
        films = tuple(film.file for owner, film in self.films if owner.alias == case.alias)
        planted = Planted(case=case.alias, reference=reference.file, edit=edit, also=films)
        self._post(tuple(media), (planted,), word)

    def _post(
        self, media: tuple[str, ...], planted: tuple[Planted, ...] = (), word: str = ""
    ) -> None:
        if not word and media and self.chance.random() < 0.03:  # the word, without the picture
            word = self.chance.choice([word for case in self.cases for word in case.keywords])
        parts = (_OPENINGS, (word,) if word else _SUBJECTS, _ENDINGS)
        text = " ".join(self.chance.choice(part) for part in parts).strip()
        board = self.chance.randint(1, BOARDS)
        self.posts.append(PlannedPost(id="", board=board, text=text, media=media, planted=planted))

    def _drawings(self, count: int) -> tuple[str, ...]:
        return tuple(self._medium(self._drawing(), None) for _ in range(count))

    def _media_count(self) -> int:
        return self.chance.choices((1, 2, 3, 4), (85, 9, 4, 2))[0]

    def _medium(self, picture: Picture, edit: str | None, *, keep: float = 1.0) -> str:
        form, suffix = self.chance.choices(
            (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")), (80, 10, 10)
        )[0]
        recipe = Recipe(
            file=f"{len(self.recipes):05d}.{suffix}",
            picture=picture,
            edit=edit,
            other=self._drawing() if edit in WITH_ANOTHER else None,
            seed=self.chance.getrandbits(32),
            format=form,
            quality=self.chance.randint(60, 92),
            keep=keep,
        )
        self.recipes.append(recipe)
        return f"m/{recipe.file}"

    def _tinted(self, picture: Picture, like: Picture) -> str:
        file = self._medium(picture, None)
        self.recipes[-1] = replace(self.recipes[-1], tinted_like=like)
        return file

    def _drawing(self) -> Picture:
        self.drawn += 1
        kinds = tuple(SCENES)
        return Picture(kind=kinds[self.drawn % len(kinds)], seed=self.chance.getrandbits(32))

    def _unrelated(self, *, photograph: bool) -> Picture:
        if photograph:
            return Picture(kind=PHOTOGRAPH, name=self.chance.choice(self.unrelated))
        return self._drawing()

    def _add_hostile(self) -> None:
        """Publish what a stream really carries: dead links, traps and broken files."""
        for url in (
            *(f"gone/{number}.jpg" for number in range(3)),
            *(f"redirect/{number}.jpg" for number in range(3)),
            *(f"drop/{number}.jpg" for number in range(2)),
            *(f"page/{number}.jpg" for number in range(2)),
            "huge/0.jpg",
            "http://192.168.77.7/camera.jpg",
            "http://[::1]:22/picture.jpg",
            "http://closed-board.invalid/picture.jpg",
        ):
            self._post((url,))
        for _ in range(3):
            self._post((self._medium(self._drawing(), None, keep=self.chance.uniform(0.1, 0.4)),))
