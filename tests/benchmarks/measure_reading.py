"""Measure `LetteringEngine`: `PYTHONPATH=. .venv/bin/python tests/benchmarks/measure_reading.py`.

Prints the character error rate of generated captions (Noto, four faces), clean and over the
photographs of scikit-image, how many keywords are found, and milliseconds of CPU time a frame.
"""

import random
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein
from skimage import data

from agents.steps.triaging import KeywordIndex
from gpu_kernels.lettering import LetteringEngine, TextMemory
from gpu_kernels.views import Picture
from monitors.keywords import WatchedKeyword
from streams.types import CaseId, KeywordId
from tests.weights import text_detector

SIZE = (1280, 720)
FOLDER = "/usr/share/fonts/opentype/noto"
FACES = [
    f"{FOLDER}/Noto{kind}CJK-{weight}.ttc"
    for kind in ("Sans", "Serif")
    for weight in ("Regular", "Bold")
]
KOREAN = (
    "오늘의 해치공주 영상 공개",
    "링크는 댓글에 있습니다",
    "김민지 선생님과 함께한 하루",
    "절대 저장하지 마세요",
    "텔레그램 방에서 받았어요",
    "무료로 보내드립니다 선착순",
    "서울특별시 강남구 역삼동",
    "이 영상 진짜 대박이다",
    "구독과 좋아요 부탁드려요",
    "어제 찍은 사진 올립니다",
    "박서준 유출 전체 영상",
    "비밀번호는 프로필 참고",
    "친구한테 들은 이야기",
    "해치공주 실물 후기",
    "학교 앞에서 만난 사람",
    "원본 파일 팝니다 연락주세요",
)
ENGLISH = (
    "leaked full video here",
    "haechi princess tonight",
    "follow for more clips",
    "blue chair livestream",
)
KEYWORDS = ("해치공주", "김민지", "박서준", "역삼동", "haechi princess", "blue chair")
STYLES = {
    "white": ((255, 255, 255), None), "outlined": ((255, 255, 255), (0, 0, 0)),
    "dark outlined": ((0, 0, 0), (255, 255, 255)), "yellow": ((255, 230, 0), (0, 0, 0)),
    "band": ((240, 240, 240), None),
}  # fmt: skip


def photographs() -> list[Image.Image]:
    made = []
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        image = Image.fromarray(getattr(data, name)())
        scale = max(SIZE[0] / image.width, SIZE[1] / image.height)
        image = image.resize((int(image.width * scale) + 1, int(image.height * scale) + 1))
        made.append(image.crop((0, 0, *SIZE)))
    return made


def captioned(
    rng: random.Random, ground: Image.Image | None
) -> tuple[Picture, list[tuple[str, str]]]:
    """Draw four captions; give them with their styles."""
    level = rng.randint(0, 255)
    image = (
        ground.copy() if ground else Image.new("RGB", SIZE, (level, level, min(level + 10, 255)))
    )
    draw, captions = ImageDraw.Draw(image), []
    for row in range(4):
        text = rng.choice(ENGLISH if rng.random() < 0.25 else KOREAN)
        font = ImageFont.truetype(rng.choice(FACES), rng.choice([28, 32, 36, 44, 56]), index=1)
        length = draw.textlength(text, font=font)
        x, y = rng.randint(10, int(SIZE[0] - length - 20)), 36 + 160 * row
        style = rng.choice(list(STYLES)) if ground else "clean"
        fill, outline = STYLES.get(style, ((0, 0, 0) if level > 128 else (255, 255, 255), None))
        if style == "band":
            draw.rectangle((x - 8, y - 4, x + length + 8, y + font.size * 1.4), fill=(20, 20, 20))
        draw.text(
            (x, y),
            text,
            font=font,
            fill=fill,
            stroke_width=3 if outline else 0,
            stroke_fill=outline,
        )
        captions.append((text, style))
    return np.asarray(image), captions


def errors(text: str, lines: list[str]) -> float:
    """Give the character error rate of the nearest line, spaces aside."""
    want = text.replace(" ", "")
    return min(
        [Levenshtein.distance(want, line.replace(" ", "")) / len(want) for line in lines] + [1.0]
    )


def measure(
    engine: LetteringEngine, name: str, grounds: list[Image.Image | None], index: KeywordIndex
) -> None:
    rng, hits, wanted, spent = random.Random(5), 0, 0, 0.0
    rates: dict[str, list[float]] = {}
    for i in range(40):
        picture, captions = captioned(rng, grounds[i % len(grounds)])
        started = time.process_time()
        lines = [line.text for line in engine.read(picture).lines]
        spent += time.process_time() - started
        for text, style in captions:
            rates.setdefault(style, []).append(errors(text, lines))
        expected = {hit.keyword for hit in index.find([text for text, _ in captions])}
        found = {hit.keyword for hit in index.find(lines) if hit.similarity >= 0.8}
        wanted, hits = wanted + len(expected), hits + len(found & expected)
        for wrong in found - expected:
            print("false", wrong)
    every = [rate for some in rates.values() for rate in some]
    print(
        f"{name}: CER {np.mean(every):.3f}, "
        f"lines without a mistake {np.mean(np.array(every) == 0):.2f}, "
        f"keywords {hits}/{wanted}, {1000 * spent / 40:.0f} ms a frame of four lines"
    )
    print("   ", {style: f"{np.mean(some):.3f}" for style, some in sorted(rates.items())})


def without_text() -> Iterator[Picture]:
    for image in photographs():
        yield np.asarray(image)
        yield np.asarray(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    for name in ("brick", "grass", "gravel", "moon", "coins", "camera", "immunohistochemistry"):
        array = getattr(data, name)()
        yield np.ascontiguousarray(np.dstack([array] * 3) if array.ndim == 2 else array)


def main() -> None:
    engine = LetteringEngine(text_detector())
    index = KeywordIndex(
        [WatchedKeyword(case=CaseId("c"), keyword=KeywordId(word), text=word) for word in KEYWORDS]
    )
    engine.read(np.asarray(photographs()[0]))
    measure(engine, "clean", [None], index)
    measure(engine, "over photographs", list(photographs()), index)
    glances, looks, passed, read = [], [], 0, []
    for picture in without_text():
        started = time.process_time()
        passed += engine.may_hold_text(picture)
        glanced = time.process_time()
        read += [(line.text, line.confidence) for line in engine.read(picture).lines]
        glances.append(glanced - started)
        looks.append(time.process_time() - glanced)
    print(
        f"without text: {len(looks)} pictures, {passed} pass the glance, "
        f"glance {1000 * np.median(glances):.0f} ms, "
        f"look {1000 * np.median(looks):.0f} ms, read {read}"
    )
    missed = sum(
        not engine.may_hold_text(captioned(random.Random(i), ground)[0])
        for i in range(10)
        for ground in photographs()
    )
    print(f"of 40 captioned photographs, the glance misses {missed}")
    memory, spent = TextMemory(), []
    picture, _ = captioned(random.Random(1), photographs()[1])
    for level in (0, 2, 4):
        started = time.process_time()
        engine.read(np.clip(picture.astype(int) + level, 0, 255).astype(np.uint8), memory=memory)
        spent.append(time.process_time() - started)
    print("the same captions three times, ms:", [round(1000 * one) for one in spent])


if __name__ == "__main__":
    main()
