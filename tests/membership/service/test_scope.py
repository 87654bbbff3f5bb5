"""Every command x every principal who has no business there is refused, and nothing is written (security 2.5)."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.membership.service import Membership
from authflow.policy import MANAGER, MEMBER, OWNER
from authflow.testing.samples.membership import ELSEWHERE, HOME, asker, entered, organization, person
from authflow.values import Asker, Level, Refused, Secret, SessionId
from tests.membership.world import CONTEXT, World

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTS_OWN = {
    "add",
    "set_flags",
    "clear_flags",
    "mark_unlinked",
    "come_in",
    "prospects",
    "stands",
    "vouches",
    "authority",
    "of_user",
    "forget",
    "carries",
    "consent_of",
    "click_in",
    "owned_alone",
    "merge",
    "sweep",
}
"""Called by the host's own code and by journeys, never with a person's permission: they take none."""

PERSONAL = {"mine", "accept_consent"}
"""About nobody but the person or browser that asks: there is no organization to be foreign to."""

ENTERING = {"enter", "members", "request_invite"}
"""For every member."""

STRANGERS = {"look", "accept", "request_join"}
"""For people from outside; what they may do is decided by the invitation, or by the organization's own openness."""


class Stage:
    """Acme with everything that a command can name: a member, a request, an invitation."""

    def __init__(self) -> None:
        self.world = World(MemoryUnitOfWork())
        self.world.put(organization(ELSEWHERE))
        self.world.join(person("victim"))
        self.world.join(person("other"), OWNER)
        self.member = self.world.key("victim")
        self.invitation = self.world.invite("invited@example.org")
        self.request = self.world.ask(self.world.known(person("asking")))

    def call(self, name: str, who: Asker) -> Any:
        """Give the command *name* about Acme as *who*, with arguments that would work for its owner."""
        given = {
            "organization": HOME,
            "member": self.member,
            "invitation": self.request if name in {"approve", "reject"} else self.invitation,
            "token": Secret("0" * 64),
            "email": "new@example.org",
            "role": MEMBER,
            "teams": ["red"],
        }
        method = getattr(self.world.service, name)
        takes = inspect.signature(method).parameters
        context = (CONTEXT,) if "context" in takes else ()
        return method(who, *context, **{key: value for key, value in given.items() if key in takes})


def stranger(_: Stage) -> Asker:
    return asker(None)


def outsider(stage: Stage) -> Asker:
    return stage.world.known(person("eve"))


def foreign_owner(stage: Stage) -> Asker:
    return stage.world.join(person("boss"), OWNER, ELSEWHERE)


def owner_through_a_foreign_provider(stage: Stage) -> Asker:
    return attrs.evolve(stage.world.olga, level=Level.NONE, marks=(entered(ELSEWHERE),))


def removed_owner(stage: Stage) -> Asker:
    gone = stage.world.join(person("gone"), OWNER)
    stage.world.service.remove(gone, CONTEXT, organization=HOME, member=stage.world.key("gone"))
    return gone


def demoted_owner(stage: Stage) -> Asker:
    gone = stage.world.join(person("gone"), OWNER)
    stage.world.service.demote(gone, CONTEXT, organization=HOME, member=stage.world.key("gone"))
    return gone


def inactive_owner(stage: Stage) -> Asker:
    return stage.world.join(person("idle", active=False), OWNER)


def owner_without_the_required_factor(stage: Stage) -> Asker:
    lax = stage.world.join(person("lax"), OWNER)
    stage.world.change(require_second_factor=True)
    return lax


def deleted_user(_: Stage) -> Asker:
    return asker(person("ghost"))


def plain_member(stage: Stage) -> Asker:
    return stage.world.join(person("bob"), MEMBER)


def manager_against_an_owner(stage: Stage) -> Asker:
    stage.member = stage.world.key("other")
    return stage.world.join(person("max"), MANAGER)


FOREIGN = [
    stranger,
    outsider,
    foreign_owner,
    owner_through_a_foreign_provider,
    removed_owner,
    demoted_owner,
    inactive_owner,
    owner_without_the_required_factor,
    deleted_user,
]

COUNTED = {"account", "limit", "limit_until"}
"""What a refusal may leave: the account's row that was locked, and the limiter's count."""

COMMANDS = {name for name, _ in inspect.getmembers(Membership, inspect.isfunction) if not name.startswith("_")}
MANAGING = COMMANDS - HOSTS_OWN - PERSONAL - ENTERING - STRANGERS


def test_every_command_is_sorted_into_who_may_give_it():
    assert HOSTS_OWN | PERSONAL | ENTERING | STRANGERS <= COMMANDS
    assert {
        "invite",
        "approve",
        "reject",
        "withdraw",
        "resend",
        "pending",
        "change_role",
        "set_teams",
        "remove",
        "demote",
        "enforce",
    } == MANAGING


@pytest.mark.parametrize("command", sorted(MANAGING | ENTERING))
def test_the_arguments_would_work_for_the_owner(command: str):
    stage = Stage()
    assert not isinstance(stage.call(command, stage.world.olga), Refused)


@pytest.mark.parametrize("principal", FOREIGN, ids=lambda f: f.__name__)
@pytest.mark.parametrize("command", sorted(MANAGING | ENTERING))
def test_who_has_no_business_in_the_organization_is_refused_and_writes_nothing(
    command: str, principal: Callable[[Stage], Asker]
):
    stage = Stage()
    who = principal(stage)
    before = stage.world.everything()
    answer = stage.call(command, who)
    assert isinstance(answer, Refused), answer
    assert changed(before, stage.world.everything()) <= COUNTED


@pytest.mark.parametrize("command", sorted(MANAGING))
def test_a_plain_member_manages_nothing(command: str):
    stage = Stage()
    bob = plain_member(stage)
    before = stage.world.everything()
    assert stage.call(command, bob) == Refused(code=Code.MEMBERSHIP_FORBIDDEN)
    assert changed(before, stage.world.everything()) <= COUNTED


@pytest.mark.parametrize("command", ["change_role", "remove", "demote"])
def test_a_manager_does_nothing_to_an_owner(command: str):
    stage = Stage()
    max_ = manager_against_an_owner(stage)
    assert stage.call(command, max_) == Refused(code=Code.ROLE_NOT_ALLOWED)


@pytest.mark.parametrize("principal", FOREIGN, ids=lambda f: f.__name__)
@pytest.mark.parametrize("command", ["look", "accept"])
def test_nobody_without_the_token_hears_anything_of_an_invitation(command: str, principal: Callable[[Stage], Asker]):
    stage = Stage()
    who = principal(stage)
    before = stage.world.everything()
    assert stage.call(command, who) == Refused(code=Code.INVITATION_INVALID)
    assert changed(before, stage.world.everything()) <= COUNTED


@pytest.mark.parametrize("principal", FOREIGN, ids=lambda f: f.__name__)
def test_nothing_waits_in_a_browser_that_never_clicked(principal: Callable[[Stage], Asker]):
    stage = Stage()
    who = attrs.evolve(principal(stage), session=SessionId("browser"))
    answer = stage.world.service.accept_consent(who, CONTEXT, stage.world.clock.now(), confirmed=True)
    assert answer == Refused(code=Code.INVITATION_CONSENT_VOID)


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in after if before.get(name, ()) != after[name]}
