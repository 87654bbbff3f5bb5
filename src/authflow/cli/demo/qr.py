"""A QR code drawn in a terminal, where the terminal and the extra ``qr`` allow it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from authflow.errors import ExtraMissing

if TYPE_CHECKING:
    from typing import TextIO

BRIGHT: Final = "\x1b[40;97m"
"""Bright blocks on black, whatever the theme of the terminal: many readers refuse an inverted code."""
PLAIN: Final = "\x1b[0m"

QUIET_ZONE: Final = 2
"""Modules of margin. ISO/IEC 18004 asks for 4; phones read 2, and the code fits the window."""


def drawn(text: str, *, stream: TextIO) -> str | None:
    """Return *text* as a QR code for *stream*, two modules to a character; none where it cannot be shown.

    Raises:
        ExtraMissing: The extra ``qr`` is not installed.
    """
    try:
        import segno
    except ImportError as error:
        raise ExtraMissing(extra="qr") from error
    blocks = io.StringIO()
    segno.make_qr(text).terminal(blocks, border=QUIET_ZONE, compact=True)
    lines = blocks.getvalue().splitlines()
    if not _can_show(lines, stream):
        return None
    before, after = (BRIGHT, PLAIN) if stream.isatty() else ("", "")
    return "\n".join(f"    {before}{line}{after}" for line in lines)


def _can_show(lines: list[str], stream: TextIO) -> bool:
    try:
        "".join(lines).encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
