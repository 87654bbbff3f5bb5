"""The FastAPI app behind a real server: what a test client would not send."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING

import uvicorn

from authflow.testing import ManualClock
from tests.integrations.driven import ADA
from tests.integrations.starlette_host import application

if TYPE_CHECKING:
    from pathlib import Path

KEYS = b"Idempotency-Key: one\r\nIdempotency-Key: two\xff\r\n"


async def exchanged(
    port: int, path: bytes, headers: bytes, body: bytes = b"{}"
) -> tuple[int, bytes, dict[str, object]]:
    """Send one request as it is written here; return its status, its headers and its JSON body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    length = b"Content-Length: %d\r\nConnection: close\r\nContent-Type: application/json\r\n" % len(body)
    writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: testserver\r\n" + length + headers + b"\r\n" + body)
    head, _, told = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head, json.loads(told)


async def played(file: Path) -> None:
    config = uvicorn.Config(application(file, ManualClock()), log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))  # who connects before the app has started waits here
    port = listening.getsockname()[1]
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        status, head, said = await exchanged(port, b"/sign-in", b"", json.dumps({"user": ADA}).encode())
        assert (status, said["kind"]) == (200, "Arrived")
        assert b"cache-control: no-store" in head
        cookie = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"set-cookie:"))
        mine = b"Cookie: " + cookie.split(b" ", 1)[1].split(b";")[0] + b"\r\n"

        status, _, said = await exchanged(port, b"/begin", mine)
        assert (status, said["kind"]) == (200, "Begun")
        status, _, said = await exchanged(port, b"/begin", mine + KEYS)
        assert (status, said["code"]) == (400, "idempotency.key_invalid")
        status, _, said = await exchanged(port, b"/begin", b"Cookie: session=\xff; authflow_device=\xff\r\n")
        assert (status, said["code"]) == (401, "session.required")
    finally:
        server.should_exit = True
        await serving


def test_the_app_is_served_and_takes_whatever_bytes_come(tmp_path: Path):
    asyncio.run(played(tmp_path / "app.db"))
