"""`streams.sources.catalogue`."""

from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.sources.catalogue import (
    MAX_SOURCES,
    SEARCHES,
    STREAMS,
    Adapter,
    Catalogue,
    read_catalogue,
)
from streams.sources.jetstream import JetstreamSource
from tests.fakes import FakeClock

SKY = '[[stream]]\nkind = "jetstream"\nname = "sky"\nurl = "wss://jetstream.example"\n'


def read(tmp_path: Path, text: str) -> Catalogue:
    file = tmp_path / "sources.toml"
    file.write_text(text)
    return read_catalogue(file)


def test_without_a_file_there_is_no_source() -> None:
    assert read_catalogue(None) == Catalogue()


def test_enabled_entries_are_built(tmp_path: Path) -> None:
    off = SKY.replace('"sky"', '"off"') + "enabled = false\n"
    search = '[[search]]\nkind = "atproto"\nname = "ask"\nurl = "https://api.example"\n'
    found = read(tmp_path, SKY + off + search)
    [(config, source)] = found.build_streams(FakeClock())
    assert (config.name, source.name) == ("sky", "sky")
    assert isinstance(source, JetstreamSource)
    assert [one.name for one in found.build_searches(FakeClock())] == ["ask"]
    assert [one.config.name for one in found.streams] == ["sky", "off"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[feeds]]\n", r"no \[\[feeds\]\]"),
        ('[stream]\nkind = "jetstream"\n', "two brackets"),
        ("stream = 3\n", "two brackets"),
        ('[[stream]]\nname = "sky"\n', "stream 1: kind is one of jetstream"),
        ('[[stream]]\nkind = "telegram"\n', "stream 1: kind is one of"),
        (SKY + SKY, "the name sky is taken"),
        (SKY.replace('"sky"', '"push"'), "the name push is taken"),
        (SKY.replace('"sky"', '"replay"'), "the name replay is taken"),
        (SKY.replace('"sky"', '"lookback"'), "the name lookback is taken"),
        ("[[search]]\nkind = {hunter2 = 1}\n", "search 1: kind is one of"),
        ("stream = [1, 2]\n", "stream 1: kind is one of"),
        (SKY + SKY.replace('"sky"', '"Hunter2"').replace("hunter2", "x"), "stream 2: name"),
        (SKY + "expect_seconds = {post = 1e300}\n", "stream 1: expect_seconds.post"),
        (SKY + "expect_seconds = {post = -1}\n", "stream 1: expect_seconds.post"),
        (SKY + 'expect_seconds = {hunter = "hunter2"}\n', "stream 1: expect_seconds"),
        (SKY + "secret_typo = 1\n", "stream 1: secret_typo: Extra inputs"),
        (SKY.replace("wss://jetstream.example", "hunter2"), "stream 1: url"),
        ("kind = \n", "not TOML"),
    ],
)
def test_a_wrong_entry_is_named_and_its_values_are_not(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        read(tmp_path, text)
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_catalogue(tmp_path / "none.toml")


def test_names_are_labels_of_metrics_and_so_are_few(tmp_path: Path) -> None:
    many = "".join(SKY.replace('"sky"', f'"sky{n}"') for n in range(MAX_SOURCES + 1))
    with pytest.raises(ConfigurationError, match="at most"):
        read(tmp_path, many)


@pytest.mark.parametrize("adapter", [*STREAMS.values(), *SEARCHES.values()], ids=str)
def test_every_kind_leads_to_its_classes(adapter: Adapter) -> None:
    import importlib

    module = importlib.import_module(adapter.module)
    assert hasattr(module, adapter.config)
    assert hasattr(module, adapter.source)
