"""Whether a mail is still wanted, read again just before it is sent (decision 37)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import SecretUnavailable
from authflow.facts.records import MailKind, Scope
from authflow.journey.sso.circumstances import mailable
from authflow.recording import mail_binding
from authflow.sso.pipeline import PipelineId
from authflow.sso.progress import AddressMailed, ProofMailed
from authflow.values import InvitationId, OrganizationId, Sealed, UserId, token_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authflow.accounts.service import Addresses
    from authflow.facts.records import Message
    from authflow.journey.ports import JourneyTransaction
    from authflow.membership.service import Membership
    from authflow.ports import Cipher, UnitOfWork, User
    from authflow.sso.service import SignInPipelines
    from authflow.values import Secret

PROVING: Final = frozenset({MailKind.SSO_PROOF, MailKind.SSO_ADDRESS_PROOF})

INVITING: Final = frozenset({MailKind.INVITATION, MailKind.SETUP_SECOND_FACTOR})


@attrs.frozen(kw_only=True)
class StillWanted:
    """`authflow.outbox.ports.StillLive` over the slices: the person still there, the token still good."""

    uow: UnitOfWork[JourneyTransaction]
    cipher: Cipher
    membership: Membership
    addresses: Addresses
    pipelines: SignInPipelines

    def __call__(self, message: Message) -> bool:
        """Tell whether the mail of *message* still says something true."""
        if message.payload.get("mail") in INVITING:
            return self._invites(message)
        if message.payload.get("mail") in PROVING:
            return self._proves(message)
        if message.scope is not Scope.USER:
            return True
        with self.uow.begin() as tx:
            person = tx.users.get(UserId(message.shard))
            if person is None:
                return False
            still = self._personal(tx, person).get(str(message.payload.get("mail")))
            return still is None or still(message)

    def _personal(self, tx: JourneyTransaction, person: User) -> Mapping[str, Callable[[Message], bool]]:
        """Return what decides about the mails to *person* that are not always worth sending."""
        return {
            MailKind.MFA_RESET: lambda message: self._enrolls(tx, person, message),
            MailKind.MFA_ENROLLMENT_DEMANDED: lambda message: self._enrolls(tx, person, message),
            MailKind.ADDRESS_CONFIRMATION: lambda message: self._confirms(person, message),
            MailKind.ADDRESS_CLAIMED: lambda message: person.holds(str(message.payload.get("to"))),
        }

    def _invites(self, message: Message) -> bool:
        """A resent, used or withdrawn invitation is not mailed."""
        invitation = message.payload.get("invitation") or message.payload.get("target")
        token = self._token(message)
        if token is None:
            return True
        return self.membership.carries(OrganizationId(message.shard), InvitationId(str(invitation)), token)

    def _proves(self, message: Message) -> bool:
        """A link is not mailed that the sign-in it was for does not wait for any more, nor to whom it is not theirs."""
        token = self._token(message)
        with self.uow.begin() as tx:
            found = self.pipelines.find(tx, PipelineId(str(message.payload.get("pipeline"))))
            waiting = None if found is None else found.state
            meant = mailable(tx, waiting) if isinstance(waiting, ProofMailed) else None
        if token is None:
            return True
        if not isinstance(waiting, ProofMailed | AddressMailed) or waiting.token != token_digest(token):
            return False
        return isinstance(waiting, AddressMailed) or (meant is not None and meant.user == waiting.user)

    def _enrolls(self, tx: JourneyTransaction, person: User, message: Message) -> bool:
        """A link that was used, or replaced by a later reset, is not mailed."""
        token = self._token(message)
        return person.active and (token is None or tx.reset_links.unspent(token_digest(token), user=person.id))

    def _confirms(self, person: User, message: Message) -> bool:
        """A link is not mailed once the address is verified, changed or removed, or the person is inactive."""
        token = self._token(message)
        return token is None or self.addresses.carries(person.id, token)

    def _token(self, message: Message) -> Secret | None:
        """Return the token, or none where it cannot be opened: the handler says what becomes of that."""
        try:
            ciphertext = base64.b64decode(str(message.payload["sealed"]), validate=True)
            sealed = Sealed(key_id=str(message.payload["key_id"]), ciphertext=ciphertext)
            return self.cipher.open(sealed, bound_to=mail_binding(message.id, str(message.payload["to"])))
        except (SecretUnavailable, binascii.Error, KeyError, ValueError):
            return None
