"""Files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import os
from stat import S_IMODE
from typing import TYPE_CHECKING, Final

from authflow.errors import KeysInvalid, KeysMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE_BYTES_MAX: Final = 64 * 1024
"""Several hundred keys; a larger file is something else."""

OTHERS: Final = 0o077
"""Every right of the group and of everybody else."""


def read_private(path: str | Path) -> str:
    """Return what stands in the file at *path*.

    Raises:
        KeysMissing: There is no such file.
        KeysInvalid: It cannot be read, is too large, or is open to others than its owner.
    """
    from pathlib import Path

    try:
        with Path(path).open("rb") as file:
            mode = S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise KeysMissing(source=f"no file {path}") from None
    except OSError as error:
        raise KeysInvalid(problem=f"{path}: {error.strerror}") from None
    # Windows keeps rights elsewhere and reports every file as open to all.
    if os.name == "posix" and mode & OTHERS:
        raise KeysInvalid(problem=f"{path} is open to others (mode {mode:04o}): chmod 600 {path}")
    if len(content) > FILE_BYTES_MAX:
        raise KeysInvalid(problem=f"{path} is larger than {FILE_BYTES_MAX} bytes")
    # What is not ASCII is no key ring: the replacement character makes it fail where the text is understood.
    return content.decode("ascii", "replace")


def create_private(path: str | Path, text: str) -> None:
    """Write *text* to a new file of mode 0600; of two who try at once, one succeeds.

    Raises:
        KeysInvalid: There is a file already, or it cannot be written.
    """
    # A hard link, unlike a rename, fails when the name is taken.
    _write(path, text, os.link)


def replace_private(path: str | Path, text: str) -> None:
    """Put a file of mode 0600 with *text* in the place of the one at *path*.

    Raises:
        KeysInvalid: It cannot be written; the old file stands.
    """
    _write(path, text, os.replace)


def _write(path: str | Path, text: str, publish: Callable[[Path, Path], None]) -> None:
    from pathlib import Path
    from tempfile import mkstemp

    try:
        target = Path(path).resolve()
        # mkstemp promises mode 0600 from the first instant, whatever the umask.
        descriptor, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            publish(draft, target)
            _settle(target.parent)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise KeysInvalid(problem=f"{path} cannot be written: {error.strerror}") from None


def _settle(folder: Path) -> None:
    # A new name outlives a power failure only when its folder is flushed; Windows cannot open one.
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
