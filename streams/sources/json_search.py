"""A search service that answers plain JSON, described by the sources' file alone.

What an answer means is written as JMESPath (https://jmespath.org): the operator's own expressions
on a stranger's data. An expression that does not fit an item rejects that item.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Literal, Self

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from streams.clock import Clock
from streams.errors import ConfigurationError, InvalidMessageError, SourceError
from streams.media.markup import plain_text
from streams.schemas import MediaItemRecord, Name, NewPost, explain
from streams.sources.answers import ServiceUrl, ask, asking, decode, to_error
from streams.sources.config import SourceConfig, Token
from streams.sources.fields import (
    LANGUAGE,
    LINK,
    MAX_DATE_CHARACTERS,
    clean,
    fits,
    is_older,
    parse_time,
)
from streams.sources.source import Query, Rejected, Truncated
from streams.types import MediaKind, Post

PLACE = re.compile(r"\{([a-z_]+)\}")
PLACES = frozenset({"words", "limit", "since", "since_unix", "page", "offset", "cursor", "token"})
"""What a parameter may ask for."""

MAX_TEXT = 20_000
MAX_MEDIA = 50
MAX_CURSOR_CHARACTERS = 4096
MAX_SECONDS = 2**34
"""A date of the 26th century: beyond it are milliseconds."""

MAX_ITEMS = 1_000
"""Of one page; no known service gives more than 100."""


def _check_expression(expression: str) -> str:
    try:
        jmespath.compile(expression)
    except JMESPathError:
        raise ValueError("not JMESPath") from None
    return expression


def _check_template(template: str) -> str:
    unknown = sorted(set(PLACE.findall(template)) - PLACES)
    if unknown:
        raise ValueError(f"there is no {{{unknown[0]}}}")
    return template


Expression = Annotated[str, AfterValidator(_check_expression)]
Template = Annotated[str, AfterValidator(_check_template)]


class JsonFields(BaseModel):
    """Where an answer holds what; `items` and `next` are read of all of it, the rest of an item."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: Expression = Field(description="The list of what was found.")
    next: Expression | None = Field(default=None, description="The cursor of the next page.")
    url: Expression = Field(description="The page, or the file, that was found.")
    id: Expression | None = Field(default=None, description="Its name; else its address.")
    text: Expression | None = Field(default=None, description="Text, or a list of texts.")
    media: Expression | None = Field(default=None, description="A list of addresses of pictures.")
    published_at: Expression | None = None
    author: Expression | None = None
    language: Expression | None = None


class JsonSearchConfig(SourceConfig):
    """A service, its parameters and its answers."""

    kind: Literal["json"] = "json"
    url: ServiceUrl
    params: Mapping[str, Template] = Field(
        description="May hold {words}, {limit}, {since}, {since_unix}, {page}, {offset}, {cursor}; "
        "one that would be empty is left out.",
    )
    headers: Mapping[str, Template] = Field(default_factory=dict, description="May hold {token}.")
    token: Token | None = None
    network: Name | None = Field(default=None, description="Whose identifiers these are.")
    fields: JsonFields
    url_kind: Literal["page", "image", "video"] = "page"
    page_size: int = Field(default=100, ge=1, le=MAX_ITEMS, description="The most of one page.")
    first: int = Field(default=1, ge=0, description="Number of the first page, or first offset.")
    max_pages: int = Field(default=10, ge=1, le=1000, description="Asked for in one search.")
    queries_per_day: int | None = Field(default=None, ge=1, description="Requests, by UTC day.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if "words" not in self.places:
            raise ValueError("no parameter holds {words}")
        if ("cursor" in self.places) != (self.fields.next is not None):
            raise ValueError("{cursor} and fields.next go together")
        if "token" in self.places and self.token is None:
            raise ValueError("{token} needs a token")
        return self

    @property
    def places(self) -> frozenset[str]:
        """What parameters and headers ask for."""
        templates = (*self.params.values(), *self.headers.values())
        return frozenset(place for one in templates for place in PLACE.findall(one))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A page; whether the service has another; and why there is none that should be."""

    items: Sequence[Any] = ()
    more: bool = False
    lacking: str = ""


class JsonSearch:
    """Asks one service. A `SearchSource`.

    Args:
        config: which, and what its answers mean.
        clock: gives `observed_at`, and the day of a quota.
    """

    def __init__(self, config: JsonSearchConfig, *, clock: Clock) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock
        self._quota = DailyQuota(config.queries_per_day, clock)

    async def search(self, query: Query) -> AsyncIterator[Post | Rejected | Truncated]:
        """Give what the service finds; see `SearchSource.search`.

        Raises:
            SourceError: it does not answer now; its `reason` says why.
            ConfigurationError: the token cannot be read.
        """
        left, position = query.limit, 0
        async for page in self._pages(query):
            unread = len(page.items)
            for given in page.items:
                if left == 0:
                    break
                item = self._item(given, position)
                position, unread = position + 1, unread - 1
                if isinstance(item, Post) and is_older(item.published_at, query.since):
                    continue
                left -= 1
                yield item
            if left == 0 and (page.more or unread):
                yield Truncated(reason="limit")
            elif page.lacking:
                yield Truncated(reason=page.lacking)
            if left == 0 or page.lacking:
                return

    async def _pages(self, query: Query) -> AsyncIterator["_Page"]:
        config, values = self._config, self._values(query)
        size = int(values["limit"])
        for number in range(config.max_pages):
            if not self._quota.take():
                yield _Page(lacking="quota")
                return
            values["page"] = str(config.first + number)
            values["offset"] = str(config.first + number * size)
            answer = await self._ask(values)
            found = _part(config.fields.items, answer)
            items = found[:MAX_ITEMS] if isinstance(found, list) else []
            if "cursor" in config.places:
                cursor = _cursor(_part(config.fields.next, answer))
                more = cursor not in {"", values["cursor"]}
                values["cursor"] = cursor
            else:
                more = bool(config.places & {"page", "offset"}) and len(items) >= size
            yield _Page(items=items, more=more)
            if not more:
                return
        yield _Page(lacking="pages")

    def _values(self, query: Query) -> dict[str, str]:
        token = "" if self._config.token is None else self._config.token.read()
        if not token.isascii() or not token.isprintable():
            raise ConfigurationError("a token is ASCII in one line")
        since = query.since and query.since.astimezone(UTC)
        return {
            "words": query.words,
            "limit": str(min(self._config.page_size, query.limit)),
            "since": since.strftime("%Y-%m-%dT%H:%M:%SZ") if since else "",
            "since_unix": str(int(since.timestamp())) if since else "",
            "cursor": "",
            "token": token,
        }

    async def _ask(self, values: Mapping[str, str]) -> Any:
        headers = _filled(self._config.headers, values)
        params = _filled(self._config.params, values)
        async with asking() as client:
            answer = await ask(client, "GET", self._config.url, params=params, headers=headers)
        if answer.status != 200:
            raise to_error(answer, self._clock.now())
        return decode(answer.body)

    def _item(self, given: Any, position: int) -> Post | Rejected:
        try:
            new = to_new_post(given, self._config)
        except InvalidMessageError as error:
            return Rejected(cursor="", reason=error.reason, position=position)
        network = self._config.network or ""
        return new.to_domain(source=self.name, observed_at=self._clock.now(), network=network)


class DailyQuota:
    """Counts requests by UTC day, in memory: a restart begins anew.

    Args:
        most: of one day; None: no limit.
        clock: for the day.
    """

    def __init__(self, most: int | None, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._day: date | None = None
        self._taken = 0

    def take(self) -> bool:
        """Count one request; False where none is left."""
        today = self._clock.now().astimezone(UTC).date()
        if today != self._day:
            self._day, self._taken = today, 0
        if self._most is not None and self._taken >= self._most:
            return False
        self._taken += 1
        return True


def to_new_post(given: Any, config: JsonSearchConfig) -> NewPost:
    """Read one item of an answer. Pure.

    Args:
        given: anything.
        config: what it means.

    Raises:
        InvalidMessageError: it is none; the message quotes nothing of it.
    """
    fields = config.fields
    try:
        read = {name: _found(getattr(fields, name), given) for name in _OF_AN_ITEM}
    except JMESPathError as error:
        raise InvalidMessageError(f"an expression fails: {type(error).__name__}") from None
    url = read["url"]
    name = url if fields.id is None else read["id"]
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    language, author = read["language"], read["author"]
    try:
        return NewPost(
            id=name,
            url=url,
            text=_text(read["text"]),
            media=tuple(_media(read["media"], url, MediaKind(config.url_kind))),
            published_at=_time(read["published_at"]),
            author=author[:1024] if isinstance(author, str) and author.isprintable() else None,
            language=language if fits(LANGUAGE, language) else None,
        )
    except ValidationError as error:
        raise InvalidMessageError(explain(error)) from None


_OF_AN_ITEM = ("url", "id", "text", "media", "published_at", "author", "language")


def _found(expression: str | None, value: Any) -> Any:
    return None if expression is None else jmespath.search(expression, value)


def _part(expression: str | None, answer: Any) -> Any:
    try:
        return _found(expression, answer)
    except JMESPathError:
        raise SourceError("an answer that an expression does not fit") from None


def _filled(templates: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Fill places in; a template whose every place is empty is left out."""
    filled = {}
    for name, template in templates.items():
        places = PLACE.findall(template)
        if not places or any(values[place] for place in places):
            filled[name] = PLACE.sub(lambda place: values[place[1]], template)
    return filled


def _cursor(value: Any) -> str:
    cursor = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return cursor if isinstance(cursor, str) and len(cursor) <= MAX_CURSOR_CHARACTERS else ""


def _text(value: Any) -> str:
    several = value if isinstance(value, list) else [value]
    texts = [plain_text(one[:MAX_TEXT]) for one in several[:100] if isinstance(one, str)]
    return clean("\n".join(text for text in texts if text), MAX_TEXT)


def _media(value: Any, url: Any, kind: MediaKind) -> list[MediaItemRecord]:
    several = value if isinstance(value, list) else [value]
    found = {one: MediaKind.IMAGE for one in several[:MAX_MEDIA] if fits(LINK, one)}
    found |= {url: kind} if fits(LINK, url) else {}
    return [MediaItemRecord(url=one, kind=what) for one, what in found.items()]


def _time(value: Any) -> datetime | None:
    """Read RFC 3339, the date of a mail, or seconds since 1970; None where it is none of these."""
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC) if 0 < value < MAX_SECONDS else None
    if not isinstance(value, str) or len(value) > MAX_DATE_CHARACTERS:
        return None
    return parse_time(value) or _mailed(value)


def _mailed(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return None
