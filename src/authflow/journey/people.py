"""Whole accounts: an address the host verified, an export, a merge, a deletion; each over every slice at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

import attrs

from authflow.accounts.commands import ConfirmationsSent, ConfirmationView, NothingToConfirm, Verified
from authflow.command import command
from authflow.command.telemetry import report_unavailable
from authflow.errors import Code, SecretUnavailable
from authflow.facts.accounts import AddressVerified, UserDeleted, UserExported, UsersMerged
from authflow.facts.mfa import EnrollmentDemanded
from authflow.journey.answers import (
    AccountDeleted,
    AccountExported,
    AccountsMerged,
    AddressConfirmed,
    AddressRecorded,
    AlreadyConfirmed,
)
from authflow.journey.door import Door, carried, expect
from authflow.journey.gates import last_owner, may_act_on, may_administer, unreachable
from authflow.mailbox import read_address
from authflow.sessions.commands import OthersEnded
from authflow.values import Refused, identifier

if TYPE_CHECKING:
    from authflow.accounts.service import Addresses
    from authflow.accounts.states import Over, Sent
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso.aftermath import Inheriting
    from authflow.journey.waiting import Waiting
    from authflow.machine import Fact
    from authflow.membership.service import Membership
    from authflow.mfa.service import SecondFactors
    from authflow.ports import User
    from authflow.recording import Recorder
    from authflow.sso.links import Link
    from authflow.values import Address, Asker, BrowserSession, Context, Secret, UserId


Gate = Callable[["Asker", "User | None", "User | None"], "Code | None"]


@attrs.frozen(kw_only=True)
class People(Door):
    """``flows.accounts``: what concerns a person as a whole."""

    _addresses: Addresses = attrs.field(alias="addresses")
    _factors: SecondFactors = attrs.field(alias="factors")
    _membership: Membership = attrs.field(alias="membership")
    _waiting: Waiting = attrs.field(alias="waiting")
    _recorder: Recorder = attrs.field(alias="recorder")
    _inheriting: Inheriting = attrs.field(alias="inheriting")

    @command("accounts.record_verified_address")
    def record_verified_address(
        self, session: BrowserSession, context: Context, *, user: UserId, address: Address
    ) -> AddressRecorded | Refused:
        """Record that the host verified *address* of *user*, and go on with the invitation that waited for it.

        For the host's own code, after its own proof of the mailbox: nobody is asked for permission. As after
        `confirm_address`, links mailed to it work no more, and whoever else held it unverified loses it.

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        with self._uow.begin() as tx:
            asker = self._held(tx, session, user)
            if read_address(address) is None:
                problems = {"address": "is not an e-mail address"}
                return carried(Refused(code=Code.ACCOUNT_INPUT_INVALID, problems=problems), session, asker)
            if not self._addresses.record(user, address):
                return carried(Refused(code=Code.ACCOUNT_UNKNOWN), session, asker)
            self._tell(tx, AddressVerified(user=user, address=address), asker, context)
            outcome = self._waiting.settled(asker, session, context)
            return carried(AddressRecorded(invitation=outcome), session, asker)

    @command("accounts.send_confirmations")
    def send_confirmations(
        self, session: BrowserSession, context: Context, *, user: UserId | None = None, address: Address | None = None
    ) -> ConfirmationsSent | Refused:
        """Mail a link of its own to each unverified address of the signed-in person, for `confirm_address`.

        An address that is verified for somebody else gets a warning instead of a link, and the answer does not say
        which it was (decision 22).

        Args:
            session: The browser.
            context: Where the command came from.
            user: Whose addresses, for the host's own code, such as right after a registration: then nobody is asked
                for permission. Never pass on what a request says.
            address: Only this one.

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        with self._uow.begin() as tx:
            asker = self._held(tx, session, *(() if user is None else (user,)))
            return carried(self._addresses.send(asker, context, user=user, address=address), session, asker)

    @command("accounts.look_at_confirmation")
    def look_at_confirmation(
        self, session: BrowserSession, *, token: Secret
    ) -> ConfirmationView | NothingToConfirm | Refused:
        """Return what a mailed link would confirm, for the page that it opens: whoever looks changes nothing."""
        look = self._addresses.look
        return self._shown(
            session, lambda asker: expect(look(asker, token=token), ConfirmationView, NothingToConfirm, Refused)
        )

    @command("accounts.confirm_address")
    def confirm_address(
        self, session: BrowserSession, context: Context, *, token: Secret
    ) -> AddressConfirmed | AlreadyConfirmed | Refused:
        """Verify the address to which *token* was mailed, for a POST by the person it was mailed for (sso 11).

        Afterwards no other link to it works, whoever else held it unverified has lost it, and the invitation that
        waited in this browser has its outcome. With the first address that a person proves, their other sessions
        end and lost-password links are void: whoever opened the account may have been somebody else.
        """
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            answer = self._addresses.confirm(asker, context, token=token)
            if isinstance(answer, NothingToConfirm):
                outcome = self._waiting.settled(asker, session, context)
                return carried(AlreadyConfirmed(invitation=outcome), session, asker)
            if not isinstance(answer, Verified):
                return carried(expect(answer, Refused), session, asker)
            return self._confirmed(tx, answer, session, context)

    @command("accounts.void_confirmations")
    def void_confirmations(self, *, user: UserId, address: Address) -> int:
        """End every link that was mailed to *address* for *user*: call it where you change or remove an address.

        For the host's own code, as `record_verified_address`. A link to an address that a person holds no more
        confirms nothing in any case; this keeps it so when they take the address back.

        Returns:
            How many links still worked.

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        identifier(user, field="user")
        return self._addresses.void(user, address) if read_address(address) is not None else 0

    @command("accounts.export")
    def export(self, session: BrowserSession, context: Context, *, user: UserId) -> AccountExported | Refused:
        """Return everything stored about *user* as JSON types, secrets blanked, for themselves or an administrator.

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        with self._uow.begin() as tx:
            asker = self._held(tx, session, user)
            refusal = self._refusal(tx, asker, user, may_act_on)
            if refusal is not None:
                return carried(Refused(code=refusal), session, asker)
            document = self._document(tx, user)
            self._tell(tx, UserExported(user=user), asker, context)
            return carried(AccountExported(user=user, document=document), session, asker)

    @command("accounts.delete")
    def delete(self, session: BrowserSession, context: Context, *, user: UserId) -> AccountDeleted | Refused:
        """Delete *user* and everything of theirs, for themselves or an administrator.

        The audit log stays: it says what happened. Whoever is the last active owner of an organization stays too,
        until somebody else owns it (decision 17).

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        with self._uow.begin() as tx:
            asker = self._held(tx, session, user)
            refusal = self._refusal(tx, asker, user, may_act_on) or self._last_owner(tx, user)
            if refusal is not None:
                return carried(Refused(code=refusal), session, asker)
            self._tell(tx, UserDeleted(user=user), asker, context)
            self._erase(tx, user)
            return carried(AccountDeleted(user=user), session, self._sessions.identify(session, self._clock.now()))

    @command("accounts.merge")
    def merge(
        self, session: BrowserSession, context: Context, *, source: UserId, target: UserId
    ) -> AccountsMerged | Refused:
        """Move everything of *source* into *target* and delete *source*, for an administrator.

        *target* keeps their own factors and memberships where both have one; ids of factors stay. Sessions of
        *source* end. Addresses are the host's: move them first, or they go with *source*. Where *source* owes an
        enrollment after a reset, *target*, having no second factor, owes it now, and is mailed a link of their own.

        Raises:
            InputInvalid: *source* or *target* cannot be a person's id.
        """
        with self._uow.begin() as tx:
            asker = self._held(tx, session, source, target)
            if source == target:
                return carried(Refused(code=Code.ACCOUNT_SAME), session, asker)
            refusal = (
                self._refusal(tx, asker, source, may_administer)
                or self._refusal(tx, asker, target, may_administer)
                or self._last_owner(tx, source, heir=target)
                or (unreachable(tx.users.get(target)) if self._takes_over_debt(tx, source, target) else None)
            )
            if refusal is not None:
                return carried(Refused(code=refusal), session, asker)
            try:
                with self._uow.savepoint():
                    merged = self._merge(tx, asker, context, source, target)
            except SecretUnavailable as error:
                report_unavailable(error)
                return carried(Refused(code=Code.MFA_SECRET_UNAVAILABLE), session, asker)
            return carried(merged, session, self._sessions.identify(session, self._clock.now()))

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _confirmed(
        self, tx: JourneyTransaction, verified: Verified, session: BrowserSession, context: Context
    ) -> AddressConfirmed:
        kept, ended = session, 0
        asker = self._sessions.identify(session, self._clock.now())
        if verified.first and asker.user is not None:
            tx.users.drop_password_resets(asker.user)
            others = expect(self._sessions.end_others(session, context, reason="first_address_verified"), OthersEnded)
            self._sessions.forget_devices(asker.user)
            kept, ended = others.session, others.count
        outcome = self._waiting.settled(asker, kept, context)
        answer = AddressConfirmed(address=verified.address, ended_sessions=ended, invitation=outcome)
        return attrs.evolve(answer, session=kept) if kept is not session else carried(answer, session, asker)

    def _merge(
        self, tx: JourneyTransaction, asker: Asker, context: Context, source: UserId, target: UserId
    ) -> AccountsMerged:
        merged = self._factors.merge(asker, context, source=source, target=target)
        joined = self._membership.merge(asker, context, source=source, target=target)
        for moved in self._inheriting.merge(asker, context, source=source, target=target):
            self._tell(tx, moved, asker, context)
        self._sessions.end_all(asker, context, user=target, reason="accounts_merged")
        if self._takes_over_debt(tx, source, target):
            self._demand_enrollment(tx, asker, context, target)
        self._tell(tx, UsersMerged(user=target, merged=source, dropped=",".join(merged.dropped)), asker, context)
        self._erase(tx, source)
        return AccountsMerged(user=target, moved=merged.moved, dropped=merged.dropped, memberships=joined)

    def _takes_over_debt(self, tx: JourneyTransaction, source: UserId, target: UserId) -> bool:
        """Tell whether a merge must not forgive an enrollment: a reset demanded a factor, and *target* has none."""
        owes = tx.accounts.lock(source).enrollment_required
        return owes and not tx.factor_census.protected([target])[target]

    def _demand_enrollment(self, tx: JourneyTransaction, asker: Asker, context: Context, user: UserId) -> None:
        link = self._sessions.require_enrollment(user)
        fact = EnrollmentDemanded(user=user, reason="accounts_merged", token=link.token, expires_at=link.expires_at)
        self._tell(tx, fact, asker, context)

    def _erase(self, tx: JourneyTransaction, user: UserId) -> None:
        tx.accounts.lock(user)
        self._sessions.forget(user)
        self._factors.erase(user)
        self._membership.forget(user)
        self._addresses.forget(user)
        self._inheriting.forget(user)
        tx.users.remove(user)
        tx.accounts.remove(user)

    def _refusal(self, tx: JourneyTransaction, asker: Asker, user: UserId, gate: Gate) -> Code | None:
        actor = None if asker.user is None else tx.users.get(asker.user)
        return gate(asker, actor, tx.users.get(user))

    def _last_owner(self, tx: JourneyTransaction, user: UserId, *, heir: UserId | None = None) -> Code | None:
        """What is held is held in one order: every account, then the providers, and then the owners' rows."""
        for person in sorted({user, heir or user}):
            tx.accounts.lock(person)
        self._inheriting.hold(user)
        return last_owner(self._membership.owned_alone(user, heir=heir))

    def _document(self, tx: JourneyTransaction, user: UserId) -> dict[str, object]:
        person = tx.users.get(user)
        rows = tx.sessions.of_user(user)
        return {
            "user": None if person is None else attrs.asdict(person, value_serializer=_plain),
            "factors": self._factors.export(user),
            "links": [_linked(link) for link in tx.links.all_of_user(user)],
            "former_subjects": [attrs.asdict(f, value_serializer=_plain) for f in tx.former_subjects.of_user(user)],
            "memberships": [attrs.asdict(m, value_serializer=_plain) for m in self._membership.of_user(user)],
            "confirmations": [_mailing(state) for state in self._addresses.of_user(user)],
            "sessions": [{"since": r.handle.created_at.isoformat(), "state": type(r).__name__} for r in rows],
            "audit": [attrs.asdict(e, value_serializer=_plain) for e in tx.audit.of_user(user, limit=1000)],
        }

    def _tell(self, tx: JourneyTransaction, fact: Fact, asker: Asker, context: Context) -> None:
        self._recorder.record(tx, (fact,), asker=asker, context=context, now=self._clock.now())


def _mailing(state: Sent | Over) -> dict[str, object]:
    """Return what is stored of one mailed link, without its token's digest."""
    mailing = state.mailing
    return {
        "address": mailing.address,
        "expires_at": mailing.expires_at.isoformat(),
        "state": type(state).__name__,
    }


def _linked(link: Link) -> dict[str, object]:
    """Return what is stored of one link, without what its provider is asked again with."""
    return attrs.asdict(attrs.evolve(link, memory=None), value_serializer=_plain)


def _plain(_instance: type, _field: object, value: object) -> object:
    """Return *value* as a JSON type, where it is none already."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
