"""`authflow.sso.fetching.Fetcher` over httpx2."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpcore2
import httpx2

from authflow.adapters.providers.addresses import is_loopback, is_public
from authflow.adapters.providers.lookups import Busy, Lookups
from authflow.errors import ConfigInvalid
from authflow.sso.fetching import BODY_MAX, BUDGET, Failure, Response, Unfetched, is_well_formed

if TYPE_CHECKING:
    import ssl
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from authflow.adapters.providers.lookups import Resolve
    from authflow.sso.fetching import Request

ATTEMPTS: Final = 4
"""Addresses of one name that are tried, each with its share of the time that is left."""

SENT: Final = {"accept-encoding": "identity", "user-agent": "authflow"}
"""The documents are small: nothing is asked to be compressed, and what is all the same is counted unpacked."""


class HttpFetcher:
    """Fetch over HTTPS, from the public Internet only.

    Args:
        loopback: Origins such as ``http://127.0.0.1:8080`` that may be reached although they are this machine's own,
            without TLS if they say so. For development and tests; an installation that people use names none.
        tls: What a certificate is checked against; the operating system's authorities unless given.
        resolve: Looks a name up, for a host with a resolver of its own. Its answers are checked like any other. It may
            be asked by 80 threads at once: 16, and 64 for names that it answered lately.
    """

    def __init__(
        self, *, loopback: Collection[str] = (), tls: ssl.SSLContext | None = None, resolve: Resolve | None = None
    ) -> None:
        self._loopback = frozenset(_loopback_origin(origin) for origin in loopback)
        self._tls = tls or httpx2.create_ssl_context(trust_env=False)
        self._lookups = Lookups(resolve or _addresses_of)

    def permits(self, url: str) -> bool:
        return is_well_formed(url) and (urlsplit(url).scheme == "https" or _origin(url) in self._loopback)

    def errand(self) -> HttpErrand:
        return HttpErrand(self, Network(self._loopback, self._lookups, time.monotonic() + BUDGET.total_seconds()))

    def pool(self, network: Network) -> httpcore2.ConnectionPool:
        """Return connections for one errand: none outlives it, so that none is used with another one's checks."""
        return httpcore2.ConnectionPool(ssl_context=self._tls, network_backend=network, retries=0)


class HttpErrand:
    """`authflow.sso.fetching.Errand`; its connections are closed after each fetch."""

    def __init__(self, fetcher: HttpFetcher, network: Network) -> None:
        self._fetcher, self._network = fetcher, network

    def left(self) -> timedelta:
        return timedelta(seconds=max(0.0, self._network.deadline - time.monotonic()))

    def fetch(self, request: Request) -> Response | Unfetched:
        if not self._fetcher.permits(request.url):
            return Unfetched(failure=Failure.FORBIDDEN, detail="not an URL that may be fetched")
        try:
            return self._fetch(request)
        except Forbidden as error:
            return Unfetched(failure=Failure.FORBIDDEN, detail=str(error))
        except Busy:
            return Unfetched(failure=Failure.BUSY, detail="too many names of providers are not answered")
        except (httpcore2.TimeoutException, httpx2.TimeoutException):
            return Unfetched(failure=Failure.SLOW, detail=f"no answer within {BUDGET.total_seconds():.0f} s")
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return Unfetched(failure=Failure.UNREACHABLE, detail=_said(error))

    def _fetch(self, request: Request) -> Response | Unfetched:
        with self._client() as client:
            sending = client.build_request(
                request.method, request.url, headers={**SENT, **request.headers}, data=request.form
            )
            response = client.send(sending, stream=True)
            try:
                return self._read(response)
            finally:
                response.close()

    def _client(self) -> httpx2.Client:
        return httpx2.Client(
            transport=_Pooled(self._fetcher.pool(self._network)), follow_redirects=False, trust_env=False, timeout=None
        )

    def _read(self, response: httpx2.Response) -> Response | Unfetched:
        if 300 <= response.status_code < 400:  # noqa: PLR2004  # RFC 9110 15.4
            return Unfetched(failure=Failure.REDIRECTED, detail=f"status {response.status_code}")
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if max(len(body), response.num_bytes_downloaded) > BODY_MAX:
                return Unfetched(failure=Failure.LARGE, detail=f"more than {BODY_MAX} bytes")
            self._network.left()  # a body that unpacks to nothing is read at our own speed, not at the network's
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Response(status=response.status_code, media_type=media_type, body=bytes(body))


# --- below HTTP -------------------------------------------------------------------------------------------------------


class Forbidden(Exception):
    """A name leads to an address that is not to be reached."""


class Network(httpcore2.NetworkBackend):
    """Connections to checked addresses, until *deadline* on the monotonic clock."""

    def __init__(self, loopback: frozenset[str], lookups: Lookups, deadline: float) -> None:
        self._loopback, self._lookups, self.deadline = loopback, lookups, deadline

    def left(self) -> float:
        """Return the seconds that are left."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise httpcore2.ReadTimeout
        return seconds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the errand's own
        local_address: str | None = None,  # noqa: ARG002  # none is configured
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002  # as above
    ) -> Timed:
        """Connect to *host*: to one of the addresses that were checked, and not to whatever the name means next."""
        addresses = self._checked(host, port)[:ATTEMPTS]
        last = OSError()
        for waiting, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                return self._connect(address, port, self.left() / waiting)
            except OSError as error:
                last = error
        if isinstance(last, TimeoutError):
            raise httpcore2.ConnectTimeout from last
        raise httpcore2.ConnectError(_said(last)) from last

    def _checked(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of *host*: all of them may be reached, or none is."""
        addresses = self._looked_up(host, port)
        own = bool(self._loopback & {f"http://{_bracketed(host)}:{port}", f"https://{_bracketed(host)}:{port}"})
        if not addresses or not all((is_loopback if own else is_public)(address) for address in addresses):
            msg = f"{host} is no place on the public Internet"
            raise Forbidden(msg)
        return addresses

    def _looked_up(self, host: str, port: int) -> Sequence[str]:
        try:
            return self._lookups.addresses(host, port, self.left)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error
        except OSError as error:
            raise httpcore2.ConnectError(_said(error)) from error

    def _connect(self, address: str, port: int, seconds: float) -> Timed:
        connected = socket.create_connection((address, port), seconds)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Timed(connected, self)


class Timed(httpcore2.NetworkStream):
    """A stream each of whose operations has what is left of the errand's time, however slowly the bytes come."""

    def __init__(self, connected: socket.socket, network: Network) -> None:
        self._socket, self._network = connected, network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the errand's own
        self._socket.settimeout(self._network.left())
        try:
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout from error
        except OSError as error:
            raise httpcore2.ReadError(_said(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # as above
        self._socket.settimeout(self._network.left())
        try:
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore2.WriteTimeout from error
        except OSError as error:
            raise httpcore2.WriteError(_said(error)) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # as above
    ) -> Timed:
        self._socket.settimeout(self._network.left())
        try:
            return Timed(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._network)
        except TimeoutError as error:
            self.close()
            raise httpcore2.ConnectTimeout from error
        except OSError as error:
            self.close()
            raise httpcore2.ConnectError(_said(error)) from error

    def get_extra_info(self, info: str) -> object:
        """Return nothing that anybody asks for: HTTP/2 is not spoken, and no connection is used again."""
        return self._socket if info == "socket" else None


class _Pooled(httpx2.BaseTransport):
    """httpx2 over connections of our own; `httpx2.HTTPTransport` makes its own ones."""

    def __init__(self, pool: httpcore2.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        core = httpcore2.Request(request.method, url, headers=request.headers.raw, content=request.read())
        response = self._pool.handle_request(core)
        return httpx2.Response(response.status, headers=response.headers, stream=_Parts(response))

    def close(self) -> None:
        self._pool.close()


class _Parts(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


# --- URLs -------------------------------------------------------------------------------------------------------------


def _origin(url: str) -> str:
    """Return the origin of a well-formed *url*, its port always said."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{_bracketed(parts.hostname or '')}:{port}"


def _loopback_origin(text: str) -> str:
    if not is_well_formed(text) or urlsplit(text).path or urlsplit(text).scheme not in {"http", "https"}:
        raise ConfigInvalid(setting="loopback", problem="is not an origin such as http://127.0.0.1:8080")
    return _origin(text)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _addresses_of(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _said(error: BaseException) -> str:
    """Return the kind of *error*, and for the system's own its number; never text that the other side wrote."""
    number = getattr(error, "errno", None)
    return type(error).__name__ if number is None else f"{type(error).__name__} {number}"
