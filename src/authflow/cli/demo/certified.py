"""A certified OpenID provider that this project did not write, where it is there: npm's oidc-provider, on Node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urljoin, urlsplit

import attrs

from authflow.cli.demo.phone import Unfinished
from authflow.sso.kinds import Callback

if TYPE_CHECKING:
    from collections.abc import Generator

    import httpx2

    from authflow.journey.sso.answers import SentAway
    from authflow.sso.kinds import Document

SCRIPT: Final = Path(__file__).with_suffix(".mjs")
PAGES: Final = 12
"""How many pages and redirects a sign-in may take there; it takes about half of them."""


@attrs.frozen(kw_only=True)
class Certified:
    """The provider while it runs; the browser speaks HTTP to it, and walks through its own pages."""

    process: subprocess.Popen[str]
    where: str
    callback: str

    @property
    def settings(self) -> Document:
        """Return its address, and the one client it knows."""
        return {"issuer": self.where, "client_id": "client", "client_secret": "a secret"}

    def knows(self, subject: str, email: str, name: str) -> None:
        """Put somebody into its claims."""
        person = {"sub": subject, "email": email, "email_verified": True, "name": name}
        print(json.dumps(person), file=self.process.stdin, flush=True)
        _awaited(self.process, "KNOWN")

    def sign_in(self, away: SentAway, subject: str) -> Callback:
        """Sign in at its pages, and stop at the way back."""
        return Callback(fields=walked(away.url, subject, self.callback))


@contextmanager
def certified(callback: str) -> Generator[Certified]:
    """Start it on loopback, as Node finds it from the working directory; it sends people back to *callback*.

    Raises:
        Unfinished: It is not there.
    """
    node = shutil.which("node")
    if node is None:
        nowhere = "there is no node on the PATH to run npm's oidc-provider (without --provider none is needed)"
        raise Unfinished(nowhere)
    command = (node, "--input-type=module", "--eval", SCRIPT.read_text("utf-8"), callback)
    with subprocess.Popen(  # noqa: S603  # what is run is a file of this package
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
    ) as process:  # leaving it closes its input, which is what ends it
        yield Certified(process=process, where=_awaited(process, "READY"), callback=callback)


def _awaited(process: subprocess.Popen[str], word: str) -> str:
    """Return what it says behind *word*."""
    for line in process.stdout or ():
        said, _, rest = line.rstrip().partition(" ")
        if said == word:
            return rest
        if said == "MISSING":
            missing = (
                "npm's oidc-provider is not in this folder's node_modules: npm install --ignore-scripts oidc-provider"
            )
            raise Unfinished(missing)
    broken = "npm's oidc-provider is here, but does not run on this node"
    raise Unfinished(broken)


def walked(url: str, subject: str, callback: str) -> dict[str, tuple[str, ...]]:
    """Go through its pages from *url* as the browser of *subject*; return the fields that come to *callback*.

    Raises:
        Unfinished: It never sent the browser back.
    """
    import httpx2

    with httpx2.Client(trust_env=False) as browser:
        page = browser.get(url)
        for _ in range(PAGES):
            if not page.is_redirect:
                page = _submitted(browser, page, subject)
                continue
            target = urljoin(str(page.request.url), page.headers["location"])
            if target.startswith(callback):
                return {name: tuple(values) for name, values in parse_qs(urlsplit(target).query).items()}
            page = browser.get(target)
    astray = "the provider never sent the browser back"
    raise Unfinished(astray)


def _submitted(browser: httpx2.Client, page: httpx2.Response, subject: str) -> httpx2.Response:
    form = re.search(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', page.text, re.DOTALL)
    if form is None:
        formless = f"the provider answers {page.status_code} where its form was expected"
        raise Unfinished(formless)
    fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form[2]))
    if 'name="login"' in form[2]:
        fields |= {"login": subject, "password": "any"}
    return browser.post(urljoin(str(page.request.url), unescape(form[1])), data=fields)
