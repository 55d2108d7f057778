"""How many posts a second all keywords of very many cases let through, and what they find."""

import random
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from agents.benchmarks.drawn_keywords import (
    ENGLISH,
    TRICKS,
    WORDS,
    Disguise,
    draw_keyword,
    draw_spelling,
)
from agents.steps.triaging import URGENT_SIMILARITY, KeywordIndex
from monitors import keywords
from monitors.keywords import WatchedKeyword
from monitors.spellings import SpellingKind
from streams.types import CaseId, KeywordId

POST = 200
"""Characters of a post."""
KEYWORDS_A_CASE = 20
WITH_ADDED = 5
"""Of so many keywords, an officer added a spelling to one."""
_BARE_POSTS = 5
"""That RapidFuzz alone is given: it takes a thousand times as long."""
_DRAWS = 100
"""After which a way to disguise that changes no keyword is used as it is."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of planted words.

    Args:
        found: as a hit of their keyword, initials included that are too weak to be urgent.
        urgent: as one that makes its post urgent.
    """

    found: float
    urgent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageFigures:
    """What was measured; times are of the CPU, on one thread.

    Args:
        cases: of `KEYWORDS_A_CASE` keywords each.
        build_seconds: to make the index ready.
        posts: of ordinary text.
        posts_a_second: of the index.
        bare_posts_a_second: of RapidFuzz alone: the partial ratio of each keyword.
        ratio: of the two.
        recall: of planted keywords, by the way in which they were disguised.
        recall_of_all: of them together.
        spellings: of planted spellings that an officer is shown, by kind.
        false_posts: share of ordinary posts that a keyword made urgent which does not stand there.
    """

    cases: int
    build_seconds: float
    posts: int
    posts_a_second: float
    bare_posts_a_second: float
    ratio: float
    recall: dict[str, float]
    recall_of_all: float
    spellings: dict[str, Share]
    false_posts: float

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon."""
        return asdict(self)


def measure_triage(
    cases: int,
    texts: Sequence[Path],
    progress: Progress,
    *,
    count: int = 2000,
    planted: int = 100,
    seed: int = 0,
) -> TriageFigures:
    """Search ordinary posts for the keywords of all cases, and posts with disguised ones.

    Args:
        cases: how many.
        texts: files of ordinary text; without any, posts are made of a few words.
        progress: told what is being done.
        count: of ordinary posts.
        planted: keywords for each way to disguise them.
        seed: of the drawing.
    """
    draw = random.Random(seed)  # noqa: S311 - a drawing that repeats
    watched = _watched(cases * KEYWORDS_A_CASE, draw)
    posts = _posts(texts, count, draw)
    progress(f"making {len(watched)} keywords ready")
    started = time.process_time()
    index = KeywordIndex(watched)
    build_seconds = time.process_time() - started
    progress(f"searching {count} posts")
    started = time.process_time()
    hits = [index.find([post]) for post in posts]
    ours = count / (time.process_time() - started)
    progress("RapidFuzz alone")
    theirs = _bare([one.text for one in watched], posts[:_BARE_POSTS])
    false = sum(
        any(
            hit.similarity >= URGENT_SIMILARITY and not _stands(watched[int(hit.keyword)], post)
            for hit in found
        )
        for found, post in zip(hits, posts, strict=True)
    )
    progress("disguised keywords")
    planting = _Planting(index=index, watched=watched, posts=posts, count=planted, draw=draw)
    recall = {name: planting.plant(trick).urgent for name, trick in TRICKS.items()}
    spellings = {kind.value: planting.plant(draw_spelling(kind)) for kind in SpellingKind}
    return TriageFigures(
        cases=cases,
        build_seconds=build_seconds,
        posts=count,
        posts_a_second=ours,
        bare_posts_a_second=theirs,
        ratio=ours / theirs,
        recall=recall,
        recall_of_all=sum(recall.values()) / len(recall),
        spellings=spellings,
        false_posts=false / count,
    )


def _watched(count: int, draw: random.Random) -> list[WatchedKeyword]:
    return [
        WatchedKeyword(
            case=CaseId(str(i // KEYWORDS_A_CASE)),
            keyword=KeywordId(str(i)),
            text=draw_keyword(draw),
            added=() if i % WITH_ADDED else (draw_keyword(draw),),
        )
        for i in range(count)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planting:
    """Puts disguised keywords into posts, and looks for them."""

    index: KeywordIndex
    watched: Sequence[WatchedKeyword]
    posts: Sequence[str]
    count: int
    draw: random.Random

    def plant(self, disguise: Disguise) -> Share:
        """Count those of the disguised keywords that are found."""
        best = [self._best(*self._disguised(disguise)) for _ in range(self.count)]
        return Share(
            found=sum(one > 0 for one in best) / self.count,
            urgent=sum(one >= URGENT_SIMILARITY for one in best) / self.count,
        )

    def _disguised(self, disguise: Disguise) -> tuple[WatchedKeyword, str]:
        """Draw a keyword that the disguise changes."""
        for _ in range(_DRAWS):
            one = self.draw.choice(self.watched)
            disguised = disguise(one, self.draw)
            if disguised != one.text:
                return one, disguised
        one = self.draw.choice(self.watched)
        return one, disguise(one, self.draw)

    def _best(self, planted: WatchedKeyword, disguised: str) -> float:
        words = self.draw.choice(self.posts).split()
        words.insert(self.draw.randint(0, len(words)), disguised)
        hits = self.index.find([" ".join(words)])
        return max(
            (hit.similarity for hit in hits if self.watched[int(hit.keyword)].text == planted.text),
            default=0.0,
        )


def _stands(keyword: WatchedKeyword, post: str) -> bool:
    """Tell whether a keyword, or what was added, stands in a post as anybody reads it."""
    plain = _plain(post)
    return any(_plain(one) in plain for one in (keyword.text, *keyword.added))


def _plain(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKC", text).casefold() if one.isalnum())


def _bare(drawn: Sequence[str], posts: Sequence[str]) -> float:
    """Give the posts a second of RapidFuzz's partial ratio, on jamo as the product reads them."""
    needles = [unicodedata.normalize("NFD", keywords.normalise(one)) for one in drawn]
    hay = [unicodedata.normalize("NFD", keywords.normalise(one)) for one in posts]
    started = time.process_time()
    process.cdist(hay, needles, scorer=fuzz.partial_ratio, score_cutoff=82, workers=1)
    return len(posts) / (time.process_time() - started)


def _posts(texts: Sequence[Path], count: int, draw: random.Random) -> list[str]:
    words = [word for file in texts for word in file.read_text(errors="replace").split()]
    if words:
        starts = [draw.randrange(max(1, len(words) - POST)) for _ in range(count)]
        return [" ".join(words[start : start + POST])[:POST] for start in starts]
    vocabulary = [*WORDS, *ENGLISH]
    return [" ".join(draw.choices(vocabulary, k=POST))[:POST] for _ in range(count)]
