"""`agents.benchmarks.hostile_media`: good media, and the same ones broken."""

import random

import pytest

from agents.benchmarks.hostile_media import WAYS, break_one, good_media
from streams.media.containers import DEMUXERS, sniff


def test_every_demuxer_that_is_accepted_has_a_good_medium() -> None:
    kinds = {kind.demuxer for kind in map(sniff, good_media().values()) if kind is not None}
    assert kinds == set(DEMUXERS)


def test_equal_seeds_break_equally() -> None:
    good = {"a": bytes(range(256)) * 9, "b": b"xyz" * 500}
    one, other = (break_one(good, random.Random(7)) for _ in range(2))
    assert one == other
    assert one[1] not in good.values()


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("size", [0, 1, 7, 5000])
def test_each_way_breaks_a_body_of_any_size(way: str, size: int) -> None:
    good = {"a": b"\1" * 600}
    changed = 0
    for seed in range(20):
        body = bytearray(b"\7" * size)
        WAYS[way](body, random.Random(seed), good)
        changed += bytes(body) != b"\7" * size
    assert changed > 5 or size < 8
