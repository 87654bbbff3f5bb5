"""The table of linking: whose an identity becomes, and on what ground."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import sso as facts
from authflow.sso.grounds import (
    Attach,
    Attached,
    Inherit,
    MailedProof,
    Migrate,
    NewAccount,
    OwnSession,
    Recognize,
    Recognized,
    Released,
)
from authflow.sso.identity import AHEAD, FRESH
from authflow.sso.linking import MACHINE
from authflow.sso.links import Crossed, Held, Linked, LinkedElsewhere, Renumbered, Unlinked, standing
from authflow.testing import assert_complete
from authflow.testing.samples.links import (
    ACME_IDP,
    ADA,
    EVE,
    FORMER,
    LINKING,
    MAILBOX,
    NEW,
    NOW,
    OTHER,
    SUBJECT,
    TICK,
    attach,
    holder,
    identity,
    link,
)
from authflow.values import Address, ProviderId, Refused, UserId

EXPLORED = LINKING.walk()
OWN = OwnSession(user=ADA, elevated=True)
PROOF = MailedProof(user=ADA, provider=ACME_IDP, subject=SUBJECT)
MADE = NewAccount(user=ADA)
HELD = Held(link=link(EVE), holder=holder(EVE))
CROSSED = Crossed(link=link(EVE), holder=holder(EVE), own=link(ADA, OTHER))


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_a_refusal_changes_nothing_and_reports_nothing():
    for step in EXPLORED.steps:
        if isinstance(step.answer, Refused):
            assert (step.target, step.facts) == (step.state, ())


# --- the laws -------------------------------------------------------------------------------------------------------


def test_a_link_is_written_only_for_whom_the_ground_speaks():
    """Invariant 1, CVE-2025-22146, CVE-2026-9087: signed in and elevated, or this very mailbox, or made just now."""
    written = [s for s in EXPLORED.steps if isinstance(s.answer, Attached) and not isinstance(s.command, Inherit)]
    assert written
    for step in written:
        assert isinstance(step.command, Attach)
        assert step.command.ground in {OWN, PROOF, MADE}
        assert isinstance(step.target, Linked)
        assert step.target.link.user == ADA
        assert step.target.link.subject == SUBJECT


def test_the_owner_of_a_row_never_changes():
    """CVE-2026-27197: a link that moves is another row."""
    for step in EXPLORED.steps:
        if isinstance(step.target, Linked):
            before = [row for row in attrs.astuple(step.state, recurse=False) if getattr(row, "user", None)]
            same = [row for row in before if getattr(row, "id", None) == step.target.link.id]
            assert all(row.user == step.target.link.user for row in same)


def test_nobody_touches_the_link_of_somebody_who_may_not_sign_in():
    """Decision 15: not by linking, not by a sign-up, not by coming with it."""
    for step in EXPLORED.steps:
        owner = getattr(step.state, "holder", None)
        if owner is not None and not owner.active and isinstance(step.command, Attach | Recognize | Migrate):
            assert isinstance(step.answer, Refused)


def test_only_a_signed_in_person_moves_a_link():
    """Decision 15: neither a sign-up nor a mailed proof takes over what stands."""
    moved = [s for s in EXPLORED.steps if isinstance(s.answer, Attached) and s.answer.former is not None]
    assert {s.command.ground for s in moved if isinstance(s.command, Attach)} == {OWN}


def test_an_account_that_was_made_just_now_takes_over_nothing():
    """Decision 15: not the identity, and not a link that is said to be its own either."""
    made = [s for s in EXPLORED.steps if isinstance(s.command, Attach) and isinstance(s.command.ground, NewAccount)]
    linked = [s for s in made if isinstance(s.answer, Attached)]
    assert {type(step.state) for step in linked} == {Unlinked}
    assert {type(step.state) for step in made} == {Unlinked, LinkedElsewhere, Linked, Held, Crossed}


def test_whoever_was_inactive_is_not_let_in_under_their_subject_after_any_merge():
    """Decision 15: it is that of somebody inactive, or barred; and where both may sign in, nobody is barred."""
    merged = [s for s in EXPLORED.steps if isinstance(s.command, Inherit)]
    assert merged
    for step in merged:
        assert isinstance(step.command, Inherit)
        assert isinstance(step.state, Held | Crossed)
        inactive = not (step.state.holder.active and step.command.person.active)
        if isinstance(step.target, Linked):
            assert step.target.holder.active is not inactive
        else:
            assert isinstance(step.answer, Released)
            assert step.answer.barred is inactive


def test_a_merge_gives_a_link_to_a_member_who_has_none_and_ends_every_other():
    """Nobody's is left with an account that is gone, nobody loses their own, and none opens what it did not before."""
    merged = [s for s in EXPLORED.steps if isinstance(s.command, Inherit)]
    assert merged
    for step in merged:
        assert isinstance(step.command, Inherit)
        assert isinstance(step.state, Held | Crossed)
        active = step.command.person.active
        if isinstance(step.state, Held) and step.command.member and (step.state.holder.active or not active):
            inherited = attrs.evolve(step.state.link, id=NEW, user=ADA)
            assert step.target == Linked(link=inherited, holder=holder(active=active))
            assert step.answer == Attached(link=inherited, dropped=(step.state.link.id,), former=EVE)
            assert [type(fact) for fact in step.facts] == [facts.IdentityMoved]
        else:
            kept = LinkedElsewhere(own=step.state.own) if isinstance(step.state, Crossed) else Unlinked()
            assert isinstance(step.answer, Released)
            assert (step.target, step.answer.link) == (kept, step.state.link.id)
            assert [getattr(fact, "reason", None) for fact in step.facts] == ["account_merged"]


def test_nothing_is_done_by_an_assertion_that_is_too_old_or_from_the_future():
    for step in EXPLORED.steps:
        said = getattr(step.command, "identity", None)
        if said is not None and not NOW - FRESH < said.at <= NOW:
            assert isinstance(step.answer, Refused)
            assert step.answer.code is not Code.SSO_IDENTITY_CONFLICT


# --- the table of conflicts (sso 9) ---------------------------------------------------------------------------------


def test_an_identity_that_is_nobodys_becomes_the_persons():
    step = MACHINE.step(Unlinked(), attach(), NOW)
    made = attrs.evolve(link(), id=NEW, linked_at=NOW, verified_at=NOW, synced_at=NOW)
    assert step.state == Linked(link=made, holder=holder())
    assert step.answer == Attached(link=made)
    (fact,) = step.facts
    assert isinstance(fact, facts.IdentityLinked)
    assert (fact.user, fact.ground, fact.recipients) == (ADA, "OwnSession", (MAILBOX,))


def test_a_persons_own_link_takes_the_new_subject():
    step = MACHINE.step(LinkedElsewhere(own=link(ADA, OTHER)), attach(), NOW)
    assert isinstance(step.answer, Attached)
    assert step.answer.link == attrs.evolve(link(ADA, OTHER), subject=SUBJECT, verified_at=NOW, synced_at=NOW)
    assert (step.answer.dropped, step.answer.former) == ((), None)
    assert [type(fact) for fact in step.facts] == [facts.IdentityRenumbered]


def test_linking_again_confirms_and_tells_nobody():
    step = MACHINE.step(Linked(link=link(), holder=holder()), attach(), NOW)
    assert step.answer == Attached(link=attrs.evolve(link(), verified_at=NOW, synced_at=NOW))
    assert step.facts == ()


def test_somebody_elses_identity_moves_by_a_new_row():
    step = MACHINE.step(HELD, attach(), NOW)
    assert isinstance(step.answer, Attached)
    assert (step.answer.dropped, step.answer.former, step.answer.link.id) == ((link(EVE).id,), EVE, NEW)
    (fact,) = step.facts
    assert isinstance(fact, facts.IdentityMoved)
    assert (fact.user, fact.former_user, fact.former_link) == (ADA, EVE, link(EVE).id)
    assert fact.recipients == (MAILBOX, Address("eve@example.org"))


def test_of_swapped_identities_the_persons_other_link_goes_too():
    step = MACHINE.step(CROSSED, attach(), NOW)
    assert isinstance(step.answer, Attached)
    assert step.answer.dropped == (link(EVE).id, link(ADA, OTHER).id)


@pytest.mark.parametrize("state", [HELD, CROSSED])
@pytest.mark.parametrize("ground", [PROOF, MADE])
def test_what_is_somebody_elses_stays_theirs_without_a_session(state: Held | Crossed, ground: MailedProof | NewAccount):
    assert MACHINE.step(state, attach(ground), NOW).answer == Refused(code=Code.SSO_IDENTITY_CONFLICT)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"ground": OwnSession(user=ADA, elevated=False)}, Code.SESSION_ELEVATION_REQUIRED),
        ({"ground": OwnSession(user=EVE, elevated=True)}, Code.SSO_IDENTITY_MISMATCH),
        ({"ground": OwnSession(user=UserId("a"), elevated=True)}, Code.SSO_IDENTITY_MISMATCH),
        ({"ground": attrs.evolve(PROOF, subject=OTHER)}, Code.SSO_IDENTITY_MISMATCH),
        ({"ground": attrs.evolve(PROOF, provider=ProviderId("0"))}, Code.SSO_IDENTITY_MISMATCH),
        ({"ground": attrs.evolve(PROOF, provider=ProviderId("~"))}, Code.SSO_IDENTITY_MISMATCH),
        ({"person": holder(active=False)}, Code.SSO_IDENTITY_DISABLED),
        ({"identity": identity(at=NOW - FRESH)}, Code.SSO_IDENTITY_EXPIRED),
    ],
)
def test_each_gate_has_its_code(changed: dict[str, object], code: Code):
    assert MACHINE.step(Unlinked(), attach(**changed), NOW).answer == Refused(code=code)


# --- coming with it -------------------------------------------------------------------------------------------------


def test_whoever_comes_with_it_is_confirmed():
    step = MACHINE.step(Linked(link=link(), holder=holder()), Recognize(identity=identity()), NOW)
    assert step.answer == Recognized(link=attrs.evolve(link(), verified_at=NOW, synced_at=NOW))


def migration(**given: object) -> Migrate:
    asked: dict[str, object] = {"until": NOW + TICK, "identity": identity(legacy=FORMER, email_verified=True), **given}
    return Migrate(**asked)


def test_a_link_goes_over_to_the_new_subject_by_policy():
    """Decision 24."""
    step = MACHINE.step(Renumbered(link=link(ADA, FORMER), holder=holder()), migration(), NOW)
    assert step.answer == Recognized(
        link=attrs.evolve(link(ADA, FORMER), subject=SUBJECT, verified_at=NOW, synced_at=NOW)
    )
    assert [type(fact) for fact in step.facts] == [facts.IdentityMigrated]


@pytest.mark.parametrize(
    "given", [{"until": None}, {"until": NOW}, {"identity": identity(legacy=FORMER, email_verified=False)}]
)
def test_it_stays_behind_without_the_policy_its_date_or_a_trusted_claim(given: dict[str, object]):
    step = MACHINE.step(Renumbered(link=link(ADA, FORMER), holder=holder()), migration(**given), NOW)
    assert step.answer == Refused(code=Code.SSO_MIGRATION_CLOSED)


# --- how they stand -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "stands"),
    [
        ({"by_subject": None, "holder": None, "own": None}, Unlinked()),
        ({"by_subject": None, "holder": None, "own": link(ADA, OTHER)}, LinkedElsewhere(own=link(ADA, OTHER))),
        ({"by_subject": link(), "holder": holder(), "own": link()}, Linked(link=link(), holder=holder())),
        ({"by_subject": link(EVE), "holder": holder(EVE), "own": None}, HELD),
        ({"by_subject": link(EVE), "holder": holder(EVE), "own": link(ADA, OTHER)}, CROSSED),
    ],
)
def test_two_rows_tell_how_a_subject_and_a_person_stand(rows: dict[str, object], stands: object):
    assert standing(**rows) == stands


@pytest.mark.parametrize(
    ("age", "fresh"),
    [(-AHEAD - TICK, False), (-AHEAD, True), (timedelta(), True), (FRESH - TICK, True), (FRESH, False)],
    ids=str,
)
def test_an_assertion_is_fresh_for_ten_minutes_on_a_node_that_is_a_minute_behind_too(age: timedelta, *, fresh: bool):
    """One node takes the answer, and the next request may go to another (security 4)."""
    assert identity(at=NOW - age).is_fresh(NOW) is fresh
