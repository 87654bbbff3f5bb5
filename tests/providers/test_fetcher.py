"""Fetching: what is reached, what never is, and what comes back of those who lie, stall or pour."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authflow.adapters.providers import fetcher as fetching
from authflow.adapters.providers.addresses import is_loopback, is_public
from authflow.adapters.providers.fetcher import HttpFetcher
from authflow.errors import ConfigInvalid
from authflow.sso.fetching import BODY_MAX, Failure, Request, Response, Unfetched
from authflow.testing.contracts.fetching import FetcherContract
from authflow.testing.openid import InProcess
from tests.providers.peers import provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody; to load the system's authorities takes longer than most of these tests."""


# --- addresses --------------------------------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    return text.split()


INSIDE = words("""
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.1.2.3
169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.31.196.1
192.52.193.1 192.88.99.1 192.168.0.1 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1
239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::808:808
100::1 100:0:0:1::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:db8::1
2002:7f00:1:: 2002:a00:1:: 2002:808:808:: 2620:4f:8000::1 3fff::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254
fd20:ce::254 fe80::1 fe80::1%eth0 2606:4700::1111%eth0 fec0::1 ff02::1 4000::1
""")

OUTSIDE = words("""
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 172.15.255.255
172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 140.82.121.3
2606:4700:4700::1111 2a00:1450:4001:82a::200e 64:ff9b::808:808 64:ff9b::a83f:8111 2001:200::1 2003::1 3ffe:ffff::1
""")

NO_ADDRESS = ["", "localhost", "127.1", "0x7f.1", "2130706433", "017700000001", "1.2.3", "1.2.3.4.5", "::g", "[::1]"]


def test_what_is_public_and_what_is_not():
    assert [address for address in (*INSIDE, *NO_ADDRESS) if is_public(address)] == []
    assert [address for address in OUTSIDE if not is_public(address) or is_loopback(address)] == []
    assert [address for address in NO_ADDRESS if is_loopback(address)] == []


def test_whatever_python_calls_private_is_not_public():
    """An independent list: that of the interpreter, at every border of every network of ours and beside it."""
    for network in (*fetching_networks(),):
        for border in (int(network[0]), int(network[-1])):
            for near in (border - 1, border, border + 1):
                if 0 <= near < 2**network.max_prefixlen:
                    address = type(network[0])(near)
                    if address.is_private or address.is_multicast or address.is_link_local or address.is_reserved:
                        assert not is_public(str(address)), address


def fetching_networks() -> Iterator[Any]:
    from authflow.adapters.providers.addresses import CLOSED_4, CLOSED_6, OPEN_6

    return iter((*CLOSED_4, *CLOSED_6, OPEN_6))


# --- URLs -------------------------------------------------------------------------------------------------------------


class TestHttpFetcher(FetcherContract):
    @pytest.fixture
    def fetcher(self) -> HttpFetcher:
        return HttpFetcher(loopback=["http://127.0.0.1:9000"], tls=TLS)


class TestInProcess(FetcherContract):
    @pytest.fixture
    def fetcher(self) -> InProcess:
        return InProcess(provider())


def test_an_origin_that_is_named_is_permitted_and_nothing_like_it():
    fetcher = HttpFetcher(loopback=["http://127.0.0.1:9000", "http://[::1]"], tls=TLS)
    for url in ("http://127.0.0.1:9000", "http://127.0.0.1:9000/x?y", "http://[::1]/x", "http://[::1]:80/"):
        assert fetcher.permits(url)
    for url in (
        "http://127.0.0.1:9001/x",
        "http://127.0.0.1/x",
        "http://localhost:9000/x",
        "http://127.0.0.1:9000@evil.example/",
        "http://[::1]:9000/",
        "ftp://127.0.0.1:9000/",
    ):
        assert not fetcher.permits(url)


@pytest.mark.parametrize("origin", ["", "127.0.0.1", "http://127.0.0.1/path", "http://a@127.0.0.1", "ftp://127.0.0.1"])
def test_what_is_no_origin_is_no_exception(origin: str):
    with pytest.raises(ConfigInvalid):
        HttpFetcher(loopback=[origin])


# --- names ------------------------------------------------------------------------------------------------------------


def fetch(url: str, *, resolve: Callable[[str, int], Any] | None = None, **given: Any) -> Response | Unfetched:
    return HttpFetcher(resolve=resolve, **{"tls": TLS, **given}).errand().fetch(Request(url=url))


def failure(answer: Response | Unfetched) -> Failure:
    assert isinstance(answer, Unfetched), answer
    return answer.failure


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every address that is connected to; none of them answers."""
    addresses: list[tuple[str, int]] = []

    def refuse(address: tuple[str, int], _timeout: float) -> socket.socket:
        addresses.append(address)
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(fetching.socket, "create_connection", refuse)
    return addresses


def test_no_name_leads_inside(dialled: list[tuple[str, int]]):
    for answer in (*([address] for address in INSIDE), *(["8.8.8.8", address] for address in INSIDE)):
        assert failure(fetch("https://provider.example/", resolve=lambda *_: answer)) is Failure.FORBIDDEN  # noqa: B023  # called at once
    assert dialled == []


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "0", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_no_way_of_writing_it_leads_inside(host: str, dialled: list[tuple[str, int]]):
    assert failure(fetch(f"https://{host}/")) in {Failure.FORBIDDEN, Failure.UNREACHABLE}
    assert dialled == []


def test_the_address_that_was_checked_is_connected_to(dialled: list[tuple[str, int]]):
    """DNS rebinding: a name that is public when it is asked for first, and inside afterwards."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]])
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return next(answers)

    rebinding = HttpFetcher(resolve=resolve, tls=TLS)
    assert failure(rebinding.errand().fetch(Request(url="https://provider.example/"))) is Failure.UNREACHABLE
    assert dialled == [("93.184.215.14", 443)]
    assert asked == [("provider.example", 443)]
    assert failure(rebinding.errand().fetch(Request(url="https://provider.example/"))) is Failure.FORBIDDEN
    assert dialled == [("93.184.215.14", 443)]


def test_each_of_a_few_addresses_is_tried(dialled: list[tuple[str, int]]):
    many = [f"8.8.8.{number}" for number in range(20)]
    assert failure(fetch("https://provider.example/", resolve=lambda *_: many)) is Failure.UNREACHABLE
    assert [address for address, _ in dialled] == many[:4]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), OSError("no network"), UnicodeError("label")])
def test_a_name_that_cannot_be_looked_up_is_unreachable(error: Exception):
    def resolve(*_: Any) -> Any:
        raise error

    assert failure(fetch("https://provider.example/", resolve=resolve)) is Failure.UNREACHABLE


def test_a_name_that_leads_nowhere_is_forbidden():
    assert failure(fetch("https://provider.example/", resolve=lambda *_: [])) is Failure.FORBIDDEN


# --- servers ----------------------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: Application/JSON; charset=utf-8\r\n"


@contextmanager
def listening(act: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Let *act* answer every connection to a free port of loopback."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        try:
            wrapped = tls.wrap_socket(connection, server_side=True) if tls else connection
            with wrapped:
                act(wrapped)
        except OSError:
            pass  # whoever asked went away, or did not trust us

    def run() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def saying(*parts: bytes) -> Callable[[socket.socket], None]:
    def act(connection: socket.socket) -> None:
        connection.recv(65536)
        for part in parts:
            connection.sendall(part)

    return act


def asked_of(act: Callable[[socket.socket], None], request: dict[str, Any] | None = None) -> Response | Unfetched:
    with listening(act) as port:
        origin = f"http://127.0.0.1:{port}"
        return HttpFetcher(loopback=[origin], tls=TLS).errand().fetch(Request(url=f"{origin}/x", **(request or {})))


def test_what_came_back_is_returned_whatever_its_status():
    body = b'{"error":"x"}'
    said = b"HTTP/1.1 400 Bad\r\nContent-Type: Application/JSON; charset=utf-8\r\nContent-Length: 13\r\n\r\n" + body
    assert asked_of(saying(said)) == Response(status=400, media_type="application/json", body=body)
    assert asked_of(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) == Response(status=204, body=b"")


def test_a_form_is_posted_and_nothing_else_is_said_of_us(monkeypatch: pytest.MonkeyPatch):
    heard = bytearray()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    def act(connection: socket.socket) -> None:
        while b"a=%C3%A9+b" not in heard:
            heard.extend(connection.recv(65536))
        connection.sendall(HEAD + b"Set-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}")

    answer = asked_of(act, {"form": {"a": "é b"}, "headers": {"accept": "application/json"}})
    assert isinstance(answer, Response)
    head, _, body = bytes(heard).partition(b"\r\n\r\n")
    assert body == b"a=%C3%A9+b"
    names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
    assert head.startswith(b"POST /x HTTP/1.1\r\n")
    assert names == {
        b"host",
        b"accept",
        b"accept-encoding",
        b"user-agent",
        b"connection",
        b"content-type",
        b"content-length",
    }


def test_no_cookie_is_kept_between_two_fetches():
    heard = []

    def act(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(HEAD + b"Set-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n{}")

    with listening(act) as port:
        origin = f"http://127.0.0.1:{port}"
        errand = HttpFetcher(loopback=[origin], tls=TLS).errand()
        assert [type(errand.fetch(Request(url=f"{origin}/x"))) for _ in range(2)] == [Response, Response]
    assert [b"cookie" in each.lower() for each in heard] == [False, False]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_no_redirect_is_followed(status: int):
    heard = []

    def act(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 %d X\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n" % status)

    assert failure(asked_of(act)) is Failure.REDIRECTED
    assert len(heard) == 1


ZEROS = gzip.compress(b"0" * 100 * 2**20)


@pytest.mark.parametrize(
    "said",
    [
        HEAD + b"\r\n" + b"x" * (BODY_MAX + 1),
        HEAD + b"Content-Length: 100000000\r\n\r\n" + b"x" * (BODY_MAX + 70_000),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n%b\r\n" % (b"x" * 65536) * 20,
        HEAD + b"Content-Encoding: gzip\r\n\r\n" + ZEROS,
        HEAD + b"Content-Encoding: gzip, gzip\r\n\r\n" + gzip.compress(ZEROS),
        HEAD + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"0" * 100 * 2**20),
    ],
    ids=["endless", "announced", "chunked", "gzip", "gzip twice", "deflate"],
)
def test_no_body_is_longer_than_it_may_be(said: bytes):
    assert failure(asked_of(saying(said))) is Failure.LARGE


def test_the_longest_body():
    answer = asked_of(saying(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * BODY_MAX)))
    assert isinstance(answer, Response)
    assert len(answer.body) == BODY_MAX


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00" * 100,
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_unreachable(said: bytes):
    assert failure(asked_of(saying(said))) is Failure.UNREACHABLE


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the budget a quarter of a second, so that whoever waits for it does not wait long."""
    monkeypatch.setattr(fetching, "BUDGET", timedelta(seconds=0.25))


def test_an_errand_says_what_is_left_of_it(monkeypatch: pytest.MonkeyPatch):
    assert timedelta(0) < HttpFetcher().errand().left() <= fetching.BUDGET
    monkeypatch.setattr(fetching, "BUDGET", timedelta(seconds=-1))
    assert HttpFetcher().errand().left() == timedelta(0)


def drip(connection: socket.socket, said: bytes, ended: threading.Event) -> None:
    connection.recv(65536)
    for octet in said:
        if ended.wait(0.05):
            return
        connection.sendall(bytes([octet]))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        HEAD[:-20],
        HEAD + b"\r\n" + b"x" * 1000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1000,
    ],
    ids=["silent", "head by head", "body by byte", "chunk by chunk"],
)
@pytest.mark.usefixtures("hurried")
def test_whoever_is_slow_is_left(said: bytes):
    ended = threading.Event()
    try:
        answer = asked_of(lambda connection: drip(connection, said, ended) or (ended.wait(5) and None))
    finally:
        ended.set()
    assert failure(answer) is Failure.SLOW


@pytest.mark.parametrize("said", [HEAD + b"X: ", HEAD + b"\r\n"], ids=["head", "body"])
def test_no_byte_buys_more_time(said: bytes, monkeypatch: pytest.MonkeyPatch):
    """Every look at the clock takes a second here: after ten of them whoever drips is left, in the middle of it."""
    seconds = count()
    monkeypatch.setattr(fetching, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    sent = bytearray()

    def act(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(said)
        while len(sent) < 2000:
            ended.wait(0.002)
            connection.sendall(b"x")
            sent.extend(b"x")

    ended = threading.Event()
    assert failure(asked_of(act)) is Failure.SLOW
    assert len(sent) < 1000


def test_all_fetches_of_an_errand_share_its_time(monkeypatch: pytest.MonkeyPatch):
    elapsed = [0.0]
    monkeypatch.setattr(fetching, "time", SimpleNamespace(monotonic=lambda: elapsed[0]))
    with listening(saying(HEAD + b"Content-Length: 2\r\n\r\n{}")) as port:
        origin = f"http://127.0.0.1:{port}"
        fetcher = HttpFetcher(loopback=[origin], tls=TLS)
        errand = fetcher.errand()
        for elapsed[0] in (0.0, 5.0, 9.5):
            assert isinstance(errand.fetch(Request(url=f"{origin}/x")), Response)
        elapsed[0] = 10.0
        assert failure(errand.fetch(Request(url=f"{origin}/x"))) is Failure.SLOW
        assert isinstance(fetcher.errand().fetch(Request(url=f"{origin}/x")), Response)


@pytest.mark.usefixtures("hurried")
def test_a_name_that_is_never_answered_takes_no_longer():
    ended = threading.Event()
    try:
        assert failure(fetch("https://provider.example/", resolve=lambda *_: ended.wait(5))) is Failure.SLOW
    finally:
        ended.set()


@pytest.mark.usefixtures("hurried")
def test_a_handshake_that_never_ends_takes_no_longer():
    ended = threading.Event()
    with listening(lambda _connection: ended.wait(5) and None) as port:
        origin = f"https://127.0.0.1:{port}"
        try:
            assert failure(HttpFetcher(loopback=[origin], tls=TLS).errand().fetch(Request(url=origin))) is Failure.SLOW
        finally:
            ended.set()


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for ``provider.example`` that signed itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "provider.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("provider.example")])
    signed = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    form, sealed = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, sealed))
    return folder / "cert.pem", folder / "key.pem"


def test_the_certificate_must_be_that_of_the_name(authority: tuple[Path, Path]):
    """The connection goes to an address; who is there is asked by the name of the URL, and so is the host."""
    certificate, key = authority
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    heard = []

    def act(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")

    with listening(act, server) as port:
        named, other = f"https://provider.example:{port}", f"https://another.example:{port}"
        here: dict[str, Any] = {"resolve": lambda *_: ["127.0.0.1"], "loopback": [named, other]}
        assert isinstance(fetch(named, tls=trusting, **here), Response)
        assert b"\r\nHost: provider.example:%d\r\n" % port in heard[0]
        assert failure(fetch(other, tls=trusting, **here)) is Failure.UNREACHABLE
        assert failure(fetch(named, tls=None, **here)) is Failure.UNREACHABLE  # signed by nobody whom the system knows
    assert len(heard) == 1


def test_addresses_of_the_tests_are_addresses():
    assert all(ip_address(address) for address in (*INSIDE, *OUTSIDE))
