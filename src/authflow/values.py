"""Identifiers, secrets, and the small values that every slice shares. No I/O, no clock, no policy."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from enum import Enum, IntEnum, unique
from typing import TYPE_CHECKING, Final, NewType

import attrs

from authflow.errors import Code, InputInvalid, NaiveDatetime

if TYPE_CHECKING:
    from collections.abc import Mapping

UserId = NewType("UserId", str)
OrganizationId = NewType("OrganizationId", str)
MemberId = NewType("MemberId", str)
InvitationId = NewType("InvitationId", str)
TeamId = NewType("TeamId", str)
AuthenticatorId = NewType("AuthenticatorId", str)
SessionId = NewType("SessionId", str)
FlowId = NewType("FlowId", str)
ProviderId = NewType("ProviderId", str)
LinkId = NewType("LinkId", str)
ProjectId = NewType("ProjectId", str)
EventId = NewType("EventId", str)
Address = NewType("Address", str)
"""An e-mail address as stored. Compare addresses with `same_address`, never with ``==``."""
Role = NewType("Role", str)

IDENTIFIER_MAX: Final = 64
"""Our and the host's identifiers are opaque text of 1 to 64 characters."""

ADDRESS_MAX: Final = 254
"""RFC 5321 4.5.3.1.3: a path is at most 256 octets, the angle brackets included."""

UTC: Final = timezone.utc  # noqa: UP017  # the name that everything else imports from here


def new_identifier(random: bytes) -> str:
    """Return 16 or more *random* bytes as an opaque identifier: lower-case base32 without padding."""
    return base64.b32encode(random).decode().rstrip("=").lower()


def token_digest(token: Secret) -> bytes:
    """Return the digest under which a token of 256 random bits is stored; guessable codes go through a ``Pepper``."""
    return hashlib.sha256(token.reveal().encode(errors="surrogatepass")).digest()


def require_aware(moment: datetime) -> datetime:
    """Return *moment* if it has a time zone.

    Raises:
        NaiveDatetime: It has none, so nobody can say which instant it is.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise NaiveDatetime
    return moment


def identifier(text: object, *, field: str) -> str:
    """Return *text* if it can be an identifier: 1 to 64 printable ASCII characters without blanks; it is never cut.

    Raises:
        InputInvalid: No text, empty, too long, or with a character that databases compare differently.
    """
    legal = isinstance(text, str) and text.isascii() and text.isprintable() and " " not in text
    if not isinstance(text, str) or not legal or not 1 <= len(text) <= IDENTIFIER_MAX:
        problem = f"must be 1 to {IDENTIFIER_MAX} printable ASCII characters without blanks"
        raise InputInvalid(field=field, problem=problem)
    return text


def same_address(one: str, other: str) -> bool:
    """Tell whether two e-mail addresses are the same mailbox for us: equal but for ASCII letter case.

    Only ASCII letters fold, so that a dotless i or a full-width letter never equals another (CVE-2019-19844).
    """
    return fold_address(one) == fold_address(other)


def fold_address(address: str) -> str:
    """Return *address* with its ASCII capitals made small, the form in which addresses are compared and keyed."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in address)


class Secret:
    """A value that never shows itself: not in ``repr``, ``str``, ``format``, a log line or a pickle.

    Two secrets compare in constant time. `reveal` is the only way to the text, so every use can be found by its name.

    >>> Secret("JBSWY3DP")
    Secret(...)
    >>> f"{Secret('JBSWY3DP')}"
    'Secret(...)'
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode(errors="surrogatepass"), other._text.encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str | tuple[object, ...]:
        msg = "a Secret is not pickled; keep it sealed"
        raise TypeError(msg)


@attrs.frozen(kw_only=True)
class Sealed:
    """A secret as it is stored: authenticated ciphertext under the key *key_id*. Only a ``Cipher`` opens it."""

    key_id: str
    ciphertext: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Budget:
    """How often something may happen: at most *limit* times in any *window*, however the window is laid."""

    name: str
    limit: int
    window: timedelta


@attrs.frozen(kw_only=True)
class Context:
    """Where a command came from; audit entries and mails need it, decisions never do.

    Args:
        ip: The client's address as the host knows it, or none.
        user_agent: As sent by the browser; cut to 512 characters when it is stored.
        request_id: The host's own, to find the audit entry from its logs.
        idempotency_key: Names one command, however often it is sent: it is done once (decision 8). 1 to 64 printable
            ASCII characters, from whoever would repeat it.
    """

    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    idempotency_key: str | None = None


@attrs.frozen(kw_only=True)
class BrowserSession:
    """The session as a value. The host keeps it wherever it keeps sessions, and hands it back unread.

    It proves nothing by itself: *secret* leads to the server's row, and the row decides (decision 3).

    Args:
        id: The row's public handle; empty for a browser that has none yet.
        secret: 256 random bits; the row holds only their hash.
        generation: Rises when the value must go under a new host session id.
        renew: The host must change its own session id before it keeps this value (session fixation).
        user: Cached for the host's pages: who is signed in, or none.
    """

    id: SessionId
    secret: Secret
    generation: int
    renew: bool = False
    user: UserId | None = None

    def to_json(self) -> dict[str, str | int | None]:
        """Return the value as JSON types. It contains the session's secret: keep it like a session cookie."""
        return {"id": self.id, "secret": self.secret.reveal(), "generation": self.generation, "user": self.user}

    @classmethod
    def from_json(cls, stored: object) -> BrowserSession:
        """Return the value that `to_json` gave, or its text. Anything else is `NOBODY`: a stranger, never an error."""
        if isinstance(stored, str | bytes):
            with suppress(ValueError, RecursionError):
                stored = json.loads(stored)
        match stored:
            case {
                "id": str(key),
                "secret": str(secret),
                "generation": int(generation),
                "user": str() | None as user,
            } if generation >= 0 and not isinstance(generation, bool):
                owner = None if user is None else UserId(user)
                # Whoever reads the value back has stored it, under a new id if ``renew`` said so.
                return cls(id=SessionId(key), secret=Secret(secret), generation=generation, user=owner)
            case _:
                return NOBODY


NOBODY: Final = BrowserSession(id=SessionId(""), secret=Secret(""), generation=0)
"""The browser of which the server knows nothing."""


@unique
class Method(Enum):
    """How a person proved who they are. Names follow RFC 8176 where it has one."""

    PASSWORD = "pwd"
    MAILED_LINK = "link"
    SSO = "sso"
    TOTP = "otp"
    RECOVERY_CODE = "rc"


class Level(IntEnum):
    """Assurance of a session: how many kinds of proof stand behind it (mfa 20.4)."""

    NONE = 0
    ONE = 1
    TWO = 2


@attrs.frozen(kw_only=True)
class Proof:
    """One proof a session holds.

    Args:
        method: How the person proved it.
        at: When that was checked.
        organization: The only one that it opens, or none: it opens everything that is the person's (decision 1).
        provider: The organization's provider that vouched for it, or none.
        link: The link at that provider by which it did, or none where the host keeps links of its own (decision 2).

    Raises:
        NaiveDatetime: *at* has no time zone.
    """

    method: Method
    at: datetime = attrs.field(converter=require_aware)
    organization: OrganizationId | None = None
    provider: ProviderId | None = None
    link: LinkId | None = None


@attrs.frozen(kw_only=True)
class Mark:
    """A session signed in through *provider* of *organization*, by the very *link*, at *at* (decision 2).

    Without a link it opens no organization whose links authflow keeps. *aged*: it was seen to be too old, and stays so
    whatever a clock says (decision 35).
    """

    organization: OrganizationId
    provider: ProviderId
    link: LinkId | None
    at: datetime
    aged: bool = False


@attrs.frozen(kw_only=True)
class Asker:
    """Who asks, as the server's row says: the one value every gate looks at.

    Args:
        user: The signed-in person, or none.
        session: The row's handle; empty when there is no row.
        why_not: Why nobody is signed in here (``session.required``, ``session.superseded``, ...), else none.
        level: The assurance of the person's own proofs.
        factor_proven: A second factor of the person's own is among them, whatever came before it.
        elevated: A proof of the person's own, at the person's highest level, is recent enough (decision 5).
        marks: The session's sign-ins through organizations' providers, one per organization and provider.
        label: What an audit entry calls the person.
    """

    user: UserId | None
    session: SessionId
    why_not: Code | None = None
    level: Level = Level.NONE
    factor_proven: bool = False
    elevated: bool = False
    marks: tuple[Mark, ...] = ()
    label: str = ""

    @property
    def opens_a_row(self) -> bool:
        """Tell whether what was presented opens a living row; a superseded value only names one (decision 3)."""
        return bool(self.session) and self.why_not is not Code.SESSION_SUPERSEDED

    @property
    def organizations(self) -> frozenset[OrganizationId]:
        """Return the organizations that the session entered through their own provider, however long ago.

        Whether that still counts is known where the rows are read: `authflow.membership.standing.signed_on`.
        """
        return frozenset(mark.organization for mark in self.marks)

    def mark(self, organization: OrganizationId, provider: ProviderId) -> Mark | None:
        """Return the session's sign-in through this very provider of this very organization, or none."""
        entered = (m for m in self.marks if (m.organization, m.provider) == (organization, provider))
        return next(entered, None)


@attrs.frozen(kw_only=True)
class Answer:
    """What every command answers. *session* is the value the host keeps from now on."""

    session: BrowserSession = NOBODY


@attrs.frozen(kw_only=True)
class Explanation:
    """Why a command was refused, for the host's logs and engineers; a person outside sees the code only.

    Args:
        command: The command that a host called, such as ``mfa.complete_totp``.
        rule: The function that decided: of a row of the machine's table, or else the gate, or else the command itself.
        gate: The one check that said no, by the name of its function, or none.
        machine: Whose table, or none where no machine was asked.
        state: The state in which the rule decided, or none.
        facts: What the gate saw, or else the rule, by dotted name; no text of a person's, no secret.
    """

    command: str
    rule: str
    gate: str | None = None
    machine: str | None = None
    state: str | None = None
    facts: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen(kw_only=True)
class Refused(Answer):
    """No, and why.

    Args:
        code: Stable; `authflow.errors.CATALOGUE` has the sentence and the HTTP status.
        attempts_left: Proofs that may still fail before the flow ends, where it counts them; a budget may be met first.
        retry_after: How long the same request stays refused, where time cures it.
        problems: For ``*.input_invalid``: field name and what is wrong with it. For a setup of a provider that does
            not work: ``provider`` and what it got wrong.
        why: The rule that fired and what it saw: for logs, never for the answer to a request. Takes no part in
            comparisons.
    """

    code: Code
    attempts_left: int | None = None
    retry_after: timedelta | None = None
    problems: Mapping[str, str] = attrs.field(factory=dict[str, str])
    why: Explanation | None = attrs.field(default=None, eq=False, repr=False)
