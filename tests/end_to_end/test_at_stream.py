"""A real AT network: 500 posts by 20 accounts, watched, searched, and partly deleted.

The collector, which holds the source, is killed three times meanwhile.
"""

import io
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import ImageDraw

from agents.demo.footage import Clip, FilmRecipe, Tune
from agents.demo.rendering import Picture
from monitors.gaps import GapState, list_gaps
from monitors.tables import inbox, locations, tasks
from streams.schemas import post_key
from tests.at_network import POSTS, AtAccount, AtNetwork, Posted
from tests.end_to_end.instance import Instance, an_instance, jpeg, kill, scene
from tests.end_to_end.stream import DISTRACTORS, REFERENCES

pytestmark = [
    pytest.mark.slow, pytest.mark.models, pytest.mark.servers, pytest.mark.timeout(600),
]  # fmt: skip

ACCOUNTS, COUNT, PLANTED, FILMS, PICTURES, KILLS = 20, 500, 30, 3, 80, 3
KEYWORD = "해치공주"
END_SECONDS = 240.0

PICTURE = tuple(Picture(kind=kind, seed=1001) for kind in ("landscape", "city"))
FILM = Clip(pictures=(PICTURE[0], PICTURE[1]), seed=1001, tune=Tune(seed=1, style=1, seconds=10.0))


@dataclass(slots=True)
class Published:
    """What stands on the network.

    Args:
        accounts: who posts.
        planted: posts that show a copy, with their author and the reference's number; the last
            number is the film's.
        others: all other posts.
    """

    accounts: list[AtAccount]
    planted: dict[str, tuple[Posted, AtAccount, int]] = field(default_factory=dict)
    others: dict[str, Posted] = field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        return self.planted.keys() | self.others.keys()


def references(folder: Path) -> list[Path]:
    """Write what is enrolled: four pictures and a film."""
    paths = []
    for number, kind in enumerate(REFERENCES):
        path = folder / f"reference-{number}.jpg"
        path.write_bytes(jpeg(scene(kind, 2000 + number), 95))
        paths.append(path)
    film = folder / "film.mp4"
    film.write_bytes(FilmRecipe(file="film.mp4", clip=FILM).to_bytes({}))
    return [*paths, film]


def copy_of(number: int, edit: int) -> bytes:
    """Recompress a picture, crop it, or caption it."""
    picture = scene(REFERENCES[number], 2000 + number).convert("RGB")
    width, height = picture.size
    if edit == 1:
        picture = picture.crop((20, 14, width - 24, height - 12))
    elif edit == 2:
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, height - 40, width, height), fill="white")
        draw.text((12, height - 30), "a caption that someone wrote", fill="black")
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=35 if edit == 0 else 75)
    return content.getvalue()


def publish(network: AtNetwork, chance: random.Random) -> Iterator[tuple[int, Published]]:
    """Publish everything, in the order of chance; tell after each post how many there are."""
    accounts = [network.account(f"poster{number}") for number in range(ACCOUNTS)]
    published = Published(accounts)
    places = chance.sample(range(COUNT), PLANTED + PICTURES)
    planted, pictures = set(places[:PLANTED]), set(places[PLANTED:])
    films = set(places[:FILMS])
    for number in range(COUNT):
        author = accounts[number % ACCOUNTS]
        is_named = number in planted or number % 25 == 0
        words = f"{number}번 글" + (f" {KEYWORD} 보세요" if is_named else "")
        if number in films:
            recipe = FilmRecipe(file="v.mp4", clip=FILM, edit="cropped", seed=number)
            posted, shown = author.post(words, mp4=recipe.to_bytes({})), len(REFERENCES)
        elif number in planted:
            shown = chance.randrange(len(REFERENCES))
            posted = with_jpeg(author, words, copy_of(shown, number % 3))
        elif number in pictures:
            shown, kind = -1, DISTRACTORS[number % len(DISTRACTORS)]
            posted = with_jpeg(author, words, jpeg(scene(kind, number)))
        else:
            shown, posted = -1, author.post(words)
        key = post_key("atproto", posted.uri, posted.cid)
        if shown >= 0:
            published.planted[key] = (posted, author, shown)
        else:
            published.others[key] = posted
        yield number + 1, published


def with_jpeg(author: AtAccount, words: str, body: bytes) -> Posted:
    shown = [{"alt": "", "image": author.upload(body, "image/jpeg")}]
    embed = {"$type": "app.bsky.embed.images", "images": shown}
    return author.create(POSTS, {"text": words, "langs": ["ko"], "embed": embed})


def write_sources(path: Path, network: AtNetwork, *, stream: bool) -> None:
    path.write_text(
        f"""
[[stream]]
kind = "firehose"
name = "bluesky"
url = "{network.firehose}"
enabled = {str(stream).lower()}
silent_seconds = 600

[[search]]
kind = "atproto"
name = "bluesky-search"
url = "{network.bsky}"
"""
    )


def open_case(instance: Instance, alias: str, files: Sequence[Path]) -> dict[str, int]:
    """Open a case with a keyword and every reference; give their numbers by their ids."""
    words = ("--age-class", "adult", "--basis", "victim_request")
    [case] = instance.haechi("case", "open", "--alias", alias, *words)
    instance.haechi("case", "keyword", "add", case["case"], KEYWORD)
    found = instance.haechi("case", "reference", "add", case["case"], *map(str, files))
    assert [one["outcome"] for one in found] == ["enrolled"] * len(files)
    return {one["reference"]: number for number, one in enumerate(found)}


def located(instance: Instance, alias: str) -> list[Any]:
    """Give every location of a case's tasks."""
    from monitors.tables import cases

    query = (
        sa.select(locations, tasks.c.status, tasks.c.host)
        .join(tasks, tasks.c.id == locations.c.task_id)
        .join(cases, cases.c.id == tasks.c.case_id)
        .where(cases.c.alias == alias)
    )
    with instance.database.read() as connection:
        return list(connection.execute(query))


def hold_to_account(
    places: Sequence[Any], numbers: Mapping[str, int], planted: Mapping[str, tuple[Any, ...]]
) -> None:
    """Every planted post is found once, by its own reference, on one task a reference."""
    assert {one.post_key: numbers[one.reference_id] for one in places} == {
        key: one[2] for key, one in planted.items()
    }
    assert len(places) == len(planted)
    assert {one.host for one in places} == {"bsky.app"}
    assert len({one.task_id for one in places}) == len({one[2] for one in planted.values()})


def kill_collector(instance: Instance) -> None:
    pid = instance.pid_of("collector")
    kill(pid)
    instance.wait(lambda: instance.pid_of("collector") not in {None, pid}, 30, "a new collector")


def watch(instance: Instance, network: AtNetwork, chance: random.Random) -> Published:
    """Publish under a running instance whose collector is killed; give what was published."""
    published = None
    stops = {COUNT * (number + 1) // (KILLS + 1) for number in range(KILLS)}
    for count, so_far in publish(network, chance):
        published = so_far
        if count in stops:
            kill_collector(instance)
    assert published is not None
    instance.wait(
        lambda: published.keys <= instance.outcomes().keys(), END_SECONDS, "an outcome of each post"
    )
    return published


def hold_gaps(instance: Instance) -> None:
    with instance.database.read() as connection:
        gaps = list_gaps(connection, source="bluesky")
        waiting = connection.execute(sa.select(sa.func.count()).select_from(inbox)).scalar_one()
    assert waiting == 0
    assert [one.reason for one in gaps] == ["stopped"] * KILLS
    assert {one.state for one in gaps} == {GapState.REFILLED}
    [listed] = [one for one in instance.haechi("source", "list") if one["source"] == "bluesky"]
    assert listed["cursor"]


def delete_some(instance: Instance, published: Published) -> set[str]:
    """Delete five planted posts and deactivate the author of another; give what still stands."""
    keys = list(published.planted)
    for key in keys[:5]:
        posted, author, _ = published.planted[key]
        author.delete(posted)
    _, gone, _ = published.planted[keys[5]]
    gone.deactivate()
    lost = {
        key
        for key, (_, author, _) in published.planted.items()
        if key in keys[:5] or author is gone
    }
    instance.wait(
        lambda: {one.post_key for one in located(instance, "first") if one.gone_at} == lost,
        30,
        "deletions become marks",
    )
    reasons = {one.gone_reason for one in located(instance, "first") if one.gone_at}
    assert reasons == {"deleted", "account_deactivated"}
    return set(keys) - lost


def test_a_network_is_watched_and_searched_and_its_deletions_count(
    tmp_path: Path, at_network: AtNetwork
) -> None:
    chance, files, sources = random.Random(4), references(tmp_path), tmp_path / "sources.toml"
    write_sources(sources, at_network, stream=True)
    instance = an_instance(
        tmp_path / "home",
        workers=1,
        sources=sources,
        plc_url=at_network.plc,
        fetch_allow=at_network.origins,
        lookback_days=0,
    )
    numbers, scout = open_case(instance, "first", files), at_network.account("scout")
    with instance:
        instance.wait_until_ready()
        instance.wait(lambda: is_heard(instance, scout), 30, "the firehose")
        published = watch(instance, at_network, chance)
        ended = instance.outcomes()
        assert {ended[key][0] for key in published.planted} == {"sighted"}
        assert {ended[key][0] for key in published.others} == {"clear"}
        hold_to_account(located(instance, "first"), numbers, published.planted)
        hold_gaps(instance)
        standing = delete_some(instance, published)
        assert instance.stop() == 0
    write_sources(sources, at_network, stream=False)
    at_network.catch_up()
    numbers = open_case(instance, "second", files)
    with instance:
        instance.wait_until_ready()
        started = time.monotonic()
        [found] = instance.haechi("search", "second")
        assert (found["state"], found["answered"]) == ("done", 1), found
        assert found["seconds"] < time.monotonic() - started + 1
        again = located(instance, "second")
        hold_to_account(again, numbers, {key: published.planted[key] for key in standing})
        assert len(found["tasks"]) == len({one.task_id for one in again})
        assert len(located(instance, "first")) == PLANTED, "no location twice"
        assert instance.stop() == 0


def is_heard(instance: Instance, scout: AtAccount) -> bool:
    """Post until the source is read: a first start begins now, with what comes then."""
    scout.post("first")
    found = [one for one in instance.haechi("source", "list") if one["source"] == "bluesky"]
    return bool(found) and found[0]["cursor"] is not None
