"""The account-security core of a multi-tenant web app, as pure state machines behind ports.

The names a host imports. Each is loaded when it is first asked for, so that ``import authflow`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from authflow.errors import CATALOGUE, AuthflowError, Code
    from authflow.journey.answers import (
        AccountDeleted,
        AccountExported,
        AccountsMerged,
        AddressRecorded,
        Arrived,
        Enrolled,
        FactorRemoved,
        FactorsReset,
    )
    from authflow.journey.post_flow import Detour, InvitationFate, InvitationOutcome
    from authflow.membership.admission import Requirement
    from authflow.membership.answers import InvitationView, Joined, RequirementsOpen
    from authflow.mfa.answers import Begun, CodesShown, Listing
    from authflow.policy import EventPolicy, MembershipPolicy, MfaPolicy, OutboxPolicy, Policy, SessionPolicy
    from authflow.ports import Organization, User, UserAddress
    from authflow.sessions.commands import Elevated, EnrollmentOwed, SecondFactorOwed, SignedIn, SignedOut
    from authflow.values import NOBODY, Asker, BrowserSession, Budget, Context, Method, Proof, Refused, Secret
    from authflow.wiring import Authflow, Ports

__version__ = "0.1.0"

__all__ = [
    "CATALOGUE",
    "NOBODY",
    "AccountDeleted",
    "AccountExported",
    "AccountsMerged",
    "AddressRecorded",
    "Arrived",
    "Asker",
    "Authflow",
    "AuthflowError",
    "Begun",
    "BrowserSession",
    "Budget",
    "Code",
    "CodesShown",
    "Context",
    "Detour",
    "Elevated",
    "Enrolled",
    "EnrollmentOwed",
    "EventPolicy",
    "FactorRemoved",
    "FactorsReset",
    "InvitationFate",
    "InvitationOutcome",
    "InvitationView",
    "Joined",
    "Listing",
    "MembershipPolicy",
    "Method",
    "MfaPolicy",
    "Organization",
    "OutboxPolicy",
    "Policy",
    "Ports",
    "Proof",
    "Refused",
    "Requirement",
    "RequirementsOpen",
    "SecondFactorOwed",
    "Secret",
    "SessionPolicy",
    "SignedIn",
    "SignedOut",
    "User",
    "UserAddress",
]

_HOMES: Final = {
    "authflow.errors": (
        "CATALOGUE",
        "AuthflowError",
        "Code",
    ),
    "authflow.journey.answers": (
        "AccountDeleted",
        "AccountExported",
        "AccountsMerged",
        "AddressRecorded",
        "Arrived",
        "Enrolled",
        "FactorRemoved",
        "FactorsReset",
    ),
    "authflow.journey.post_flow": (
        "Detour",
        "InvitationFate",
        "InvitationOutcome",
    ),
    "authflow.membership.admission": ("Requirement",),
    "authflow.membership.answers": (
        "InvitationView",
        "Joined",
        "RequirementsOpen",
    ),
    "authflow.mfa.answers": (
        "Begun",
        "CodesShown",
        "Listing",
    ),
    "authflow.policy": (
        "EventPolicy",
        "MembershipPolicy",
        "MfaPolicy",
        "OutboxPolicy",
        "Policy",
        "SessionPolicy",
    ),
    "authflow.ports": (
        "Organization",
        "User",
        "UserAddress",
    ),
    "authflow.sessions.commands": (
        "Elevated",
        "EnrollmentOwed",
        "SecondFactorOwed",
        "SignedIn",
        "SignedOut",
    ),
    "authflow.values": (
        "NOBODY",
        "Asker",
        "BrowserSession",
        "Budget",
        "Context",
        "Method",
        "Proof",
        "Refused",
        "Secret",
    ),
    "authflow.wiring": (
        "Authflow",
        "Ports",
    ),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever the name is
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
