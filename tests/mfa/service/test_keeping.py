"""Listing, details, names and removals through the service, on every database: who sees and changes what."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts.records import Audit, Category, MailKind
from authflow.mfa.answers import Details, Removed, Renamed, Status
from authflow.mfa.factor import Unenrolled
from authflow.mfa.kinds import RECOVERY, TOTP
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import Asker, AuthenticatorId, SessionId, UserId
from tests.mfa.world import CONTEXT, World, refusal

FOREIGN = AuthenticatorId("not-mine")
STRANGER = Asker(user=None, session=SessionId("nobody"))
BAD_IDS = ["", "x", "x" * 65, "x" * 100_000, "a\x00b", "a b", "\u00e4", "\ud800", "' OR 1=1 --"]


def held_id(world: World, kind: Any = TOTP, who: Asker | None = None) -> AuthenticatorId:
    return world.held(who).id_of(kind)


def tired(who: Asker) -> Asker:
    return attrs.evolve(who, elevated=False)


# --- listing and details --------------------------------------------------------------------------------------------


def test_a_listing_shows_every_kind_in_order_and_no_secret(world: World):
    empty = world.service.listing(world.ada)
    assert [(e.kind, e.status, e.held) for e in empty.entries] == [(k, Status.NEW, None) for k in (TOTP, RECOVERY)]
    assert not empty.protected
    secret = world.enroll()
    codes = world.codes()
    listing = world.service.listing(tired(world.ada))
    assert listing.protected
    assert [(e.kind, e.status, e.available) for e in listing.entries] == [
        (TOTP, Status.EXISTING, True),
        (RECOVERY, Status.EXISTING, True),
    ]
    assert listing.entries[1].held.remaining == 10
    assert not any(text in repr(attrs.asdict(listing)) for text in (secret.reveal(), *codes))


def test_looking_writes_nothing_and_locks_nothing(world: World):
    zoe = Asker(user=UserId("zoe"), session=SessionId("s"), elevated=True)
    for look in (
        lambda: world.service.listing(zoe),
        lambda: world.service.details(zoe, authenticator=FOREIGN),
        lambda: world.service.listing(world.root, subject=UserId("ada")),
    ):
        assert world.written_by(look)[0] == set()


def test_details_show_dates_and_numbers(world: World):
    world.enroll()
    world.codes()
    shown = [world.service.details(world.ada, authenticator=held_id(world, k)) for k in (TOTP, RECOVERY)]
    assert all(isinstance(each, Details) for each in shown)
    assert [each.entry.held for each in shown] == list(world.held().held())
    assert "ciphertext" not in repr(attrs.asdict(shown[0]))


def test_details_need_elevation_and_an_own_id(world: World):
    world.enroll()
    world.enroll(world.eve)
    mine, theirs = held_id(world), held_id(world, who=world.eve)
    asked = [
        (STRANGER, mine, Code.SESSION_REQUIRED),
        (tired(world.ada), mine, Code.SESSION_ELEVATION_REQUIRED),
        (world.ada, theirs, Code.MFA_NOT_FOUND),
        *[(world.ada, AuthenticatorId(bad), Code.MFA_NOT_FOUND) for bad in BAD_IDS],
    ]
    for who, key, code in asked:
        assert refusal(world.service.details(who, authenticator=key)) == code


def test_an_administrator_looks_at_everybody_and_nobody_else_at_another(world: World):
    world.enroll()
    key = held_id(world)
    listing = world.service.listing(world.root, subject=UserId("ada"))
    assert [entry.kind for entry in listing.entries] == [TOTP, RECOVERY]
    assert isinstance(world.service.details(world.root, authenticator=key, subject=UserId("ada")), Details)
    for subject in ("ada", "root", "nobody"):
        assert refusal(world.service.listing(world.eve, subject=UserId(subject))) == Code.MFA_FORBIDDEN
        seen = world.service.details(world.eve, authenticator=key, subject=UserId(subject))
        assert refusal(seen) == Code.MFA_FORBIDDEN


@pytest.mark.parametrize("bad", [bad for bad in BAD_IDS if bad])
def test_nobody_is_made_by_being_asked_for(world: World, bad: str):
    """An id of nobody leaves no row, breaks no database, and tells a stranger nothing."""
    world.enroll()
    key, subject = held_id(world), UserId(bad)
    for who, code in ((world.eve, Code.MFA_FORBIDDEN), (world.root, Code.ACCOUNT_UNKNOWN)):
        for ask in (
            lambda who=who: world.service.listing(who, subject=subject),
            lambda who=who: world.service.details(who, authenticator=key, subject=subject),
            lambda who=who: world.service.remove(who, CONTEXT, authenticator=key, subject=subject),
        ):
            written, answer = world.written_by(ask)
            assert (written, refusal(answer)) == (set(), code)


def test_an_administrator_who_was_put_out_of_office_is_nobody(world: World):
    world.enroll()
    ivan = world.person("ivan", administrator=True, active=False)
    for subject in (UserId("ada"), UserId("nobody")):
        assert refusal(world.service.listing(ivan, subject=subject)) == Code.MFA_FORBIDDEN


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x", "Ada's t\u00e9l\u00e9phone \U0001f4f1", "\uff21" * 60, "x" * 60])
def test_a_factor_is_called_what_its_owner_calls_it(world: World, name: str):
    secret = world.enroll()
    key = held_id(world)
    answer = world.service.rename(world.ada, CONTEXT, authenticator=key, name=f"  {name}\n")
    assert answer == Renamed(authenticator=key, name=name)
    assert world.held().held()[0].name == name
    assert world.audited()[-1] == Audit.MFA_RENAMED
    assert world.passes(secret)


@pytest.mark.parametrize("name", [None, "", "  ", "\u3000", "x" * 61, "a\x00b", "a\nb", "\ud800", "x" * 100_000, 7])
def test_an_empty_or_absurd_name_is_an_error_and_nothing_else(world: World, name: Any):
    """Mfa 14.2: it regenerates nothing either."""
    world.enroll()
    codes = world.codes()
    for kind in (TOTP, RECOVERY):
        key = held_id(world, kind)
        written, answer = world.written_by(
            lambda key=key: world.service.rename(world.ada, CONTEXT, authenticator=key, name=name)
        )
        assert (written, refusal(answer), list(answer.problems)) == (set(), Code.MFA_INPUT_INVALID, ["name"])
    assert world.verify(codes[0], "recovery").remaining == 9


def test_nobody_names_the_factor_of_another(world: World):
    world.enroll()
    key = held_id(world)
    for who in (world.eve, world.root):
        answer = world.service.rename(who, CONTEXT, authenticator=key, name="mine")
        assert refusal(answer) == Code.MFA_NOT_FOUND
    assert refusal(world.service.rename(tired(world.ada), CONTEXT, authenticator=key, name="x")) == (
        Code.SESSION_ELEVATION_REQUIRED
    )


def test_recovery_codes_have_no_name_to_change(world: World):
    world.enroll()
    world.codes()
    answer = world.service.rename(world.ada, CONTEXT, authenticator=held_id(world, RECOVERY), name="x")
    assert refusal(answer) == Code.MFA_NOT_FOUND


# --- removing -------------------------------------------------------------------------------------------------------


def test_a_removed_factor_is_gone_and_told(world: World):
    secret = world.enroll()
    world.codes()
    key = held_id(world)
    answer = world.service.remove(world.ada, CONTEXT, authenticator=key)
    assert answer == Removed(
        user=UserId("ada"),
        authenticator=key,
        kind=TOTP,
        actor_role="self",
        primaries=(),
        backups=("recovery",),
    )
    assert refusal(world.verify(world.code(secret))) == Code.MFA_NOT_ENROLLED
    assert refusal(world.service.remove(world.ada, CONTEXT, authenticator=key)) == Code.MFA_NOT_FOUND
    assert world.audited()[-1] == Audit.MFA_REMOVED
    assert len(world.messages(Category.FACTOR_REMOVED)) == 1
    assert sum(MailKind.MFA_REMOVED in text for _, text in world.messages(Category.MAIL)) == 1


def test_what_fell_with_the_last_factor_never_works_again(world: World):
    world.enroll()
    codes = world.codes()
    world.service.remove(world.ada, CONTEXT, authenticator=held_id(world))
    world.service.fall(world.ada, CONTEXT, user=UserId("ada"), kinds=("recovery",))
    assert world.held().held() == ()
    assert "recovery_code" not in world.tables()
    assert refusal(world.verify(codes[0], "recovery")) == Code.MFA_NOT_ENROLLED
    world.enroll()
    world.codes()
    assert refusal(world.verify(codes[0], "recovery")) == Code.MFA_CODE_REJECTED


def test_only_what_is_named_falls(world: World):
    world.enroll()
    codes = world.codes()
    for kinds in ((), ("sms",)):
        written, _ = world.written_by(
            lambda kinds=kinds: world.service.fall(world.ada, CONTEXT, user=UserId("ada"), kinds=kinds)
        )
        assert written == set()
    assert world.verify(codes[0], "recovery").remaining == 9


def test_a_removal_takes_what_was_pending_along(world: World):
    world.enroll()
    begun = world.begin()
    world.service.remove(world.ada, CONTEXT, authenticator=held_id(world))
    assert refusal(world.complete(begun)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert world.held().factor(TOTP).state == Unenrolled()


def test_a_required_factor_stays_and_recovery_codes_may_go(world: World):
    """Mfa 14.4 and 23, 12."""
    secret = world.enroll()
    world.codes()
    world.requirement(world.ada)
    written, answer = world.written_by(lambda: world.service.remove(world.ada, CONTEXT, authenticator=held_id(world)))
    assert (written, refusal(answer)) == (set(), Code.MFA_REQUIRED_BY_ORGANIZATION)
    assert isinstance(world.service.remove(world.ada, CONTEXT, authenticator=held_id(world, RECOVERY)), Removed)
    assert "recovery_code" not in world.tables()
    assert world.passes(secret)


def test_an_inactive_organization_requires_nothing(world: World):
    world.enroll()
    world.requirement(world.ada, active=False)
    assert isinstance(world.service.remove(world.ada, CONTEXT, authenticator=held_id(world)), Removed)


def test_an_administrator_removes_and_the_log_says_who(world: World):
    world.enroll()
    world.requirement(world.ada)
    answer = world.service.remove(world.root, CONTEXT, authenticator=held_id(world), subject=UserId("ada"))
    assert isinstance(answer, Removed)
    assert answer.actor_role == "administrator"
    entry = world.audit()[-1]
    assert (entry.event, entry.actor, entry.target_user) == (Audit.MFA_REMOVED, "root", "ada")
    assert entry.data["actor_role"] == "administrator"


def test_nobody_removes_for_another(world: World):
    world.enroll()
    key = held_id(world)
    for who, code in (
        (world.eve, Code.MFA_FORBIDDEN),
        (tired(world.root), Code.SESSION_ELEVATION_REQUIRED),
        (STRANGER, Code.SESSION_REQUIRED),
    ):
        written, answer = world.written_by(
            lambda who=who: world.service.remove(who, CONTEXT, authenticator=key, subject=UserId("ada"))
        )
        assert (written, refusal(answer)) == (set(), code)
    assert refusal(world.service.remove(world.eve, CONTEXT, authenticator=key)) == Code.MFA_NOT_FOUND


@pytest.mark.parametrize("required", [True, False])
def test_of_many_removals_at_once_one_removes_or_none(world: World, *, required: bool):
    """Under a requirement nobody wins: the last factor stays."""
    world.enroll()
    key = held_id(world)
    if required:
        world.requirement(world.ada)
    answers = at_once(lambda _: world.service.remove(world.ada, CONTEXT, authenticator=key))
    lost = {refusal(answer) for answer in answers if not isinstance(answer, Removed)}
    assert sum(isinstance(answer, Removed) for answer in answers) == (0 if required else 1)
    assert lost == {Code.MFA_REQUIRED_BY_ORGANIZATION if required else Code.MFA_NOT_FOUND}
    assert world.audited().count(Audit.MFA_REMOVED) == (0 if required else 1)
    assert len(answers) == THREADS
