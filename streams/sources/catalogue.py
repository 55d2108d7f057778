"""Every kind of source that the sources' file may name, and how it is built.

An adapter's modules are imported when a source of its kind is built.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.clock import Clock
from streams.errors import ConfigurationError
from streams.sources.config import SourceConfig, parse, read_toml
from streams.sources.source import SearchSource, Source
from streams.sources.websub import Hubs

MAX_SOURCES = 16
"""Of streams and searches together: their names are metric labels of fewer than 20 values, and
`push`, `replay` and `lookback` are three."""

RESERVED = frozenset({"push", "replay", "lookback"})


@dataclass(frozen=True, slots=True)
class Adapter:
    """Where a kind's classes stand."""

    module: str
    config: str
    source: str


STREAMS: Mapping[str, Adapter] = {
    "jetstream": Adapter("streams.sources.jetstream", "JetstreamConfig", "JetstreamSource"),
    "firehose": Adapter("streams.sources.firehose", "FirehoseConfig", "FirehoseSource"),
    "mastodon": Adapter("streams.sources.mastodon", "MastodonConfig", "MastodonSource"),
    "feed": Adapter("streams.sources.feeds", "FeedConfig", "FeedSource"),
    "board": Adapter("streams.sources.boards", "BoardConfig", "BoardSource"),
}
SEARCHES: Mapping[str, Adapter] = {
    "atproto": Adapter("streams.sources.at_search", "AtSearchConfig", "AtSearch"),
    "mastodon": Adapter(
        "streams.sources.mastodon_search", "MastodonSearchConfig", "MastodonSearch"
    ),
    "json": Adapter("streams.sources.json_search", "JsonSearchConfig", "JsonSearch"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An entry of the sources' file.

    Args:
        config: checked.
        adapter: of its kind.
    """

    config: SourceConfig
    adapter: Adapter

    def build(
        self,
        clock: Clock,
        allow_origins: frozenset[str] = frozenset(),
        hubs: Hubs | None = None,
    ) -> Any:
        """Build the source.

        Args:
            clock: for times.
            allow_origins: private origins that it may reach, where it follows strangers' addresses.
            hubs: where pings arrive, for a source that can be told of what is new.

        Raises:
            ConfigurationError: it cannot work with these settings.
        """
        tools: dict[str, Any] = {"allow_origins": allow_origins} if self.config.guarded else {}
        if self.config.subscribes:
            tools["hubs"] = hubs
        return _load(self.adapter, self.adapter.source)(self.config, clock=clock, **tools)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What the sources' file names; what is not enabled is left out of `build_…` alone."""

    streams: Sequence[Named] = ()
    searches: Sequence[Named] = ()

    def build_streams(
        self,
        clock: Clock,
        allow_origins: frozenset[str] = frozenset(),
        hubs: Hubs | None = None,
    ) -> list[tuple[SourceConfig, Source]]:
        """Build the enabled streams; see `Named.build`."""
        enabled = [one for one in self.streams if one.config.enabled]
        return [(one.config, one.build(clock, allow_origins, hubs)) for one in enabled]

    def build_searches(self, clock: Clock) -> list[SearchSource]:
        """Build the enabled searches."""
        return [one.build(clock) for one in self.searches if one.config.enabled]


def read_catalogue(path: Path | None) -> Catalogue:
    """Read the sources' file; nothing where there is none.

    Raises:
        ConfigurationError: it cannot be read, or an entry is wrong: says which, and where.
    """
    if path is None:
        return Catalogue()
    document = read_toml(path)
    unknown = sorted(document.keys() - {"stream", "search"})
    if unknown:
        raise ConfigurationError(
            f"sources: there is no [[{unknown[0]}]]; write [[stream]] or [[search]]"
        )
    found = Catalogue(
        streams=_entries(document.get("stream", []), STREAMS, "stream"),
        searches=_entries(document.get("search", []), SEARCHES, "search"),
    )
    _check_names([one.config.name for one in (*found.streams, *found.searches)])
    return found


def _entries(listed: Any, adapters: Mapping[str, Adapter], what: str) -> list[Named]:
    if not isinstance(listed, list):
        raise ConfigurationError(f"sources: write [[{what}]], with two brackets")
    return [_entry(entry, adapters, f"{what} {at}") for at, entry in enumerate(listed, 1)]


def _entry(entry: Any, adapters: Mapping[str, Adapter], where: str) -> Named:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in adapters:
        kinds = ", ".join(adapters)
        raise ConfigurationError(f"sources, {where}: kind is one of {kinds}")
    adapter = adapters[kind]
    return Named(config=parse(_load(adapter, adapter.config), entry, where), adapter=adapter)


def _check_names(names: Sequence[str]) -> None:
    if len(names) > MAX_SOURCES:
        raise ConfigurationError(f"sources: at most {MAX_SOURCES} can be named")
    twice = sorted({name for name in names if names.count(name) > 1 or name in RESERVED})
    if twice:
        raise ConfigurationError(f"sources: the name {twice[0]} is taken")


def _load(adapter: Adapter, name: str) -> Any:
    return getattr(importlib.import_module(adapter.module), name)
