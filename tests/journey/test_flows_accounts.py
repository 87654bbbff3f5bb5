"""Whole accounts through the facade: deleted, merged, exported, and an address the host verified."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import (
    AccountDeleted,
    AccountExported,
    AccountsMerged,
    AddressRecorded,
    Arrived,
    Code,
    Elevated,
    EnrollmentOwed,
    InvitationFate,
    MailKind,
    Refused,
    SecondFactorOwed,
    Secret,
)
from authflow.adapters.keys import KeyRing
from authflow.membership.standing import Member, Outside, Removed
from authflow.testing.browsers import Browser
from tests.stage import CONTEXT, STEP

if TYPE_CHECKING:
    from authflow.values import OrganizationId
    from tests.stage import Person, Stage


@pytest.fixture
def ada(stage: Stage) -> Person:
    """Somebody who enrolled an app, one step ago."""
    return protected(stage, "ada@example.com")


@pytest.fixture
def root(stage: Stage, ada: Person) -> Person:
    """An administrator, elevated."""
    assert ada.factor is not None
    return stage.administrator()


def protected(stage: Stage, address: str) -> Person:
    person = stage.person(address)
    stage.sign_in(person)
    stage.enroll(person)
    stage.clock.advance(STEP)
    return person


def delete(stage: Stage, by: Person, user: str) -> Any:
    return by.browser.ask(stage.flows.accounts.delete, CONTEXT, user=user)


def merge(stage: Stage, by: Person, source: str, target: str) -> Any:
    return by.browser.ask(stage.flows.accounts.merge, CONTEXT, source=source, target=target)


def export(stage: Stage, by: Person, user: str) -> Any:
    return by.browser.ask(stage.flows.accounts.export, CONTEXT, user=user)


def rows_about(stage: Stage, *needles: str) -> set[str]:
    """Return the tables in which any of *needles* stands."""
    return {name for name, rows in stage.snapshot().items() if any(needle in row for row in rows for needle in needles)}


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_whoever_is_deleted_leaves_nothing_but_the_log(stage: Stage, ada: Person):
    acme = stage.organization()
    olga = stage.owner(acme)
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user)
    globex = stage.organization("globex", require_second_factor=True, require_verified_address=True)
    gloria = stage.owner(globex, "gloria@example.com")
    waiting = stage.invite(gloria, globex, ada.user)
    known = stage.user(ada.user)
    stage.save(attrs.evolve(known, addresses=(attrs.evolve(known.addresses[0], verified_at=None),)))
    stage.accept(ada, waiting)
    stage.save(known)
    stage.flows.relay.drain_until_quiet()
    answer = delete(stage, ada, ada.user)
    assert (type(answer), answer.user) == (AccountDeleted, ada.user)
    assert stage.user(ada.user) is None
    assert rows_about(stage, ada.factor or "?") <= {"audit", "outbox", "event"}
    stage.flows.relay.drain_until_quiet()
    left = rows_about(stage, ada.user)
    assert left == {"audit", "event", "sighting", "limit", "attempt", "invitation"} & left
    assert isinstance(stage.member(ada.user, acme), Outside)
    assert stage.identify(ada).user is None
    assert stage.audited(ada)[-1] == "user_deleted"
    assert stage.identify(olga).user == olga.user


def test_a_deleted_person_cannot_sign_in_and_their_mails_are_not_sent(stage: Stage, ada: Person):
    stage.flows.relay.drain_until_quiet()
    stage.mailer.sent.clear()
    stage.verify(ada, "recovery", ada.codes[0])
    delete(stage, ada, ada.user)
    stage.flows.relay.drain_until_quiet()
    assert stage.mailer.sent == []
    assert stage.sign_in(ada).code is Code.SESSION_USER_INACTIVE


def test_an_account_made_anew_inherits_nothing(stage: Stage, ada: Person):
    before, codes = ada.browser.session, ada.codes
    delete(stage, ada, ada.user)
    again = stage.person(ada.user)
    assert stage.flows.sessions.identify(before).user is None
    assert isinstance(stage.sign_in(again), Arrived)
    assert stage.verify(again, "recovery", codes[0]).code is Code.MFA_NOT_ENROLLED


@pytest.mark.parametrize("role", ["owner", "manager"])
def test_the_last_active_owner_stays_until_somebody_else_owns_it(stage: Stage, ada: Person, role: str):
    acme = stage.organization()
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user, role="owner")
    bob = stage.person("bob@example.com", active=False)
    stage.flows.members.add(CONTEXT, organization=acme, user=bob.user, role=role)
    with stage.writes():
        assert delete(stage, ada, ada.user).code is Code.MEMBERSHIP_LAST_OWNER
    carol = stage.person("carol@example.com")
    stage.flows.members.add(CONTEXT, organization=acme, user=carol.user, role="owner")
    assert isinstance(delete(stage, ada, ada.user), AccountDeleted)


@pytest.mark.parametrize("call", [delete, export])
def test_only_oneself_or_an_administrator_and_only_elevated(stage: Stage, ada: Person, call: Any):
    bob = protected(stage, "bob@example.com")
    with stage.writes():
        assert call(stage, bob, ada.user).code is Code.ACCOUNT_FORBIDDEN
        assert call(stage, bob, "nobody").code is Code.ACCOUNT_FORBIDDEN
    stage.clock.advance(timedelta(minutes=16))
    with stage.writes("session"):
        assert call(stage, ada, ada.user).code is Code.SESSION_ELEVATION_REQUIRED


def test_an_administrator_deletes_and_is_named_in_the_log(stage: Stage, ada: Person, root: Person):
    assert isinstance(delete(stage, root, ada.user), AccountDeleted)
    entry = stage.audit(ada)[-1]
    assert (entry.event, entry.actor, entry.target_user) == ("user_deleted", root.user, ada.user)
    with stage.writes():
        assert delete(stage, root, ada.user).code is Code.ACCOUNT_UNKNOWN


# --- merging ----------------------------------------------------------------------------------------------------------


def test_a_factor_moves_with_its_id_and_goes_on_working(stage: Stage, ada: Person, root: Person):
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    answer = merge(stage, root, ada.user, bob.user)
    assert isinstance(answer, AccountsMerged)
    assert (answer.moved, answer.dropped) == (("totp", "recovery"), ())
    assert stage.identify(bob).why_not is Code.SESSION_ENDED, "who took over signs in afresh"
    assert isinstance(stage.sign_in(bob), SecondFactorOwed)
    bob.phone, bob.factor = ada.phone, ada.factor
    assert isinstance(stage.verify(bob, "totp", bob.app.code(stage.clock.now())), Arrived)
    entries = bob.browser.ask(stage.flows.mfa.listing).entries
    assert entries[0].held.id == ada.factor
    assert isinstance(stage.verify(bob, "recovery", ada.codes[0]), Elevated)


def test_what_both_have_is_dropped_and_told(stage: Stage, ada: Person, root: Person):
    bob = protected(stage, "bob@example.com")
    stage.elevate(root)
    answer = merge(stage, root, ada.user, bob.user)
    assert (answer.moved, answer.dropped) == ((), ("totp", "recovery"))
    entry = stage.audit(bob)[-1]
    assert (entry.event, entry.data) == ("users_merged", {"merged": ada.user, "dropped": "totp,recovery"})
    stage.sign_in(bob)
    now = stage.clock.now()
    assert stage.verify(bob, "totp", ada.app.code(now)).code is Code.MFA_CODE_REJECTED
    assert stage.verify(bob, "recovery", ada.codes[0]).code is Code.MFA_CODE_REJECTED
    assert isinstance(stage.verify(bob, "totp", bob.app.code(now)), Arrived)


def test_memberships_move_and_the_targets_own_stay(stage: Stage, ada: Person, root: Person):
    acme, globex, umbrella = (stage.organization(slug) for slug in ("acme", "globex", "umbrella"))
    bob = stage.person("bob@example.com")
    add = stage.flows.members.add
    add(CONTEXT, organization=acme, user=ada.user, role="owner", teams=("red",))
    add(CONTEXT, organization=globex, user=ada.user, role="owner")
    own = add(CONTEXT, organization=globex, user=bob.user, role="owner").member
    add(CONTEXT, organization=umbrella, user=ada.user)
    with stage.uow.begin() as tx:
        gone = Removed(organization=umbrella, user=bob.user, at=stage.clock.now())
        tx.members.save(umbrella, bob.user, gone, expected=0)
    answer = merge(stage, root, ada.user, bob.user)
    assert answer.memberships == ("acme",)
    moved = stage.member(bob.user, acme)
    assert isinstance(moved, Member)
    assert (moved.role, moved.teams) == ("owner", ("red",))
    assert stage.member(bob.user, globex) == own
    assert isinstance(stage.member(bob.user, umbrella), Removed), "who was removed does not come back by a merge"
    assert stage.user(ada.user) is None


def test_a_merge_never_leaves_an_organization_without_an_owner(stage: Stage, ada: Person, root: Person):
    """The target is a plain member there, and keeps that."""
    acme = stage.organization()
    bob = stage.person("bob@example.com")
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user, role="owner")
    stage.flows.members.add(CONTEXT, organization=acme, user=bob.user, role="member")
    with stage.writes():
        assert merge(stage, root, ada.user, bob.user).code is Code.MEMBERSHIP_LAST_OWNER


def removed_there(stage: Stage, organization: OrganizationId, user: Any) -> None:
    with stage.uow.begin() as tx:
        gone = Removed(organization=organization, user=user, at=stage.clock.now())
        tx.members.save(organization, user, gone, expected=0)


def inactive(stage: Stage, _organization: OrganizationId, user: Any) -> None:
    stage.save(attrs.evolve(stage.user(user), active=False))


@pytest.mark.parametrize("flaw", [removed_there, inactive], ids=lambda f: f.__name__)
def test_an_heir_who_cannot_own_it_is_no_heir(stage: Stage, ada: Person, root: Person, flaw: Any):
    acme = stage.organization()
    bob = stage.person("bob@example.com")
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user, role="owner")
    flaw(stage, acme, bob.user)
    with stage.writes():
        assert merge(stage, root, ada.user, bob.user).code is Code.MEMBERSHIP_LAST_OWNER


def test_nobody_is_merged_into_themselves_or_into_nobody(stage: Stage, ada: Person, root: Person):
    with stage.writes():
        assert merge(stage, root, ada.user, ada.user).code is Code.ACCOUNT_SAME
        assert merge(stage, root, ada.user, "nobody").code is Code.ACCOUNT_UNKNOWN
        assert merge(stage, root, "nobody", ada.user).code is Code.ACCOUNT_UNKNOWN
        assert merge(stage, ada, root.user, ada.user).code is Code.ACCOUNT_FORBIDDEN


def reset(stage: Stage, root: Person, user: Any) -> None:
    root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=user, reason="lost phone")


def test_a_merge_carries_over_the_enrollment_that_is_owed(stage: Stage, ada: Person, root: Person):
    """Otherwise a merge would be the way past an administrator's reset. Nobody is told that a factor was removed."""
    bob = stage.person("bob@example.com")
    reset(stage, root, ada.user)
    assert isinstance(merge(stage, root, ada.user, bob.user), AccountsMerged)
    assert isinstance(stage.sign_in(bob), EnrollmentOwed)
    assert stage.mails(MailKind.MFA_RESET) == []
    (mail,) = stage.mails(MailKind.MFA_ENROLLMENT_DEMANDED)
    assert (mail.to, mail.context["reason"]) == ("bob@example.com", "accounts_merged")
    assert [event for event in stage.audited(bob) if event.startswith("mfa_")] == ["mfa_enrollment_demanded"]
    bob.browser.ask(stage.flows.sessions.redeem, CONTEXT, token=Secret(str(mail.context["token"])))
    stage.enroll(bob)
    assert stage.identify(bob).user == bob.user


def test_who_has_a_factor_owes_nothing_after_a_merge(stage: Stage, ada: Person, root: Person):
    bob = protected(stage, "bob@example.com")
    stage.elevate(root)
    reset(stage, root, ada.user)
    merge(stage, root, ada.user, bob.user)
    assert isinstance(stage.sign_in(bob), SecondFactorOwed)
    assert stage.mails(MailKind.MFA_RESET) == stage.mails(MailKind.MFA_ENROLLMENT_DEMANDED) == []


def test_an_enrollment_is_not_carried_over_to_whom_no_link_reaches(stage: Stage, ada: Person, root: Person):
    """Decision 33: they would have no way back."""
    bob = stage.person("bob@example.com", verified=False)
    reset(stage, root, ada.user)
    with stage.writes():
        assert merge(stage, root, ada.user, bob.user).code is Code.MFA_ADDRESS_UNVERIFIED


def test_an_administrator_may_be_who_is_left_and_never_who_goes(stage: Stage, ada: Person, root: Person):
    answer = merge(stage, root, ada.user, root.user)
    assert (type(answer), answer.user) == (AccountsMerged, root.user)


def test_a_merge_with_a_lost_key_moves_nothing_and_the_log_names_the_key(
    stage: Stage, ada: Person, root: Person, caplog: pytest.LogCaptureFixture
):
    bob, lost = stage.person("bob@example.com"), stage.ring.active.id
    stage.flows = stage.open(KeyRing.generate(stage.entropy, stage.clock.now()))
    with stage.writes():
        assert merge(stage, root, ada.user, bob.user).code is Code.MFA_SECRET_UNAVAILABLE
    assert [vars(record)["authflow_key"] for record in caplog.records if record.name == "authflow.keys"] == [lost]


# --- exporting --------------------------------------------------------------------------------------------------------


def test_an_export_is_json_and_holds_no_secret(stage: Stage, ada: Person):
    acme = stage.organization()
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user, role="manager", teams=("red",))
    answer = export(stage, ada, ada.user)
    assert isinstance(answer, AccountExported)
    text = json.dumps(answer.document)
    secrets = [ada.app.secret.reveal(), *ada.codes, ada.browser.session.secret.reveal()]
    assert [secret for secret in secrets if secret in text] == []
    rows = ["audit", "confirmations", "factors", "former_subjects", "links", "memberships", "sessions", "user"]
    assert sorted(answer.document) == rows
    factors: Any = answer.document["factors"]
    assert [(factor["kind"], factor["remaining"]) for factor in factors] == [("totp", None), ("recovery", 10)]
    memberships: Any = answer.document["memberships"]
    assert [(m["organization"], m["role"], list(m["teams"])) for m in memberships] == [("acme", "manager", ["red"])]
    assert ada.user not in repr(answer).replace(f"'{ada.user}'", ""), "the document is not in a repr"
    assert stage.audited(ada)[-1] == "user_exported"


def test_an_administrator_exports_anybody_known(stage: Stage, ada: Person, root: Person):
    document: Any = export(stage, root, ada.user).document
    assert document["user"]["id"] == ada.user
    assert export(stage, root, "nobody").code is Code.ACCOUNT_UNKNOWN


# --- addresses --------------------------------------------------------------------------------------------------------


def record(stage: Stage, at: Browser, user: str, address: Any) -> Any:
    return at.ask(stage.flows.accounts.record_verified_address, CONTEXT, user=user, address=address)


def test_an_address_the_host_verified_is_recorded_from_any_browser(stage: Stage):
    bob = stage.person("bob@example.com", verified=False)
    answer = record(stage, Browser(CONTEXT), bob.user, "Bob@Example.com")
    assert (type(answer), answer.invitation.fate) == (AddressRecorded, InvitationFate.NONE)
    assert stage.user(bob.user).addresses[0].verified_at == stage.clock.now()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("other@example.com", Code.ACCOUNT_UNKNOWN),
        ("b\uff4fb@example.com", Code.ACCOUNT_UNKNOWN),
        ("", Code.ACCOUNT_INPUT_INVALID),
        ("bob@example.com\x00", Code.ACCOUNT_INPUT_INVALID),
        ("bob@example.com\ud800", Code.ACCOUNT_INPUT_INVALID),
        ("n" * 9999, Code.ACCOUNT_INPUT_INVALID),
    ],
)
def test_an_address_the_person_does_not_have_is_not_recorded(stage: Stage, address: str, code: Code):
    bob = stage.person("bob@example.com", verified=False)
    with stage.writes():
        answer = record(stage, Browser(CONTEXT), bob.user, address)
    assert isinstance(answer, Refused)
    assert answer.code is code
