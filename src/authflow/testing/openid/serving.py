"""The fake provider within reach: as a `Fetcher` that asks it directly, or on loopback for whoever speaks HTTP."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import attrs

from authflow.sso.fetching import BODY_MAX, BUDGET, Failure, Request, Response, Unfetched, is_well_formed
from authflow.testing.openid.calls import Call, Reply

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import timedelta

    from authflow.testing.openid.provider import FakeOpenId


@attrs.define
class InProcess:
    """`authflow.sso.fetching.Fetcher` that reaches one fake provider, and nothing else, without a network."""

    provider: FakeOpenId

    def permits(self, url: str) -> bool:
        """Tell whether *url* is a well-formed https URL."""
        return is_well_formed(url) and urlsplit(url).scheme == "https"

    def errand(self) -> InProcess:
        """Return itself: nothing takes time here."""
        return self

    def left(self) -> timedelta:
        """Return all of the budget."""
        return BUDGET

    def fetch(self, request: Request) -> Response | Unfetched:
        """Return the provider's answer, or what a real fetcher would make of it."""
        if not self.permits(request.url):
            return Unfetched(failure=Failure.FORBIDDEN)
        if not request.url.startswith(f"{self.provider.issuer}/"):
            return Unfetched(failure=Failure.UNREACHABLE)
        reply = self.provider.answer(
            Call(
                method=request.method,
                path=urlsplit(request.url).path,
                headers=request.headers,
                form=request.form or {},
            )
        )
        return _fetched(reply)


def _fetched(reply: Reply) -> Response | Unfetched:
    if reply.seconds >= BUDGET.total_seconds():
        return Unfetched(failure=Failure.SLOW)
    if reply.location:
        return Unfetched(failure=Failure.REDIRECTED)
    if len(reply.body) > BODY_MAX:
        return Unfetched(failure=Failure.LARGE)
    return Response(status=reply.status, media_type=reply.media_type, body=reply.body)


@contextmanager
def serve(provider: FakeOpenId) -> Generator[str]:
    """Let *provider* listen on a free port of loopback; yield its origin, which becomes its issuer."""
    stopped = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider, stopped))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield provider.issuer
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(provider: FakeOpenId, stopped: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._reply(parts.path, dict(parse_qsl(parts.query)))

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            self._reply(urlsplit(self.path).path, dict(parse_qsl(self.rfile.read(length).decode())))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class names it
            """Say nothing: a test's output is its own."""

        def _reply(self, path: str, form: dict[str, str]) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = provider.answer(Call(method=self.command, path=path, headers=headers, form=form))
            if stopped.wait(reply.seconds):
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Content-Length", str(len(reply.body)))
            if reply.location:
                self.send_header("Location", reply.location)
            self.end_headers()
            try:
                self.wfile.write(reply.body)
            except ConnectionError:
                self.close_connection = True  # whoever asked has read enough

    return Handler
