"""`alerts.hosts`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.hosts import MAX_HOST, UNREADABLE_HOST, registrable_domain


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.gallery.example.co.kr/a?b#c", "example.co.kr"),
        ("http://CDN.Example.COM:8443/x", "example.com"),
        ("https://example.com./x", "example.com"),
        ("https://user:word@m.example.org/x", "example.org"),
        ("https://victim.github.io/page", "victim.github.io"),
        ("https://github.io/page", "github.io"),
        ("http://localhost:8700/p/1", "localhost"),
        ("http://127.0.0.1:8700/p/1", "127.0.0.1"),
        ("http://[::1]:8700/p/1", "::1"),
        ("http://[FE80::0:1]/p", "fe80::1"),
        ("https://a.블로그.한국/x", "xn--2i0b10rqve.xn--3e0b707e"),
        ("https://a.xn--2i0b10rqve.xn--3e0b707e/x", "xn--2i0b10rqve.xn--3e0b707e"),
        ("https://faß.de/x", "xn--fa-hia.de"),
        ("https://evil.com\\@good.com/x", "evil.com"),
        ("https://ex%61mple.com/", "example.com"),
        ("https://under_score.example.com/", "example.com"),
        ("http://[broken/", UNREADABLE_HOST),
        ("https:///path", UNREADABLE_HOST),
        ("https://nul%00.example.com/", UNREADABLE_HOST),
        ("https://a%2Fb.example.com/", UNREADABLE_HOST),
        ("", UNREADABLE_HOST),
    ],
)
def test_the_service_is_the_registrable_domain(url: str, host: str) -> None:
    assert registrable_domain(url) == host


@given(st.text())
def test_no_address_is_too_odd_for_a_host(text: str) -> None:
    host = registrable_domain(f"http://{text}")
    assert 0 < len(host) <= MAX_HOST
    assert host.isprintable()
    assert not set(host) & set(" /?#@")


@given(st.from_regex(r"[a-z]{1,20}(\.[a-z]{2,10}){1,3}", fullmatch=True))
def test_a_registrable_domain_is_its_own_registrable_domain(host: str) -> None:
    service = registrable_domain(f"https://{host}/")
    assert registrable_domain(f"https://{service}/") == service
    assert host.endswith(service)
