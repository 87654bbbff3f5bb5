"""Memberships of whole accounts: who would leave an organization without an owner, merging, and sweeping."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authflow.membership.changes import FlagGroup
from authflow.membership.offer import Absent, Pending
from authflow.membership.standing import Member, MemberFlag, Removed
from authflow.policy import ADMIN, MEMBER, OWNER
from authflow.testing.samples.membership import ELSEWHERE, HOME, asker, organization, person
from authflow.values import SessionId, UserId
from tests.membership.world import CONTEXT, World

ADA, OLGA = UserId("ada"), UserId("olga")


@pytest.fixture
def anywhere(uow: Any) -> World:
    return World(uow)


def test_an_organization_that_would_lose_its_last_active_owner_is_named(anywhere: World):
    """Decision 17. An heir who is no member takes over; one who is keeps the role they have."""
    anywhere.join(person("idle", active=False), OWNER)
    assert anywhere.service.owned_alone(OLGA) == (HOME,)
    anywhere.known(person())
    assert anywhere.service.owned_alone(OLGA, heir=ADA) == ()
    anywhere.service.add(anywhere.olga, CONTEXT, organization=HOME, user=ADA)
    assert anywhere.service.owned_alone(OLGA, heir=ADA) == (HOME,)
    assert anywhere.service.owned_alone(ADA) == ()
    anywhere.join(person("otto"), OWNER)
    assert anywhere.service.owned_alone(OLGA) == ()


def test_a_merge_takes_over_memberships_and_changes_none(anywhere: World):
    anywhere.put(organization(ELSEWHERE))
    source = anywhere.join(person("old"), ADMIN)
    anywhere.service.add(source, CONTEXT, organization=ELSEWHERE, user=UserId("old"), role=OWNER)
    flags = {"group": FlagGroup.IDP, "flags": MemberFlag.IDP_PROVISIONED}
    anywhere.service.set_flags(source, CONTEXT, organization=ELSEWHERE, user=UserId("old"), **flags)
    target = anywhere.join(person())
    assert anywhere.service.merge(target, CONTEXT, source=UserId("old"), target=ADA) == (ELSEWHERE,)
    here, there = anywhere.member("ada"), anywhere.member("ada", ELSEWHERE)
    assert isinstance(here, Member)
    assert isinstance(there, Member)
    assert (here.role, there.role, there.flags) == (MEMBER, OWNER, MemberFlag.IDP_PROVISIONED)


def test_a_merge_brings_nobody_back_who_was_removed(anywhere: World):
    anywhere.join(person("old"))
    ada = anywhere.join(person())
    anywhere.service.remove(ada, CONTEXT, organization=HOME, member=anywhere.key("ada"))
    assert anywhere.service.merge(ada, CONTEXT, source=UserId("old"), target=ADA) == ()
    assert isinstance(anywhere.member("ada"), Removed)


def test_a_sweep_takes_old_clicks_and_what_is_long_over(anywhere: World):
    invitation, waiting = anywhere.invite("a@x"), anywhere.invite("b@x")
    browser = asker(None, session=SessionId("browser"))
    anywhere.accept(browser, waiting, anywhere.token("b@x"))
    anywhere.service.withdraw(anywhere.olga, CONTEXT, organization=HOME, invitation=invitation)
    now, keep = anywhere.clock.now(), timedelta(days=7)
    assert anywhere.service.sweep(now + timedelta(minutes=60), keep=keep) == 0
    assert anywhere.service.sweep(now + timedelta(minutes=61), keep=keep) == 1
    assert anywhere.service.sweep(now + timedelta(days=8), keep=keep) == 1
    assert (anywhere.state(invitation), type(anywhere.state(waiting))) == (Absent(), Pending)
