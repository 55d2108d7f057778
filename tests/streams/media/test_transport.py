"""`streams.media.transport`: the list of research/ops.md 5c, each refused before a connection."""

import asyncio
import socket
import ssl
import sys
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpcore
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from streams.errors import ConfigurationError, ForbiddenAddressError, MediaUnavailableError
from streams.media.fetcher import GuardedFetcher
from streams.media.politeness import LocalPoliteness
from streams.media.transport import GuardedTransport, SystemResolver

LITERALS = (
    "http://127.0.0.1/",
    "http://127.0.0.1:80/",
    "https://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.255.255.254/",
    "http://0/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://3232235777/",
    "http://127。0。0。1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://168.63.129.16/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[2606:4700::5efe:127.0.0.1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:6379/",
    "https://8.8.8.8:8443/",
    "http://8.8.8.8:99999/",
    "http://8.8.8.8:0/",
    "https://8.8.8.8:0/",
    "http://user:secret@8.8.8.8/",
    "http://8.8.8.8@127.0.0.1/",
    "http://127.0.0.1@8.8.8.8/",
    "http://127.0.0.1\\@8.8.8.8/",
    "http://127.0.0.1#@8.8.8.8/",
    "http://127.0.0.1?@8.8.8.8/",
    "http://12\t7.0.0.1/",
    "http://12\n7.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http:///etc/passwd",
    "http:127.0.0.1/",
    "//127.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://8.8.8.8/a.jpg",
    "dict://127.0.0.1:11211/stats",
    "data:image/png;base64,AAAA",
    "jar:http://8.8.8.8/a.jar!/b",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "ws://8.8.8.8/",
    "",
    "http://" + "a" * 9000,
)

NAMES: dict[str, Sequence[str]] = {
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "loopback.example": ["127.0.0.1"],
    "six.example": ["::1"],
    "private.example": ["10.1.2.3"],
    "metadata.example": ["169.254.169.254"],
    "cgnat.example": ["100.64.3.3"],
    "nat64.example": ["64:ff9b::a00:1"],
    "six-to-four.example": ["2002:a00:1::1"],
    "teredo.example": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "isatap.example": ["2606:4700::5efe:a00:1"],
    "siit.example": ["::ffff:0:10.0.0.1"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "multicast.example": ["239.1.1.1"],
    "unspecified.example": ["0.0.0.0"],
    "mixed.example": ["93.184.216.34", "127.0.0.1"],
    "mixed-last.example": ["93.184.216.34", "2606:4700::1", "fe80::1%eth0"],
    "127.0.0.1.nip.example": ["127.0.0.1"],
    "xn--mgbh0fb.example": ["192.168.1.1"],
}


class Connections(httpcore.AsyncNetworkBackend):
    """Counts what would have been connected to; nothing leaves."""

    def __init__(self) -> None:
        self.tried: list[tuple[str, int]] = []

    async def connect_tcp(
        self, host: str, port: int, *_: object, **__: object
    ) -> httpcore.AsyncNetworkStream:
        self.tried.append((host, port))
        raise httpcore.ConnectError("the test connects nowhere")


async def resolve_literals_and_fakes(host: str, port: int) -> Sequence[str]:
    """Answer from the list, or as the system does for what needs no name server."""
    if host in NAMES:
        return NAMES[host]
    return [
        str(answer[4][0])
        for answer in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    ]


connect_events: list[object] = []
listening = False


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if listening and event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        connect_events.append(arguments)


sys.addaudithook(_hear)


@pytest.fixture
def no_connection() -> Iterator[list[object]]:
    """What Python itself saw being connected."""
    global listening  # noqa: PLW0603 - an audit hook cannot be taken out again
    connect_events.clear()
    listening = True
    yield connect_events
    listening = False


def fetcher_over(connections: Connections) -> GuardedFetcher:
    transport = GuardedTransport(resolve=resolve_literals_and_fakes, inner=connections)
    return GuardedFetcher("haechi-test", LocalPoliteness(), transport=transport)


@pytest.mark.parametrize("url", LITERALS)
async def test_a_forbidden_url_is_refused_before_a_connection(
    url: str, no_connection: list[object]
) -> None:
    connections = Connections()
    with pytest.raises(ForbiddenAddressError):
        await fetcher_over(connections).fetch(url)
    assert connections.tried == []
    assert no_connection == []


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_with_any_private_answer_is_refused_before_a_connection(
    scheme: str, name: str, no_connection: list[object]
) -> None:
    connections = Connections()
    with pytest.raises(ForbiddenAddressError):
        await fetcher_over(connections).fetch(f"{scheme}://{name}/a.jpg")
    assert connections.tried == []
    assert no_connection == []


async def test_the_hook_that_proves_it_does_hear_a_connection(no_connection: list[object]) -> None:
    with socket.socket() as probe, pytest.raises(OSError, match="refused"):
        probe.connect(("127.0.0.1", 1))
    assert len(no_connection) == 1


async def test_a_name_that_changes_its_answer_gains_nothing() -> None:
    answers = [["93.184.216.34"], ["127.0.0.1"]]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), 2) - 1]

    connections = Connections()
    transport = GuardedTransport(resolve=rebinding, inner=connections)
    fetcher = GuardedFetcher("haechi-test", LocalPoliteness(), transport=transport)
    with pytest.raises(MediaUnavailableError):
        await fetcher.fetch("http://rebinding.example/")
    assert asked == ["rebinding.example"]
    assert connections.tried == [("93.184.216.34", 80)]
    with pytest.raises(ForbiddenAddressError):
        await fetcher.fetch("http://rebinding.example/")
    assert connections.tried == [("93.184.216.34", 80)]


async def test_a_public_name_is_connected_to_by_address_one_after_another() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["2606:4700::1", "93.184.216.34"]

    connections = Connections()
    transport = GuardedTransport(resolve=resolve, inner=connections)
    with pytest.raises(httpcore.ConnectError):
        await transport.handle_async_request(httpx.Request("GET", "https://fine.example/"))
    assert connections.tried == [("2606:4700::1", 443), ("93.184.216.34", 443)]


@pytest.mark.parametrize("answer", [OSError("NXDOMAIN"), UnicodeError("label too long"), []])
async def test_a_name_without_an_address_is_unavailable_not_refused(
    answer: Exception | list[str],
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = GuardedTransport(resolve=resolve, inner=Connections())
    fetcher = GuardedFetcher("haechi-test", LocalPoliteness(), transport=transport)
    with pytest.raises(MediaUnavailableError):
        await fetcher.fetch("http://gone.example/")


async def test_an_allowed_origin_is_exact() -> None:
    connections = Connections()
    transport = GuardedTransport(
        frozenset({"http://127.0.0.1:8080", "https://private.example:443"}),
        resolve=resolve_literals_and_fakes,
        inner=connections,
    )
    fetcher = GuardedFetcher("haechi-test", LocalPoliteness(), transport=transport)
    for refused in (
        "http://127.0.0.1/",
        "http://127.0.0.1:80/",
        "https://127.0.0.1:8080/",
        "http://127.0.0.2:8080/",
        "http://localhost:8080/",
        "http://127.0.0.1:8081/",
        "http://private.example/",
    ):
        with pytest.raises(ForbiddenAddressError):
            await fetcher.fetch(refused)
    assert connections.tried == []
    for allowed in ("http://127.0.0.1:8080/a", "https://private.example/b"):
        with pytest.raises(MediaUnavailableError):
            await fetcher.fetch(allowed)
    assert connections.tried == [("127.0.0.1", 8080), ("10.1.2.3", 443)]


@pytest.mark.parametrize(
    "origin",
    [
        "127.0.0.1:8080",
        "http://127.0.0.1",
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:8080/path",
        "http://user@127.0.0.1:8080",
        "ftp://127.0.0.1:21",
        "",
    ],
)
def test_an_allowed_origin_that_is_not_exactly_one_origin_is_a_mistake(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="scheme://host:port"):
        GuardedTransport(frozenset({origin}))


async def test_the_system_resolver_answers_numbers_without_a_name_server() -> None:
    resolver = SystemResolver()
    assert await resolver("0x7f.1", 80) == ["127.0.0.1"]
    assert await resolver("::1", 80) == ["::1"]
    resolver.close()


def certificate(name: str, folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, secret


@pytest.mark.parametrize(
    ("name", "trusted", "arrives"),
    [("host.example", True, True), ("host.example", False, False), ("other.example", True, False)],
    ids=["right name", "unknown signer", "wrong name"],
)
async def test_tls_is_verified_against_the_name_though_the_address_is_connected_to(
    name: str, trusted: bool, arrives: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, secret = certificate(name, tmp_path)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(pem, secret)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=served)
    origin = f"https://host.example:{server.sockets[0].getsockname()[1]}"
    if trusted:
        trust = ssl.create_default_context(cafile=pem)
        monkeypatch.setattr(httpx, "create_ssl_context", lambda **_: trust)
    transport = GuardedTransport(frozenset({origin}), resolve=resolve)
    fetcher = GuardedFetcher("haechi-test", LocalPoliteness(), transport=transport)
    async with server:
        if arrives:
            assert (await fetcher.fetch(f"{origin}/a")).body == b"ok"
        else:
            with pytest.raises(MediaUnavailableError) as raised:
                await fetcher.fetch(f"{origin}/a")
            assert "example" not in "".join(traceback.format_exception(raised.value))
        await fetcher.close()
