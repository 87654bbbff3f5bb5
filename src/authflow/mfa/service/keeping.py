"""Keeping: what a person has, called by name, looked at, and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from unicodedata import category

import attrs

from authflow.errors import Code, InputInvalid, StaleVersion
from authflow.mfa import commands as c
from authflow.mfa.answers import Details, Removed
from authflow.mfa.enrollment import MACHINE
from authflow.mfa.gates import refusal
from authflow.mfa.kinds import RECOVERY, UNKNOWN
from authflow.mfa.recovery import Fall, Ready
from authflow.mfa.recovery import Remove as RemoveCodes
from authflow.mfa.removal import LISTING, LOOKING, Change
from authflow.mfa.service.desk import Desk
from authflow.nobody import NO_USER
from authflow.values import Context, Refused, UserId, identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authflow.mfa.answers import EnrollmentAnswer, Listing, RecoveryAnswer
    from authflow.mfa.ports import MfaTransaction
    from authflow.mfa.service.desk import Case
    from authflow.values import Asker, AuthenticatorId

NAME_MAX: Final = 60
"""Characters of a factor's name (mfa 14.2)."""

NO_TEXT: Final = frozenset({"Cc", "Cs"})
"""Unicode categories that no name has: control characters, and halves of a character, which no database stores."""


@attrs.frozen(kw_only=True)
class Keeping(Desk):
    """The factors that stand."""

    def listing(self, asker: Asker, *, subject: UserId | None = None) -> Listing | Refused:
        """List every kind, enrolled or not, in the order of kinds. It holds no secret."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, Context(), subject, lock=False)
            return refusal(LISTING, self._change(case)) or case.held.listing(self.policy)

    def details(
        self, asker: Asker, *, authenticator: AuthenticatorId, subject: UserId | None = None
    ) -> Details | Refused:
        """Show one factor; another person's is not found."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, Context(), subject, lock=False)
            change = self._change(case, authenticator)
            refused = refusal(LOOKING, change)
            return refused or Details(entry=case.held.entry(change.target, self.policy))

    def rename(
        self, asker: Asker, context: Context, *, authenticator: AuthenticatorId, name: str | None
    ) -> EnrollmentAnswer:
        """Call a factor *name*: 1 to 60 characters after trimming. An empty name is an error, nothing else."""
        trimmed = name.strip() if isinstance(name, str) else ""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context)
            change = self._change(case, authenticator, _name_problems(trimmed))
            return self._changed(case, change, c.Rename(change=change, name=trimmed))

    def remove(
        self, asker: Asker, context: Context, *, authenticator: AuthenticatorId, subject: UserId | None = None
    ) -> EnrollmentAnswer | RecoveryAnswer:
        """Take one factor away; what falls with it is decided by the journey, from what is left (decision 29).

        For the person and for an installation administrator (`authflow.ports.User.administrates`). No organization
        manages an account in this version, so its managers remove nobody's factor (decision 18).
        """
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, subject)
            change = self._change(case, authenticator)
            if change.target is RECOVERY:
                answer: EnrollmentAnswer | RecoveryAnswer = self._without_codes(case, RemoveCodes(change=change))
            else:
                answer = self._changed(case, change, c.Remove(change=change))
            if not isinstance(answer, Removed):
                return answer
            left = tx.factors.of_user(case.user)
            return attrs.evolve(answer, primaries=left.primaries(), backups=left.backups())

    def fall(self, asker: Asker, context: Context, *, user: UserId, kinds: Sequence[str]) -> None:
        """Take the backup *kinds* of *user* away: no primary factor is left (mfa 14.4). Recovery codes are the only."""
        with self.uow.begin() as tx:
            if RECOVERY.id in kinds:
                self._without_codes(self.case(tx, asker, context, user), Fall(user=user))

    # --- facts and storing ----------------------------------------------------------------------------------------

    def _case(
        self,
        tx: MfaTransaction,
        asker: Asker,
        context: Context,
        subject: UserId | None = None,
        *,
        lock: bool = True,
    ) -> Case:
        """Return the case about *subject*, by default the asker; who may not act on them locks and reads nothing."""
        whose = subject or asker.user or NO_USER
        known = whose == asker.user or (_administers(tx, asker) and _exists(tx, whose))
        case = self.case(tx, asker, context, whose if known else NO_USER, lock=lock)
        return attrs.evolve(case, user=whose, known=known)

    def _change(
        self, case: Case, authenticator: AuthenticatorId | None = None, problems: Mapping[str, str] | None = None
    ) -> Change:
        target = UNKNOWN if authenticator is None else case.held.kind_of(authenticator)
        joined = case.tx.organizations.of_user(case.user) if case.known else ()
        return Change(
            asker=case.asker,
            subject=case.user,
            known=case.known,
            administrator=_administers(case.tx, case.asker),
            memberships=frozenset(organization.id for organization in joined),
            target=target,
            required=any(o.active and o.require_second_factor for o in joined),
            usable_left=case.held.usable_without(target, self.policy),
            problems=problems or {},
        )

    def _changed(self, case: Case, change: Change, command: c.Rename | c.Remove) -> EnrollmentAnswer:
        """Recovery codes and unknown factors have no row of their own kind: their state is "nothing enrolled"."""
        before = case.held.factor(change.target)
        step = MACHINE.step(before.state, command, case.now)
        try:
            self.keep(case, change.target, before, step)
        except StaleVersion:
            return Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)
        return step.answer

    def _without_codes(self, case: Case, command: RemoveCodes | Fall) -> RecoveryAnswer:
        ready = case.held.recovery.state
        answer = self.turn_codes(case, command)
        if isinstance(ready, Ready) and not isinstance(answer, Refused):
            case.tx.recovery_codes.remove(ready.authenticator)
        return answer


def _administers(tx: MfaTransaction, asker: Asker) -> bool:
    person = None if asker.user is None else tx.users.get(asker.user)
    return person is not None and person.administrates()


def _exists(tx: MfaTransaction, user: UserId) -> bool:
    """Tell whether there is such a person; what cannot be an identifier is never asked of a database."""
    try:
        return tx.users.get(UserId(identifier(user, field="subject"))) is not None
    except InputInvalid:
        return False


def _name_problems(name: str) -> dict[str, str]:
    if not name:
        return {"name": "is empty"}
    if len(name) > NAME_MAX:
        return {"name": f"is longer than {NAME_MAX} characters"}
    return {"name": "has a character that is no text"} if NO_TEXT.intersection(map(category, name)) else {}
