"""On what ground an identity may become a person's, what can be asked of a link, and what is answered (sso 9)."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

from authflow.values import Answer, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.identity import Identity, Subject
    from authflow.sso.links import Holder, Link
    from authflow.values import Address, LinkId, ProviderId, UserId


# --- grounds ----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class OwnSession:
    """*user* is signed in, in the browser that asks; *elevated*: they proved recently who they are."""

    user: UserId
    elevated: bool


@attrs.frozen(kw_only=True)
class MailedProof:
    """*user* opened a link mailed to their verified address for this very identity, in this browser (decision 20)."""

    user: UserId
    provider: ProviderId
    subject: Subject


@attrs.frozen(kw_only=True)
class NewAccount:
    """*user* was made in this very command."""

    user: UserId


Ground = OwnSession | MailedProof | NewAccount
"""Why a link to a person may be written. There is no fourth."""


# --- commands ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Attach:
    """Make *identity* the identity of *person*, under *id* where a new link is needed.

    *recipients* are the verified addresses of *person*, and *former_recipients* those of whoever holds it.
    """

    person: Holder
    identity: Identity
    ground: Ground
    id: LinkId
    recipients: tuple[Address, ...] = ()
    former_recipients: tuple[Address, ...] = ()


@attrs.frozen(kw_only=True)
class Recognize:
    """Somebody came with *identity*, which is linked."""

    identity: Identity


@attrs.frozen(kw_only=True)
class Migrate:
    """Somebody came with *identity*, whose former subject is linked; the policy takes such links over *until* then."""

    identity: Identity
    until: datetime | None


@unique
class Reason(StrEnum):
    """Why a link ends."""

    MEMBER_REMOVED = "member_removed"
    ACCOUNT_MERGED = "account_merged"
    UNLINKED = "unlinked"
    ADMINISTRATOR = "administrator"


@attrs.frozen(kw_only=True)
class Release:
    """End the link, for *reason*; whoever commands has been judged."""

    reason: Reason


@attrs.frozen(kw_only=True)
class Inherit:
    """The link's account is merged into that of *person*: the link becomes theirs under *id*, or ends.

    Args:
        person: Into whose account it is merged.
        member: They belong to the link's organization.
        id: Of the new link.
        recipients: The verified addresses of both.
    """

    person: Holder
    member: bool
    id: LinkId
    recipients: tuple[Address, ...] = ()


Command = Attach | Recognize | Migrate | Release | Inherit


# --- answers ----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Attached(Answer):
    """*link* stands. *dropped* are gone: the one that moved, and one that stood in its way. *former* had it before."""

    link: Link
    dropped: tuple[LinkId, ...] = ()
    former: UserId | None = None


@attrs.frozen(kw_only=True)
class Recognized(Answer):
    """*link* was confirmed by its provider just now."""

    link: Link


@attrs.frozen(kw_only=True)
class Released(Answer):
    """The link is gone; *barred*: so are its subject, and others that were its person's, as by a removal."""

    link: LinkId
    barred: bool = False


LinkAnswer = Attached | Recognized | Released | Refused
