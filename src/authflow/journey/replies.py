"""How the answer of a stored reply is written down, to be sealed, and read back (decision 8).

Every value but text, numbers, truths and none is written as a pair: what it is, and what is in it. So the classes of
the table are all that reading needs; nothing else is ever made from what was stored.

The test vectors are written otherwise (`authflow.testing.vectors.shapes`), for readers in other languages: by the
annotations, which takes the source code, and without what a service fills in or what takes no part in comparisons;
a reply has to bring back just that, the session value and the explanation of a refusal, in an installation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum, StrEnum, unique
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import attrs

from authflow.accounts import commands as accounts
from authflow.errors import BrokenPromise, Code, ReplyUnreadable
from authflow.journey import answers as journey
from authflow.journey import post_flow
from authflow.journey.providers import answers as providers
from authflow.journey.sso import answers as sso
from authflow.membership import answers as membership
from authflow.membership.admission import Requirement
from authflow.membership.standing import Member, MemberFlag
from authflow.mfa import answers as mfa
from authflow.mfa.factor import Mode
from authflow.mfa.kinds import Kind
from authflow.sessions import commands as sessions
from authflow.sso import case
from authflow.values import Answer, BrowserSession, Explanation, Level, Method, Proof, Refused, Secret

if TYPE_CHECKING:
    from authflow.values import UserId

FORMAT: Final = 1
"""Of the text; a later version of the library reads the older ones."""


@unique
class SessionFate(StrEnum):
    """What became of the session value that asked."""

    SAME = "same"
    RENEWED = "renewed"
    ENDED = "ended"


@attrs.frozen(kw_only=True)
class Contents:
    """What is sealed in a stored reply: the answer, and to whom it was given.

    Args:
        asked: Digest of the session secret that asked.
        actor: Who was signed in when it asked, or none.
        fate: What became of that session value.
        answer: Its session is nobody's where the value that asked stays the same.
    """

    asked: bytes = attrs.field(repr=False)
    actor: UserId | None
    fate: SessionFate
    answer: Answer


CLASSES: Final[Mapping[str, type]] = {
    kind.__name__: kind
    for kind in (
        Contents,
        SessionFate,
        BrowserSession,
        Code,
        Explanation,
        Level,
        Method,
        Proof,
        Refused,
        journey.AccountDeleted,
        journey.AccountExported,
        journey.AccountsMerged,
        journey.AddressConfirmed,
        journey.AddressRecorded,
        journey.AlreadyConfirmed,
        journey.Arrived,
        journey.Enrolled,
        journey.FactorRemoved,
        journey.FactorsReset,
        journey.Resumed,
        providers.MembersReminded,
        providers.ProviderAdded,
        providers.ProviderRemoved,
        providers.ProviderSaved,
        sso.AccountLinked,
        sso.ChoiceOwed,
        sso.ConfirmationOwed,
        sso.LinkEnded,
        sso.MailSent,
        sso.PipelineAbandoned,
        sso.SignedOn,
        case.Choice,
        case.Offer,
        case.Page,
        accounts.ConfirmationsSent,
        post_flow.Detour,
        post_flow.InvitationFate,
        post_flow.InvitationOutcome,
        Member,
        MemberFlag,
        Requirement,
        membership.InvitationClosed,
        membership.InvitationSent,
        membership.Joined,
        membership.MemberGone,
        membership.MemberSaved,
        membership.RequestFiled,
        membership.RequirementsOpen,
        Kind,
        Mode,
        mfa.Begun,
        mfa.Cancelled,
        mfa.CodesShown,
        mfa.Renamed,
        sessions.Elevated,
        sessions.EnrollmentOwed,
        sessions.OthersEnded,
        sessions.SecondFactorOwed,
        sessions.SignedOut,
        sessions.SignInCancelled,
    )
}
"""Everything that an answer of a repeatable command may consist of. The names are stable: stored rows carry them."""


def dump(contents: Contents) -> Secret:
    """Return *contents* as text. It may hold secrets, and is to be sealed.

    Raises:
        BrokenPromise: A class in it is not in the table: a bug, and nothing is stored.
    """
    return Secret(text_of([FORMAT, plain(contents)]))


def load(text: Secret) -> Contents:
    """Return what `dump` wrote.

    Raises:
        ReplyUnreadable: Another version of the library wrote it, and this one cannot read it.
    """
    try:
        written_as, written = json.loads(text.reveal())
        found = _read(written) if written_as == FORMAT else None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # The error's own text may quote what was written.
        raise ReplyUnreadable(problem=type(error).__name__) from None
    if not isinstance(found, Contents):
        raise ReplyUnreadable(problem=f"format {written_as}")
    return found


def holds_secret(answer: Answer) -> bool:
    """Tell whether *answer* shows a secret; its session, which every answer has, is none."""
    shown = (field.name for field in attrs.fields(type(answer)) if field.name != "session")
    return any(_is_secret(getattr(answer, name)) for name in shown)


def text_of(written: object) -> str:
    """Return what `plain` made as JSON text: the same text for equal values."""
    return json.dumps(written, separators=(",", ":"))


def plain(value: object) -> object:
    """Return *value* in JSON types, each part saying what it is.

    Raises:
        BrokenPromise: There is something in it of which nothing could be read back.
    """
    if isinstance(value, Enum):
        return [_tag(value), value.value]
    if value is None or isinstance(value, str | int | float):
        return value
    for name, shape in SHAPES.items():
        if isinstance(value, shape.kind):
            return [name, shape.write(value)]
    return [_tag(value), {name: plain(getattr(value, name)) for name in fields(value)}]


def fields(value: object) -> list[str]:
    """Return the names of what a value of ours consists of."""
    return [field.name for field in attrs.fields(cast("type[attrs.AttrsInstance]", type(value)))]


def _tag(value: object) -> str:
    kind = type(value)
    if CLASSES.get(kind.__name__) is not kind:
        raise BrokenPromise(answer=kind.__name__)
    return kind.__name__


def _is_secret(value: object) -> bool:
    match value:
        case Secret():
            return True
        case tuple() | list() | frozenset():
            return any(map(_is_secret, cast("tuple[object, ...]", value)))
        case Mapping():
            return any(map(_is_secret, cast("Mapping[object, object]", value).values()))
        case _:
            return attrs.has(type(value)) and any(_is_secret(getattr(value, name)) for name in fields(value))


def _read(written: Any) -> Any:  # noqa: ANN401  # what was written decides what it becomes
    match written:
        case [str(tag), content] if tag in SHAPES:
            return SHAPES[tag].read(content)
        case [str(tag), content]:
            return _made(CLASSES[tag], content)
        case _:
            return written


def _made(kind: Any, content: Any) -> Any:  # noqa: ANN401  # as above
    if issubclass(kind, Enum):
        return kind(content)
    return kind(**{name: _read(value) for name, value in content.items()})


# --- what an answer consists of beside the classes of the table -----------------------------------------------------


class Shape(NamedTuple):
    """How values of one *kind* are written and read."""

    kind: type
    write: Callable[[Any], object]
    read: Callable[[Any], object]


def _microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


def _duration(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)


def _all(items: Iterable[object]) -> list[object]:
    return [plain(item) for item in items]


def _in_order(items: Iterable[object]) -> list[object]:
    return sorted(_all(items), key=text_of)


def _pairs(items: Mapping[object, object]) -> list[object]:
    return [_all(pair) for pair in items.items()]


def _read_all(items: Iterable[object]) -> list[Any]:
    return [_read(item) for item in items]


def _read_tuple(items: Iterable[object]) -> tuple[Any, ...]:
    return tuple(_read_all(items))


def _read_set(items: Iterable[object]) -> frozenset[Any]:
    return frozenset(_read_all(items))


def _read_pairs(pairs: Iterable[Iterable[object]]) -> dict[Any, Any]:
    return dict(map(_read_all, pairs))


SHAPES: Final[Mapping[str, Shape]] = {
    "secret": Shape(Secret, Secret.reveal, Secret),
    "instant": Shape(datetime, datetime.isoformat, datetime.fromisoformat),
    "duration": Shape(timedelta, _microseconds, _duration),
    "bytes": Shape(bytes, bytes.hex, bytes.fromhex),
    "tuple": Shape(tuple, _all, _read_tuple),
    "list": Shape(list, _all, _read_all),
    "frozenset": Shape(frozenset, _in_order, _read_set),
    "dict": Shape(dict, _pairs, _read_pairs),
}
"""By the name under which each is written; the order is that in which a value is held against them."""
