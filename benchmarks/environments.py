"""A virtual environment for each program, from exact pins, made once and used again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
CACHE: Final = ROOT / ".benchmarks"
"""Everything that a run leaves behind; the folder tells version control to ignore it."""


def cached(*parts: str) -> Path:
    """Return a folder inside the cache, made if it is missing."""
    folder = CACHE.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n", "utf-8")
    return folder


def python_of(name: str) -> Path:
    """Return the interpreter of the environment for the pins in ``requirements/<name>.txt``; make it if need be.

    An environment is used again while its pins and the interpreter below it are the same.
    """
    pins = HERE / "requirements" / f"{name}.txt"
    folder = cached("environments") / name
    interpreter, stamp = folder / "bin" / "python", folder / "stamp"
    wanted = f"{sys.version}\n{pins.read_text('utf-8')}"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"making the environment of {name}", file=sys.stderr, flush=True)
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(interpreter), "-m", "pip", "install", "-qq", "--no-deps", "-r", str(pins))
        stamp.write_text(wanted, "utf-8")
    return interpreter


def variables(source: Path) -> dict[str, str]:
    """Return the environment variables of a program that imports authflow from *source*."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "DJANGO"))}
    # Bytecode is kept, or every import would be measured with its compilation, but not beside the sources.
    return {**kept, "PYTHONPATH": str(source), "PYTHONPYCACHEPREFIX": str(cached("bytecode")), "PYTHONHASHSEED": "0"}


def _run(*command: str) -> None:
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(command, check=True, env=quiet)  # noqa: S603  # our own interpreter, our own pins
