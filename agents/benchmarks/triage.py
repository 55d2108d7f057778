"""How many posts a second all keywords of very many cases let through, and what they find."""

import random
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from agents.benchmarks.drawn_keywords import ENGLISH, TRICKS, WORDS, draw_keyword
from agents.steps.triaging import URGENT_SIMILARITY, KeywordIndex
from monitors import keywords
from monitors.keywords import WatchedKeyword
from streams.types import CaseId, KeywordId

POST = 200
"""Characters of a post."""
KEYWORDS_A_CASE = 20
_BARE_POSTS = 5
"""That RapidFuzz alone is given: it takes a thousand times as long."""

Progress = Callable[[str], None]


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
    drawn = [draw_keyword(draw) for _ in range(cases * KEYWORDS_A_CASE)]
    posts = _posts(texts, count, draw)
    progress(f"making {len(drawn)} keywords ready")
    started = time.process_time()
    index = KeywordIndex(
        [
            WatchedKeyword(
                case=CaseId(str(i // KEYWORDS_A_CASE)), keyword=KeywordId(str(i)), text=text
            )
            for i, text in enumerate(drawn)
        ]
    )
    build_seconds = time.process_time() - started
    progress(f"searching {count} posts")
    started = time.process_time()
    hits = [index.find([post]) for post in posts]
    ours = count / (time.process_time() - started)
    progress("RapidFuzz alone")
    theirs = _bare(drawn, posts[:_BARE_POSTS])
    false = sum(
        any(
            hit.similarity >= URGENT_SIMILARITY and not _stands(drawn[int(hit.keyword)], post)
            for hit in found
        )
        for found, post in zip(hits, posts, strict=True)
    )
    progress("disguised keywords")
    recall = {name: _found(index, drawn, posts, name, planted, draw) / planted for name in TRICKS}
    return TriageFigures(
        cases=cases,
        build_seconds=build_seconds,
        posts=count,
        posts_a_second=ours,
        bare_posts_a_second=theirs,
        ratio=ours / theirs,
        recall=recall,
        recall_of_all=sum(recall.values()) / len(recall),
        false_posts=false / count,
    )


def _found(
    index: KeywordIndex,
    drawn: Sequence[str],
    posts: Sequence[str],
    trick: str,
    planted: int,
    draw: random.Random,
) -> int:
    """Count the disguised keywords that make their post urgent."""
    found = 0
    for _ in range(planted):
        place = draw.randrange(len(drawn))
        disguised = TRICKS[trick](drawn[place], draw)
        words = draw.choice(posts).split()
        words.insert(draw.randint(0, len(words)), disguised)
        same = {i for i, one in enumerate(drawn) if one == drawn[place]}
        hits = index.find([" ".join(words)])
        found += any(
            int(hit.keyword) in same and hit.similarity >= URGENT_SIMILARITY for hit in hits
        )
    return found


def _stands(keyword: str, post: str) -> bool:
    """Tell whether a keyword stands in a post as anybody reads it, spaces aside."""
    return _plain(keyword) in _plain(post)


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
