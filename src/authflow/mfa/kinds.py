"""The kinds of second factor and what each can do: declared constants that everything else asks (mfa 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.mfa import codes, totp
from authflow.values import Method

if TYPE_CHECKING:
    from authflow.policy import MfaPolicy


@attrs.frozen(kw_only=True)
class Kind:
    """One kind of second factor.

    Args:
        code: Its permanent number; kinds are listed in this order, backup kinds last (mfa 3.5).
        id: Its permanent name, by which requests name it and rows are keyed.
        title, description: What it is called on a page.
        backup: It never counts as "has a second factor".
        multi: Another device may be added to the enrolled one.
        rotation: Its secret may be replaced in place.
        needs_activation: The server must act before it can be answered: send a text, make a challenge.
        typed_code: It is answered by typing a code, of at most *code_max* characters.
        self_enrollable: A person enrolls it; recovery codes are added automatically (mfa 12.6).
        method: How a session records a proof by it; none for a kind that this version does not implement.
        enroll_label, configure_label, remove_label: Texts of buttons; none where there is no such button.
        rotation_warning: What a person is told before a rotation, or none.
    """

    code: int
    id: str
    title: str
    description: str
    backup: bool = False
    multi: bool = False
    rotation: bool = False
    needs_activation: bool = False
    typed_code: bool = True
    code_max: int = totp.CODE_TEXT_MAX
    self_enrollable: bool = True
    method: Method | None = None
    enroll_label: str = "Enroll"
    configure_label: str = "Info"
    remove_label: str | None = "Remove"
    rotation_warning: str | None = None


TOTP: Final = Kind(
    code=1,
    id="totp",
    title="Authenticator app",
    description="An app on your phone shows a new code every 30 seconds.",
    rotation=True,
    method=Method.TOTP,
    rotation_warning="The codes of the app you use now stop working as soon as the new one is proven.",
)

SMS: Final = Kind(
    code=2, id="sms", title="Text message", description="A code is sent to your phone.", needs_activation=True
)

SECURITY_KEY: Final = Kind(
    code=3,
    id="security_key",
    title="Passkey or security key",
    description="A key, or the device you are using, answers for you.",
    multi=True,
    needs_activation=True,
    typed_code=False,
    configure_label="Configure",
)

RECOVERY: Final = Kind(
    code=0,
    id="recovery",
    title="Recovery codes",
    description="Each code signs you in once when your second factor is lost.",
    backup=True,
    self_enrollable=False,
    code_max=codes.CODE_TEXT_MAX,
    method=Method.RECOVERY_CODE,
    enroll_label="Activate",
    configure_label="View Codes",
    remove_label=None,
)

KINDS: Final = (TOTP, SMS, SECURITY_KEY, RECOVERY)
"""Every kind, in the order in which kinds are listed everywhere: by code, backup kinds last."""

PRIMARY: Final = frozenset(kind.id for kind in KINDS if not kind.backup)
"""The kinds of which one enrolled is "has a second factor" (mfa 3.6)."""

UNKNOWN: Final = Kind(
    code=-1, id="unknown", title="", description="", typed_code=False, self_enrollable=False, remove_label=None
)
"""What a request names that names no kind. All such names are one kind, and so share one budget (decision 9)."""

BY_ID: Final = {kind.id: kind for kind in KINDS}


def named(text: object) -> Kind:
    """Return the kind that a request names: any text may stand in a request."""
    return BY_ID.get(text, UNKNOWN) if isinstance(text, str) else UNKNOWN


def available(kind: Kind, policy: MfaPolicy) -> bool:
    """Tell whether the deployment can offer *kind* now. What is enrolled counts all the same (mfa 3.4)."""
    return kind.method is not None and kind.id not in policy.unavailable_kinds


def closed(kind: Kind, policy: MfaPolicy) -> bool:
    """Tell whether an administrator forbids new enrollments of *kind* (mfa 3.3)."""
    return kind.id in policy.closed_kinds
