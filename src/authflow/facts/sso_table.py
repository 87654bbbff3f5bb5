"""What the facts of single sign-on record: a part of `authflow.facts.table`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.facts import sso
from authflow.facts.records import Audit, Category, MailKind, Signal
from authflow.facts.row import About, Records

if TYPE_CHECKING:
    from authflow.machine import Fact

_LINK = ("organization", "provider", "link")

SSO: Final[dict[type[Fact], Records]] = {
    sso.IdentityLinked: Records(
        about=About.PERSON,
        audit=Audit.SSO_IDENTITY_LINK,
        fields=(*_LINK, "ground"),
        target="link",
        mail=MailKind.SSO_LINKED,
    ),
    sso.IdentityMoved: Records(
        about=About.ORGANIZATION,
        audit=Audit.SSO_IDENTITY_MOVED,
        fields=("provider", "link", "user", "former_link", "former_user"),
        target="link",
        signal=Signal.IDENTITY_MOVED,
        args={"user_id": "former_user", "provider": "provider"},
        mail=MailKind.SSO_MOVED,
    ),
    sso.IdentityRenumbered: Records(
        about=About.PERSON,
        audit=Audit.SSO_IDENTITY_RENUMBERED,
        fields=_LINK,
        target="link",
        mail=MailKind.SSO_LINKED,
    ),
    sso.IdentityMigrated: Records(about=About.PERSON, audit=Audit.SSO_IDENTITY_MIGRATED, fields=_LINK, target="link"),
    sso.IdentityReleased: Records(
        about=About.PERSON, audit=Audit.SSO_IDENTITY_RELEASED, fields=(*_LINK, "reason"), target="link"
    ),
    sso.SignOnRefused: Records(
        about=About.ORGANIZATION, audit=Audit.SSO_SIGN_ON_REFUSED, fields=("code",), target="provider"
    ),
    sso.ProofMailed: Records(
        about=About.PERSON,
        audit=Audit.SSO_PROOF_SENT,
        fields=("organization", "provider", "pipeline"),
        target="pipeline",
        mail=MailKind.SSO_PROOF,
        secret="token",
    ),
    sso.AddressProofMailed: Records(
        about=About.ORGANIZATION,
        fields=("provider", "pipeline"),
        target="pipeline",
        mail=MailKind.SSO_ADDRESS_PROOF,
        secret="token",
    ),
    sso.AddressHeld: Records(about=About.PERSON, fields=("organization", "provider"), mail=MailKind.SSO_ADDRESS_HELD),
    sso.SignedUp: Records(
        about=About.PERSON,
        audit=Audit.USER_SIGNED_UP,
        fields=("organization", "provider", "kind"),
        message=Category.USER_SIGNED_UP,
    ),
    sso.ProviderConnected: Records(
        about=About.ORGANIZATION,
        audit=Audit.SSO_ENABLE,
        fields=("kind", "lifted", "user"),
        target="provider",
        signal=Signal.SSO_ENABLED,
        args={"user_id": "user", "provider": "kind"},
        mail=MailKind.SSO_ENABLED,
    ),
    sso.ProviderEdited: Records(
        about=About.ORGANIZATION,
        audit=Audit.SSO_EDIT,
        fields=("changed", "required", "newcomers", "scim", "default_role"),
        target="provider",
        mail=MailKind.SSO_TRUST_CHANGED,
    ),
    sso.ProviderDisabled: Records(
        about=About.ORGANIZATION,
        audit=Audit.SSO_DISABLE,
        fields=("kind",),
        target="provider",
        signal=Signal.SSO_DISABLED,
        args={"provider": "kind"},
        mail=MailKind.SSO_DISABLED,
    ),
    sso.RequirementChanged: Records(
        about=About.ORGANIZATION, audit=Audit.ORG_EDIT, fields=("require_second_factor", "reason")
    ),
    sso.GlassBroken: Records(
        about=About.ORGANIZATION, audit=Audit.SSO_BREAK_GLASS, fields=("reason",), target="provider"
    ),
    sso.SignedOutByProvider: Records(
        about=About.ORGANIZATION, audit=Audit.SSO_SIGNED_OUT, fields=("count",), target="provider"
    ),
    sso.AnswersWithdrawn: Records(
        about=About.ORGANIZATION, audit=Audit.SSO_ANSWERS_WITHDRAWN, fields=("count",), target="provider"
    ),
    sso.MembersToMail: Records(
        about=About.ORGANIZATION,
        fields=("mail", "after", "actor"),
        target="provider",
        message=Category.MEMBER_MAILS,
    ),
    sso.LinkingAsked: Records(about=About.ORGANIZATION, fields=("kind",), mail=MailKind.SSO_LINK_ACCOUNT),
    sso.MemberToldOfEnd: Records(about=About.ORGANIZATION, mail=MailKind.SSO_ENDED),
}
