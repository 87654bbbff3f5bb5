"""What a page shows once: the QR code for an authenticator app, and the recovery codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from authflow.cli.demo.qr import drawn
from authflow.cli.layout import columns
from authflow.errors import ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.values import Secret


def show_code(uri: Secret) -> None:
    """Draw *uri* for a phone to scan; where that cannot be done, say why."""
    try:
        picture = drawn(uri.reveal(), stream=sys.stdout) or "    (this terminal cannot show a QR code)"
    except ExtraMissing:
        picture = "    (no QR code: the extra 'qr' is not installed)"
    print(f"\n{picture}")


def show_recovery_codes(codes: Sequence[Secret]) -> None:
    """Print *codes*, two in a line."""
    texts = [code.reveal() for code in codes]
    print("\n" + columns([texts[place : place + 2] for place in range(0, len(texts), 2)], indent=" " * 16))
