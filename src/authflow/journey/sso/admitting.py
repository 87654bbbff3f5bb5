"""Doing what was decided about somebody who came through a provider: link, session, membership, in one transaction.

The order is fixed: the link is read or written first, and only then does the session get its mark, by that very link
(decision 2). Whatever the membership says, the sign-in stands.

Whatever may be refused after something was written is done under a savepoint. Somebody who is known needs none.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import attrs

from authflow.errors import BrokenPromise, Code, StaleVersion, UniqueViolated
from authflow.facts.accounts import AddressVerified
from authflow.facts.sso import SignedUp
from authflow.journey.door import Declined, expect
from authflow.journey.post_flow import InvitationFate
from authflow.journey.sso.answers import AccountLinked, SignedOn
from authflow.membership.answers import Joined, RequirementsOpen
from authflow.sessions.commands import EnrollmentOwed, SecondFactorOwed, SignedIn
from authflow.sessions.states import Pending
from authflow.sso.case import By, Enter, LinkTo, Register, TakeOver
from authflow.sso.grounds import Attached, MailedProof, NewAccount, OwnSession, Recognized
from authflow.sso.pipeline import Flow
from authflow.sso.ports import Newcomer
from authflow.values import Method, Proof, Refused, UserId, new_identifier, same_address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from authflow.accounts.service import Addresses
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.post_flow import InvitationOutcome
    from authflow.journey.sso.circumstances import Situation
    from authflow.journey.sso.comers import Comer
    from authflow.journey.waiting import Waiting
    from authflow.machine import Fact, Step
    from authflow.membership.service import Membership
    from authflow.policy import SsoPolicy
    from authflow.ports import Entropy, UnitOfWork, User
    from authflow.recording import Recorder
    from authflow.sessions.service import Sessions
    from authflow.sso.case import Decision, Known
    from authflow.sso.grounds import Ground, LinkAnswer
    from authflow.sso.links import Link, Linking
    from authflow.sso.service import Links
    from authflow.sso.service.departures import Departures
    from authflow.values import Asker, LinkId, MemberId


@attrs.frozen(kw_only=True)
class Arrival:
    """One finish: who goes on, when, and what stands."""

    by: Comer
    at: Situation
    known: Known
    now: datetime


@attrs.frozen(kw_only=True)
class _CarriedOut:
    """Whose link it is now, and what is to be told of it."""

    link: Link
    written: bool
    facts: tuple[Fact, ...] = ()
    unconfirmed: bool = False


@attrs.frozen(kw_only=True)
class Admitting:
    """Carries out decisions; every method runs in its caller's transaction."""

    uow: UnitOfWork[JourneyTransaction]
    entropy: Entropy
    recorder: Recorder
    sessions: Sessions
    links: Links
    addresses: Addresses
    membership: Membership
    waiting: Waiting
    departures: Departures
    policy: SsoPolicy

    def admit(self, here: Arrival, decision: Decision) -> SignedOn | AccountLinked:
        """Do what *decision* says, and sign its person in.

        Raises:
            Declined: A table said no on the way, or somebody else was faster, who may choose again: nothing of it
                stands.
        """
        by = here.by
        done, session = self._let_in(here, decision)
        link = done.link
        self.departures.remember(by.tx, here.at.provider, here.at.identity, link, session.session.id)
        asker = self.sessions.identify(session.session, here.now)
        self.recorder.record(by.tx, done.facts, asker=asker, context=by.context, now=here.now)
        if done.unconfirmed:
            self.addresses.send(asker, by.context, user=link.user, address=None)
        invitation = self.waiting.settled(asker, session.session, by.context)
        member, code = self._join(here, asker, invitation)
        answer = AccountLinked if here.at.state.handle.flow is Flow.LINK else SignedOn
        return answer(
            session=session.session,
            user=link.user,
            level=session.level,
            organization=link.organization,
            link=link.id,
            linked=done.written,
            member=member,
            code=code,
            invitation=invitation,
        )

    def challenge(self, here: Arrival, user: UserId) -> SecondFactorOwed | EnrollmentOwed | Refused:
        """Begin the sign-in of *user*, who owes something first; one that is begun here already goes on.

        By a link it is begun by the provider's word; by a mailed link, which proves nothing but this pipeline's
        mailbox (decision 20), with a proof that opens nothing.
        """
        link = here.known.link or here.known.former
        answer = self._begun(here, user) or self._begin(here, user, link)
        if link is not None and not isinstance(answer, Refused):  # the provider ends it while it waits, too
            self.departures.remember(here.by.tx, here.at.provider, here.at.identity, link, answer.session.id)
        return answer

    def _begin(self, here: Arrival, user: UserId, link: Link | None) -> SecondFactorOwed | EnrollmentOwed | Refused:
        proof = _mailed(here) if link is None else _proof(here, link.id)
        answer = self.sessions.establish(here.by.session, here.by.context, user=user, proof=proof)
        return expect(answer, SecondFactorOwed, EnrollmentOwed, Refused)

    def _begun(self, here: Arrival, user: UserId) -> SecondFactorOwed | EnrollmentOwed | None:
        """Return the sign-in of *user* that is begun in this browser already, whatever began it; or none."""
        begun = self.sessions.opened(here.by.session)
        if not isinstance(begun, Pending) or begun.user != user:
            return None
        stands = self.sessions.look(here.by.session)
        return stands if isinstance(stands, SecondFactorOwed | EnrollmentOwed) else None

    # --- the link and the session -----------------------------------------------------------------------------------

    def _let_in(self, here: Arrival, decision: Decision) -> tuple[_CarriedOut, SignedIn]:
        """Carry *decision* out, and begin the session; both, or neither.

        Of a link that stands the session comes first: it alone can be refused, so that there is nothing to undo.
        """
        if isinstance(decision, Enter):
            session = self._signed_in(here, decision.link)
            step = self.links.recognize(here.by.tx, decision.link, here.at.identity, here.now)
            return _CarriedOut(link=expect(step.answer, Recognized).link, written=False), session
        try:
            with self.uow.savepoint():
                done = self._carry_out(here, decision)
                return done, self._signed_in(here, done.link)
        except (UniqueViolated, StaleVersion):
            raise Declined(Refused(code=Code.SSO_IDENTITY_CONFLICT)) from None

    def _signed_in(self, here: Arrival, link: Link) -> SignedIn:
        by = here.by
        session = self.sessions.establish(by.session, by.context, user=link.user, proof=_proof(here, link.id))
        if not isinstance(session, SignedIn):
            raise Declined(expect(session, Refused))
        return session

    def _carry_out(self, here: Arrival, decision: Decision) -> _CarriedOut:
        tx, identity, now = here.by.tx, here.at.identity, here.now
        match decision:
            case TakeOver(link=link):
                return _carried_out(self.links.migrate(tx, link, identity, self.policy.migrate_until, now))
            case LinkTo(user=user, by=by):
                return self._attach(here, user, self._ground(here, by))
            case Register(verified=verified):
                return self._register(here, verified=verified)
            case _:
                raise BrokenPromise(answer=type(decision).__name__)

    def _ground(self, here: Arrival, by: By) -> Ground:
        visitor, prover, identity = here.known.visitor, here.known.prover, here.at.identity
        if by is By.OWN_SESSION and visitor is not None:
            return OwnSession(user=visitor.user, elevated=visitor.elevated)
        if by is By.MAILED_PROOF and prover is not None:
            return MailedProof(user=prover.user, provider=identity.provider, subject=identity.subject)
        raise BrokenPromise(answer=by.value)

    def _attach(self, here: Arrival, user: UserId, ground: Ground) -> _CarriedOut:
        person = here.by.tx.users.get(user)
        if person is None:
            raise Declined(Refused(code=Code.SSO_IDENTITY_DISABLED))
        return _carried_out(self.links.attach(here.by.tx, person, here.at.identity, ground, here.now))

    def _register(self, here: Arrival, *, verified: bool) -> _CarriedOut:
        """Person, address and link, all three or none (sso 6.6).

        Raises:
            Declined: Somebody else verified the address at this very moment: it is not verified twice.
        """
        tx, identity, email = here.by.tx, here.at.identity, here.at.identity.email
        registrar = tx.registrar
        if registrar is None or email is None:
            raise BrokenPromise(answer="a newcomer whom nobody can register")
        if verified and not self.addresses.free(email):
            raise Declined(Refused(code=Code.SSO_IDENTITY_CONFLICT))
        newcomer = Newcomer(
            id=UserId(new_identifier(self.entropy.random_bytes(16))),
            name=identity.name,
            address=email,
            verified_at=here.now if verified else None,
        )
        user = registrar.register(newcomer)
        _require_new(tx, user, newcomer)
        tx.accounts.lock(user)
        linked = self._attach(here, user, NewAccount(user=user))
        made = SignedUp(
            organization=identity.organization, provider=identity.provider, kind=here.at.provider.kind, user=user
        )
        told: Sequence[Fact] = (made,)
        if verified:
            self.addresses.settle(user, email)
            told = (made, AddressVerified(user=user, address=email))
        return attrs.evolve(linked, facts=(*told, *linked.facts), unconfirmed=not verified)

    # --- the membership -------------------------------------------------------------------------------------------

    def _join(self, here: Arrival, asker: Asker, invitation: InvitationOutcome) -> tuple[MemberId | None, Code | None]:
        """Return the membership, or why there is none: an invitation that waits here is not overtaken by a default."""
        provider, identity = here.at.provider, here.at.identity
        if invitation.fate is InvitationFate.KEPT and invitation.organization == provider.organization:
            return None, invitation.code
        joined = self._come_in(here, asker)
        if not isinstance(joined, Joined):
            return None, joined
        former, user = here.by.tx.former_subjects, joined.member.user
        for place in ((provider.organization, provider.id, subject) for subject in identity.subjects):
            known = former.find(*place)
            if known is not None and (known.user, known.removed_at) != (user, None):
                former.clear(*place)
                former.remember(*place, user)  # their next removal is one of it, though nothing is linked to it now
        return joined.member.id, None

    def _come_in(self, here: Arrival, asker: Asker) -> Joined | Code:
        """Make them a member: a lost race is no reason not to sign them in.

        Whoever is one already needs no savepoint: their account is held, so nobody removes them meanwhile, and nothing
        is inserted.
        """
        provider = here.at.provider
        stands = asker.user is not None and self.membership.stands(provider.organization, asker.user)
        try:
            with nullcontext() if stands else self.uow.savepoint():
                joined = self.membership.come_in(
                    asker,
                    here.by.context,
                    organization=provider.organization,
                    role=provider.settings.default_role,
                    newcomers=provider.settings.newcomers and here.at.state.handle.flow is not Flow.UNASKED,
                )
        except (StaleVersion, UniqueViolated) as lost:
            return lost.code
        if isinstance(joined, RequirementsOpen):
            return Code.INVITATION_REQUIREMENTS_OPEN
        return joined.code if isinstance(joined, Refused) else joined


def _require_new(tx: JourneyTransaction, user: UserId, newcomer: Newcomer) -> None:
    """Refuse whoever was there before: a registrar that looks an address up would sign a stranger in as them.

    An id that was random a moment ago is nobody else's; for one of the host's own it is asked what they have here.

    Raises:
        BrokenPromise: The person is another one than was to be made, or has anything else of ours.
    """
    person = tx.users.get(user)
    other = person is not None and not _is_as_made(person, newcomer)
    if other or (user != newcomer.id and _has_anything(tx, user)):
        raise BrokenPromise(answer="a registrar that finds people instead of making them")


def _is_as_made(person: User, newcomer: Newcomer) -> bool:
    """Tell whether *person* may do nothing, and has the one address, verified if it was to be and only then."""
    if person.administrator or len(person.addresses) != 1:
        return False
    (own,) = person.addresses
    return same_address(own.address, newcomer.address) and (own.verified_at is None) is (newcomer.verified_at is None)


def _has_anything(tx: JourneyTransaction, user: UserId) -> bool:
    links, members, sessions = tx.links.all_of_user(user), tx.members.of_user(user), tx.sessions.of_user(user)
    return bool(links or members or sessions)


def _carried_out(step: Step[Linking, LinkAnswer]) -> _CarriedOut:
    match step.answer:
        case Attached(link=link):
            return _CarriedOut(link=link, written=bool(step.facts), facts=step.facts)
        case Recognized(link=link):
            return _CarriedOut(link=link, written=bool(step.facts), facts=step.facts)
        case Refused() as refused:
            raise Declined(refused)
        case _:
            raise BrokenPromise(answer=type(step.answer).__name__)


def _proof(here: Arrival, link: LinkId) -> Proof:
    identity = here.at.identity
    return Proof(
        method=Method.SSO, at=here.now, organization=identity.organization, provider=identity.provider, link=link
    )


def _mailed(here: Arrival) -> Proof:
    identity = here.at.identity
    return Proof(method=Method.MAILED_LINK, at=here.now, organization=identity.organization, provider=identity.provider)
