"""Whole accounts: an address the host verified, an export, a merge, a deletion; each over every slice at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

import attrs

from authflow.command import command
from authflow.errors import Code, SecretUnavailable
from authflow.facts.accounts import AddressVerified, UserDeleted, UserExported, UsersMerged
from authflow.facts.mfa import FactorsReset
from authflow.journey.answers import AccountDeleted, AccountExported, AccountsMerged, AddressRecorded
from authflow.journey.door import Door, carried
from authflow.journey.gates import last_owner, may_act_on, may_administer, unreachable
from authflow.membership.terms import read_address
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.waiting import Waiting
    from authflow.machine import Fact
    from authflow.membership.service import Membership
    from authflow.mfa.service import SecondFactors
    from authflow.ports import User
    from authflow.recording import Recorder
    from authflow.values import Address, Asker, BrowserSession, Context, UserId


Gate = Callable[["Asker", "User | None", "User | None"], "Code | None"]


@attrs.frozen(kw_only=True)
class People(Door):
    """``flows.accounts``: what concerns a person as a whole."""

    factors: SecondFactors
    membership: Membership
    waiting: Waiting
    recorder: Recorder

    @command("accounts.record_verified_address")
    def record_verified_address(
        self, session: BrowserSession, context: Context, *, user: UserId, address: Address
    ) -> AddressRecorded | Refused:
        """Record that the host verified *address* of *user*, and go on with the invitation that waited for it.

        For the host's own code, after its own proof of the mailbox: nobody is asked for permission.

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        now = self.clock.now()
        with self.uow.begin() as tx:
            asker = self.held(tx, session, user)
            if read_address(address) is None:
                problems = {"address": "is not an e-mail address"}
                return carried(Refused(code=Code.ACCOUNT_INPUT_INVALID, problems=problems), session, asker)
            if not tx.users.record_verified(user, address, now):
                return carried(Refused(code=Code.ACCOUNT_UNKNOWN), session, asker)
            self._tell(tx, AddressVerified(user=user, address=address), asker, context)
            outcome = self.waiting.settled(asker, session, context)
            return carried(AddressRecorded(invitation=outcome), session, asker)

    @command("accounts.export")
    def export(self, session: BrowserSession, context: Context, *, user: UserId) -> AccountExported | Refused:
        """Return everything stored about *user* as JSON types, secrets blanked, for themselves or an administrator.

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        with self.uow.begin() as tx:
            asker = self.held(tx, session, user)
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
        with self.uow.begin() as tx:
            asker = self.held(tx, session, user)
            refusal = self._refusal(tx, asker, user, may_act_on) or self._last_owner(tx, user)
            if refusal is not None:
                return carried(Refused(code=refusal), session, asker)
            self._tell(tx, UserDeleted(user=user), asker, context)
            self._erase(tx, user)
            return carried(AccountDeleted(user=user), session, self.sessions.identify(session, self.clock.now()))

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
        with self.uow.begin() as tx:
            asker = self.held(tx, session, source, target)
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
                with self.uow.savepoint():
                    merged = self._merge(tx, asker, context, source, target)
            except SecretUnavailable:
                return carried(Refused(code=Code.MFA_SECRET_UNAVAILABLE), session, asker)
            return carried(merged, session, self.sessions.identify(session, self.clock.now()))

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _merge(
        self, tx: JourneyTransaction, asker: Asker, context: Context, source: UserId, target: UserId
    ) -> AccountsMerged:
        merged = self.factors.merge(asker, context, source=source, target=target)
        joined = self.membership.merge(asker, context, source=source, target=target)
        self.sessions.end_all(asker, context, user=target, reason="accounts_merged")
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
        link = self.sessions.require_enrollment(user)
        fact = FactorsReset(
            user=user, reason="accounts_merged", removed=0, token=link.token, expires_at=link.expires_at
        )
        self._tell(tx, fact, asker, context)

    def _erase(self, tx: JourneyTransaction, user: UserId) -> None:
        tx.accounts.lock(user)
        self.sessions.forget(user)
        self.factors.erase(user)
        self.membership.forget(user)
        tx.users.remove(user)
        tx.accounts.remove(user)

    def _refusal(self, tx: JourneyTransaction, asker: Asker, user: UserId, gate: Gate) -> Code | None:
        actor = None if asker.user is None else tx.users.get(asker.user)
        return gate(asker, actor, tx.users.get(user))

    def _last_owner(self, tx: JourneyTransaction, user: UserId, *, heir: UserId | None = None) -> Code | None:
        """The persons are locked first, in one order: the owners' rows come after every account."""
        for person in sorted({user, heir or user}):
            tx.accounts.lock(person)
        return last_owner(self.membership.owned_alone(user, heir=heir))

    def _document(self, tx: JourneyTransaction, user: UserId) -> dict[str, object]:
        person = tx.users.get(user)
        rows = tx.sessions.of_user(user)
        return {
            "user": None if person is None else attrs.asdict(person, value_serializer=_plain),
            "factors": self.factors.export(user),
            "memberships": [attrs.asdict(m, value_serializer=_plain) for m in self.membership.of_user(user)],
            "sessions": [{"since": r.handle.created_at.isoformat(), "state": type(r).__name__} for r in rows],
            "audit": [attrs.asdict(e, value_serializer=_plain) for e in tx.audit.of_user(user, limit=1000)],
        }

    def _tell(self, tx: JourneyTransaction, fact: Fact, asker: Asker, context: Context) -> None:
        self.recorder.record(tx, (fact,), asker=asker, context=context, now=self.clock.now())


def _plain(_instance: type, _field: object, value: object) -> object:
    """Return *value* as a JSON type, where it is none already."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
