"""The account-security core of a multi-tenant web app, as pure state machines behind ports.

The names a host imports. Each is loaded when it is first asked for, so that ``import authflow`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from authflow.adapters.keys import KeyRing
    from authflow.adapters.mail import ConsoleMailer, MemoryMailer
    from authflow.assembly import Ports
    from authflow.awaitable import AsyncAuthflow
    from authflow.errors import (
        CATALOGUE,
        AuthflowError,
        Code,
        ConfigInvalid,
        DatabaseError,
        KeysMissing,
        Retryable,
        SchemaMissing,
        SchemaTooOld,
    )
    from authflow.events.save import Created, Identical, Replaced, SavedEvent, Superseded
    from authflow.facts.records import Audit, AuditEntry, Category, Mail, MailKind, Signal
    from authflow.journey.answers import (
        AccountDeleted,
        AccountExported,
        AccountsMerged,
        AddressRecorded,
        Arrived,
        Enrolled,
        FactorRemoved,
        FactorsReset,
        Resumed,
    )
    from authflow.journey.post_flow import Detour, InvitationFate, InvitationOutcome
    from authflow.journey.upkeep import Swept
    from authflow.membership.admission import Requirement
    from authflow.membership.answers import (
        Entered,
        InvitationClosed,
        InvitationList,
        InvitationSent,
        InvitationView,
        Joined,
        MemberGone,
        MemberList,
        MemberSaved,
        RequestFiled,
        RequirementsOpen,
    )
    from authflow.membership.changes import FlagGroup
    from authflow.membership.standing import Member, MemberFlag
    from authflow.mfa.answers import Begun, Cancelled, CodesShown, Details, Listing, Renamed
    from authflow.mfa.codes import render_text
    from authflow.outbox.signals import Notice
    from authflow.policy import EventPolicy, MembershipPolicy, MfaPolicy, OutboxPolicy, Policy, SessionPolicy
    from authflow.ports import Mailer, Organization, User, UserAddress
    from authflow.sessions.commands import (
        Elevated,
        EnrollmentOwed,
        OthersEnded,
        SecondFactorOwed,
        SignedIn,
        SignedOut,
        SignInCancelled,
    )
    from authflow.values import (
        NOBODY,
        Address,
        Asker,
        AuthenticatorId,
        BrowserSession,
        Budget,
        Context,
        EventId,
        Explanation,
        FlowId,
        InvitationId,
        Level,
        MemberId,
        Method,
        OrganizationId,
        ProjectId,
        Proof,
        Refused,
        Role,
        Secret,
        SessionId,
        TeamId,
        UserId,
    )
    from authflow.wiring import Authflow

__version__ = "0.1.0"

__all__ = [
    "CATALOGUE",
    "NOBODY",
    "AccountDeleted",
    "AccountExported",
    "AccountsMerged",
    "Address",
    "AddressRecorded",
    "Arrived",
    "Asker",
    "AsyncAuthflow",
    "Audit",
    "AuditEntry",
    "AuthenticatorId",
    "Authflow",
    "AuthflowError",
    "Begun",
    "BrowserSession",
    "Budget",
    "Cancelled",
    "Category",
    "Code",
    "CodesShown",
    "ConfigInvalid",
    "ConsoleMailer",
    "Context",
    "Created",
    "DatabaseError",
    "Details",
    "Detour",
    "Elevated",
    "Enrolled",
    "EnrollmentOwed",
    "Entered",
    "EventId",
    "EventPolicy",
    "Explanation",
    "FactorRemoved",
    "FactorsReset",
    "FlagGroup",
    "FlowId",
    "Identical",
    "InvitationClosed",
    "InvitationFate",
    "InvitationId",
    "InvitationList",
    "InvitationOutcome",
    "InvitationSent",
    "InvitationView",
    "Joined",
    "KeyRing",
    "KeysMissing",
    "Level",
    "Listing",
    "Mail",
    "MailKind",
    "Mailer",
    "Member",
    "MemberFlag",
    "MemberGone",
    "MemberId",
    "MemberList",
    "MemberSaved",
    "MembershipPolicy",
    "MemoryMailer",
    "Method",
    "MfaPolicy",
    "Notice",
    "Organization",
    "OrganizationId",
    "OthersEnded",
    "OutboxPolicy",
    "Policy",
    "Ports",
    "ProjectId",
    "Proof",
    "Refused",
    "Renamed",
    "Replaced",
    "RequestFiled",
    "Requirement",
    "RequirementsOpen",
    "Resumed",
    "Retryable",
    "Role",
    "SavedEvent",
    "SchemaMissing",
    "SchemaTooOld",
    "SecondFactorOwed",
    "Secret",
    "SessionId",
    "SessionPolicy",
    "SignInCancelled",
    "Signal",
    "SignedIn",
    "SignedOut",
    "Superseded",
    "Swept",
    "TeamId",
    "User",
    "UserAddress",
    "UserId",
    "render_text",
]

_HOMES: Final = {
    "authflow.adapters.keys": ("KeyRing",),
    "authflow.adapters.mail": (
        "ConsoleMailer",
        "MemoryMailer",
    ),
    "authflow.assembly": ("Ports",),
    "authflow.awaitable": ("AsyncAuthflow",),
    "authflow.errors": (
        "AuthflowError",
        "CATALOGUE",
        "Code",
        "ConfigInvalid",
        "DatabaseError",
        "KeysMissing",
        "Retryable",
        "SchemaMissing",
        "SchemaTooOld",
    ),
    "authflow.events.save": (
        "Created",
        "Identical",
        "Replaced",
        "SavedEvent",
        "Superseded",
    ),
    "authflow.facts.records": (
        "Audit",
        "AuditEntry",
        "Category",
        "Mail",
        "MailKind",
        "Signal",
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
        "Resumed",
    ),
    "authflow.journey.post_flow": (
        "Detour",
        "InvitationFate",
        "InvitationOutcome",
    ),
    "authflow.journey.upkeep": ("Swept",),
    "authflow.membership.admission": ("Requirement",),
    "authflow.membership.answers": (
        "Entered",
        "InvitationClosed",
        "InvitationList",
        "InvitationSent",
        "InvitationView",
        "Joined",
        "MemberGone",
        "MemberList",
        "MemberSaved",
        "RequestFiled",
        "RequirementsOpen",
    ),
    "authflow.membership.changes": ("FlagGroup",),
    "authflow.membership.standing": (
        "Member",
        "MemberFlag",
    ),
    "authflow.mfa.answers": (
        "Begun",
        "Cancelled",
        "CodesShown",
        "Details",
        "Listing",
        "Renamed",
    ),
    "authflow.mfa.codes": ("render_text",),
    "authflow.outbox.signals": ("Notice",),
    "authflow.policy": (
        "EventPolicy",
        "MembershipPolicy",
        "MfaPolicy",
        "OutboxPolicy",
        "Policy",
        "SessionPolicy",
    ),
    "authflow.ports": (
        "Mailer",
        "Organization",
        "User",
        "UserAddress",
    ),
    "authflow.sessions.commands": (
        "Elevated",
        "EnrollmentOwed",
        "OthersEnded",
        "SecondFactorOwed",
        "SignInCancelled",
        "SignedIn",
        "SignedOut",
    ),
    "authflow.values": (
        "Address",
        "Asker",
        "AuthenticatorId",
        "BrowserSession",
        "Budget",
        "Context",
        "EventId",
        "Explanation",
        "FlowId",
        "InvitationId",
        "Level",
        "MemberId",
        "Method",
        "NOBODY",
        "OrganizationId",
        "ProjectId",
        "Proof",
        "Refused",
        "Role",
        "Secret",
        "SessionId",
        "TeamId",
        "UserId",
    ),
    "authflow.wiring": ("Authflow",),
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
