"""Measure `KeywordIndex.find`.

`PYTHONPATH=. .venv/bin/python tests/benchmarks/measure_triaging.py` prints CPU time
of this process, so that what else the machine does tells less. Not a test.
"""

import random
import sys
import time
from collections.abc import Sequence

from agents.steps.triaging import KeywordIndex
from monitors.keywords import WatchedKeyword
from streams.types import CaseId, KeywordId

KOREAN = (
    "오늘 아침에 공원에서 산책을 하다가 친구를 만났습니다 사진을 올려 주세요 정말 재미있는 "
    "영상이네요 내일 다시 보러 가야겠다 맛있는 점심 식사 후에 커피 한잔 마시고 집으로 돌아왔다"
).split()
ENGLISH = (
    "today i went to the park with my friends and we took a lot of pictures please share this "
    "video if you like it the weather was great see you tomorrow"
).split()
SYLLABLES = "가나다라마바사아자차카타파하고도로은민지수현영진호서준우해치공주"
WORDS = "blue whale green tiger tutorial river stone".split()
HOSTILE = (
    "해치공주 ", "피해 치공주 ", "해애에", "공", "ㄱㅣ",
    "bluewhale tutoria ", "blue whale 1 tutoria1", "\u0301\u0323", "\u202e\u200fa", "ﷺ", "a@!",
    "\ud800", "\0",
)  # fmt: skip


def index_of(texts: Sequence[str]) -> KeywordIndex:
    """Make an index of keywords."""
    return KeywordIndex(
        [
            WatchedKeyword(case=CaseId("c"), keyword=KeywordId(str(i)), text=text)
            for i, text in enumerate(texts)
        ]
    )


def seconds(index: KeywordIndex, texts: Sequence[str]) -> float:
    """Give the CPU time of searching texts, one by one."""
    started = time.process_time()
    for text in texts:
        index.find([text])
    return time.process_time() - started


def main() -> None:
    """Print posts a second, and the worst text's time."""
    draw = random.Random(7)
    keywords = ["".join(draw.choices(SYLLABLES, k=draw.randint(2, 6))) for _ in range(70)]
    keywords += [" ".join(draw.choices(WORDS, k=draw.randint(1, 3))) for _ in range(30)]
    index = index_of(keywords)
    for name, words in {"Korean": KOREAN, "English": ENGLISH}.items():
        posts = [" ".join(draw.choices(words, k=100))[:200] for _ in range(1000)]
        sys.stdout.write(f"{name}: {1000 / seconds(index, posts):.0f} posts/s\n")
    index = index_of(
        [
            *(f"해치공주{i}호" for i in range(50)),
            *(f"blue whale {i} tutorial" for i in range(50)),
        ]
    )
    texts = {unit: (unit * 100_000)[:100_000] for unit in HOSTILE}
    texts["random syllables"] = "".join(draw.choices(SYLLABLES + " ", k=100_000))
    spent, worst = max((seconds(index, [text]), unit) for unit, text in texts.items())
    sys.stdout.write(f"worst of 100,000 characters: {spent:.2f} s ({worst!r})\n")


if __name__ == "__main__":
    main()
