"""What uploaders do to a picture before they post it again.

Pillow only, from the ranges of the development benchmark's edits; all chance comes from `random`.
"""

import io
import math
import random
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from agents.demo.noise import Colour

Edit = Callable[[Image.Image, random.Random, Image.Image], Image.Image]
"""Takes a picture, where chance comes from and an unrelated picture; gives the edited copy."""

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
GREY: Colour = (128, 128, 128)

_SYLLABLES = "ka lo mi ru ten sa vo pel dri mo na shi gar ul be".split()
_EXCLAIMS = "wow lol no way look at this must see every day so true again today".split()


def crop(picture: Image.Image, chance: random.Random, _: Image.Image) -> Image.Image:
    """Keep half of the area, anywhere."""
    width, height = (round(side * 0.707) for side in picture.size)
    left = chance.randint(0, picture.width - width)
    top = chance.randint(0, picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def mirror(picture: Image.Image, _chance: random.Random, _: Image.Image) -> Image.Image:
    """Turn left to right."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def rotate(picture: Image.Image, chance: random.Random, _: Image.Image) -> Image.Image:
    """Lean by 15 degrees, on black or white."""
    return picture.rotate(
        chance.choice((-15, 15)),
        expand=True,
        resample=Image.Resampling.BICUBIC,
        fillcolor=chance.choice((BLACK, WHITE)),
    )


def recompress(picture: Image.Image, _chance: random.Random, _: Image.Image) -> Image.Image:
    """Shrink to 60 % and save as a JPEG of quality 15."""
    small = picture.resize(
        (max(32, int(picture.width * 0.6)), max(32, int(picture.height * 0.6))),
        Image.Resampling.BILINEAR,
    )
    saved = io.BytesIO()
    small.save(saved, "JPEG", quality=15)
    with Image.open(saved) as opened:
        return opened.convert("RGB")


def caption(picture: Image.Image, chance: random.Random, _: Image.Image) -> Image.Image:
    """Put three stickers, each 12 to 25 % of the width, and two lines of text upon it."""
    edited = picture.copy()
    width, height = edited.size
    for _number in range(3):
        sticker = _sticker(chance, int(width * chance.uniform(0.12, 0.25)))
        place = (chance.randint(0, int(width * 0.8)), chance.randint(0, int(height * 0.8)))
        edited.paste(sticker, place, sticker)
    pen = ImageDraw.Draw(edited)
    for _number in range(2):
        pen.text(
            (width * chance.uniform(0.02, 0.2), height * chance.uniform(0.05, 0.85)),
            _words(chance, 4),
            font=_font(width * 0.07),
            fill=chance.choice(("white", "yellow", "red")),
            stroke_width=2,
            stroke_fill="black",
        )
    return edited


def screenshot(picture: Image.Image, chance: random.Random, _: Image.Image) -> Image.Image:
    """Show it in an invented app on a phone, dark or light, full width or with margins."""
    width, height = chance.choice(((540, 1170), (600, 1067)))
    ground, ink = chance.choice((((18, 18, 20), WHITE), (WHITE, BLACK)))
    page = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(page)
    _draw_head(pen, chance, width, ink)
    room = width if chance.random() < 0.5 else width - 40
    tall = min(int(height * 0.62), round(picture.height * room / picture.width))
    page.paste(picture.resize((room, tall)), ((width - room) // 2, 190))
    _draw_foot(pen, chance, 190 + tall + 18, (height, ink))
    return page


def collage(picture: Image.Image, chance: random.Random, other: Image.Image) -> Image.Image:
    """Lay it over 40 % of an unrelated picture."""
    ground = other.resize((800, round(800 * other.height / other.width)))
    area = ground.width * ground.height / (picture.width * picture.height)
    return _lay_over(ground, picture, math.sqrt(0.4 * area), chance)


def picture_in_picture(
    picture: Image.Image, chance: random.Random, other: Image.Image
) -> Image.Image:
    """Play it in a window of 55 % of an unrelated picture's width, near its upper left."""
    ground = other.resize((640, 360))
    window = picture.resize((352, max(8, round(352 * picture.height / picture.width))))
    window = window.crop((0, 0, 352, min(window.height, 300)))
    place = (int(640 * chance.uniform(0.02, 0.4)), int(360 * chance.uniform(0.02, 0.4)))
    ground.paste(window, place)
    return ground


def colour(picture: Image.Image, chance: random.Random, _: Image.Image) -> Image.Image:
    """Darken or brighten, drain or flood with colour, flatten or sharpen the contrast."""
    picture = ImageEnhance.Brightness(picture).enhance(chance.choice((0.55, 1.6)))
    picture = ImageEnhance.Color(picture).enhance(chance.choice((0.15, 2.0)))
    return ImageEnhance.Contrast(picture).enhance(chance.choice((0.6, 1.6)))


def meme(picture: Image.Image, chance: random.Random, _: Image.Image) -> Image.Image:
    """Set it between bars of 20 % and 10 % of its height, with jokes."""
    width, height = picture.size
    bar = int(height * 0.2)
    ground, ink = chance.choice(((WHITE, BLACK), (BLACK, WHITE)))
    page = Image.new("RGB", (width, height + bar + bar // 2), ground)
    page.paste(picture, (0, bar))
    pen = ImageDraw.Draw(page)
    joke = f"{_words(chance, 5)}\n{_words(chance, 5)}"
    pen.text((width * 0.04, bar * 0.15), joke, font=_font(width * 0.05), fill=ink)
    low = height + bar * 1.1
    pen.text((width * 0.04, low), _words(chance, 4), font=_font(width * 0.05), fill=ink)
    return page


def stretch(picture: Image.Image, chance: random.Random, _: Image.Image) -> Image.Image:
    """Pull it to 135 % or press it to 74 % of its width."""
    return picture.resize((int(picture.width * chance.choice((1.35, 0.74))), picture.height))


def blur(picture: Image.Image, _chance: random.Random, _: Image.Image) -> Image.Image:
    """Blur by 0.6 % of its length."""
    return picture.filter(ImageFilter.GaussianBlur(max(picture.size) * 0.006))


def combined(picture: Image.Image, chance: random.Random, other: Image.Image) -> Image.Image:
    """Mirror, crop, colour, caption and re-compress."""
    for edit in (mirror, crop, colour, caption, recompress):
        picture = edit(picture, chance, other)
    return picture


def web_page(picture: Image.Image, chance: random.Random, other: Image.Image) -> Image.Image:
    """Show it on a page, over an eighth of it, photographed at a slight angle."""
    page = Image.new("RGB", (600, 520), (246, 246, 248))
    pen = ImageDraw.Draw(page)
    pen.rectangle((0, 0, 600, 46), fill=tuple(chance.randint(30, 200) for _ in range(3)))
    pen.text((16, 12), _name(chance), font=_font(20), fill=WHITE)
    for line in range(12):
        pen.text((300, 80 + 26 * line), _words(chance, 4), font=_font(15), fill=GREY)
    for row in range(2):
        thumb = other.resize((90, 66))
        page.paste(thumb, (24 + 110 * row, 400))
    scale = math.sqrt(0.12 * 600 * 520 / (picture.width * picture.height))
    shown = picture.resize((int(picture.width * scale), int(picture.height * scale)))
    page.paste(shown, (24, 80))
    return _tilt(page, chance)


EDITS: Mapping[str, Edit] = {
    "crop": crop,
    "mirror": mirror,
    "rotate": rotate,
    "recompress": recompress,
    "caption": caption,
    "screenshot": screenshot,
    "collage": collage,
    "picture_in_picture": picture_in_picture,
    "colour": colour,
    "meme": meme,
    "stretch": stretch,
    "blur": blur,
    "combined": combined,
    "web_page": web_page,
}

WITH_ANOTHER = frozenset({"collage", "picture_in_picture", "web_page"})
"""Those that show the unrelated picture too."""


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(_EXCLAIMS) for _ in range(count))


def _name(chance: random.Random) -> str:
    return "".join(chance.choice(_SYLLABLES) for _ in range(3)).title()


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8, int(size)))


def _sticker(chance: random.Random, size: int) -> Image.Image:
    """A face, a star or a heart on nothing."""
    sticker = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    pen = ImageDraw.Draw(sticker)
    kind = chance.choice(("face", "star", "heart"))
    if kind == "face":
        pen.ellipse((4, 4, 96, 96), fill=(255, 205, 60), outline=(150, 100, 20), width=3)
        pen.ellipse((27, 30, 41, 48), fill=(70, 45, 20))
        pen.ellipse((59, 30, 73, 48), fill=(70, 45, 20))
        pen.chord((24, 42, 76, 82), 0, 180, fill=(120, 40, 30))
    elif kind == "star":
        points = [
            (50 + reach * math.sin(turn * math.pi / 5), 52 - reach * math.cos(turn * math.pi / 5))
            for turn, reach in enumerate((48, 20) * 5)
        ]
        pen.polygon(points, fill=(255, 220, 70), outline=(190, 140, 20))
    else:
        tone = (chance.randint(200, 255), 40, chance.randint(60, 140))
        pen.ellipse((4, 10, 54, 60), fill=tone)
        pen.ellipse((46, 10, 96, 60), fill=tone)
        pen.polygon([(8, 47), (92, 47), (50, 96)], fill=tone)
    return sticker.resize((max(8, size), max(8, size)), Image.Resampling.LANCZOS)


def _draw_head(pen: ImageDraw.ImageDraw, chance: random.Random, width: int, ink: Colour) -> None:
    clock = f"{chance.randint(1, 12)}:{chance.randint(10, 59)}"
    pen.text((20, 14), clock, font=_font(22), fill=ink)
    pen.rectangle((width - 60, 18, width - 22, 34), outline=ink, width=2)
    pen.ellipse((20, 70, 76, 126), fill=tuple(chance.randint(40, 220) for _ in range(3)))
    pen.text((90, 72), _name(chance), font=_font(22), fill=ink)
    handle = f"@{_name(chance).lower()} · {chance.randint(1, 23)}h"
    pen.text((90, 102), handle, font=_font(18), fill=GREY)
    pen.text((20, 142), _words(chance, 6), font=_font(22), fill=ink)


def _draw_foot(
    pen: ImageDraw.ImageDraw, chance: random.Random, top: int, page: tuple[int, Colour]
) -> None:
    height, ink = page
    for number in range(3):
        left = 24 + number * 160
        pen.ellipse((left, top, left + 28, top + 28), outline=GREY, width=3)
        pen.text((left + 38, top), str(chance.randint(3, 9999)), font=_font(20), fill=GREY)
    for line in range(3):
        if top + 70 + line * 60 < height - 60:
            pen.text((20, top + 60 + line * 60), _words(chance, 5), font=_font(20), fill=ink)


def _lay_over(
    ground: Image.Image, picture: Image.Image, scale: float, chance: random.Random
) -> Image.Image:
    scale = min(scale, 0.95 * ground.width / picture.width, 0.95 * ground.height / picture.height)
    laid = picture.resize((max(8, int(picture.width * scale)), max(8, int(picture.height * scale))))
    place = (
        chance.randint(0, ground.width - laid.width),
        chance.randint(0, ground.height - laid.height),
    )
    ground.paste(laid, place)
    return ground


def _tilt(page: Image.Image, chance: random.Random) -> Image.Image:
    """Move each corner by a normal deviate of 15 pixels, and cut off what shows no page."""
    width, height = page.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + np.array([[chance.gauss(0, 15) for _ in range(2)] for _ in corners])
    moved = (moved - moved.min(axis=0)).astype(np.float32)
    left, right = max(moved[0, 0], moved[3, 0]), min(moved[1, 0], moved[2, 0])
    top, bottom = max(moved[0, 1], moved[1, 1]), min(moved[2, 1], moved[3, 1])
    moved -= np.array([left, top], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    tilted = cv2.warpPerspective(np.asarray(page), matrix, (int(right - left), int(bottom - top)))
    return Image.fromarray(tilted)
