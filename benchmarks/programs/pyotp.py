"""The peer ``pyotp``: a code checked within a window of one step, and what importing it costs."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pyotp.totp import TOTP

from benchmarks.imports import importing
from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.protocol import Watch, Work, World

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)  # noqa: UP017  # the name that every supported Python has


def rows(_world: World) -> Mapping[str, Work]:
    """Offer the check of a code and the import."""
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105  # measured, not kept
    right = TOTP(secret).at(NOW)

    def check(code: str) -> Work:
        def checked(operations: int, watch: Watch) -> None:
            with watch:
                for _ in range(operations):
                    TOTP(secret).verify(code, for_time=NOW, valid_window=1)

        return checked

    return {"totp_right": check(right), "totp_wrong": check("000000"), "import": importing("import pyotp")}


if __name__ == "__main__":
    serve(rows, versions=("pyotp",))
