"""Which service publishes a post: the last third of a takedown task's key."""

import ipaddress
from functools import cache
from urllib.parse import unquote, urlsplit

import idna
from publicsuffixlist import PublicSuffixList

UNREADABLE_HOST = "invalid"
"""Stands for every address without a readable host: such a post still gets its task."""

MAX_HOST = 253
"""Characters of a domain name (RFC 1035, section 2.3.4)."""

_FORBIDDEN = frozenset(" #/<>?@[\\]^|")
"""No host holds one of these (URL Standard, "forbidden host code point"), even percent-encoded."""


def registrable_domain(url: str) -> str:
    """Give the registrable domain of a URL's host, in lower-case ASCII, without a port.

    A public suffix of its own (`localhost`, `github.io`) and an IP address stand as they are. The
    whole public suffix list counts, its private section too: whoever rents `x.github.io` answers
    for it, and another tenant's task stays apart. Never raises.
    """
    host = _host(url)
    if not host:
        return UNREADABLE_HOST
    address = _address(host)
    if address:
        return address
    return str(_suffixes().privatesuffix(host) or host)[:MAX_HOST]


def _host(url: str) -> str:
    """Take the host as browsers do: a backslash is a slash, `%41` an A, a last dot nothing."""
    try:
        host = unquote(urlsplit(url.replace("\\", "/")).hostname or "")
    except ValueError:
        return ""
    host = _ascii(host).rstrip(".").lower()
    return host if host.isprintable() and not _FORBIDDEN & set(host) else ""


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return host


def _address(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
