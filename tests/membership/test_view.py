"""What a page shows of an invitation (sso 13.2): every field, and never more than the person may hear."""

from __future__ import annotations

from typing import Any

import pytest

from authflow.errors import Code
from authflow.membership.answers import InvitationView, OpenInvitation
from authflow.membership.offer import Absent, InviteStatus
from authflow.membership.view import listed, view
from authflow.policy import MEMBER
from authflow.ports import Sso
from authflow.testing.samples.membership import (
    HOME,
    INVITATION,
    INVITED,
    NOW,
    POLICY,
    WRONG,
    accepted,
    asker,
    attempt,
    member,
    organization,
    pending,
    person,
    removed,
    requested,
    sponsor,
    stale,
    standing,
    withdrawn,
)
from authflow.values import Level, ProviderId, Refused, UserId

PLAIN = {
    "organization": HOME,
    "slug": "acme-slug",
    "name": "acme",
    "role": MEMBER,
    "needs_authentication": False,
    "needs_sso": False,
    "require_sso": False,
    "existing_member": False,
    "sso_provider": None,
    "needs_second_factor": False,
    "needs_verified_address": False,
    "wrong_user": False,
}
STRICT = organization(require_second_factor=True, require_verified_address=True)
REQUIRED = Sso(provider=ProviderId("p"), name="Acme SSO", required=True)
MET = Sso(provider=ProviderId("p"), name="Acme SSO", required=True, linked=True, marked=True)
OPTIONAL = Sso(provider=ProviderId("p"), name="Acme SSO")
SSO = {"needs_sso": True, "sso_provider": "Acme SSO"}
FOREIGN = asker(person(), Level.NONE)

SEEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"applicant": standing(None)}, {"needs_authentication": True}),
    ({"applicant": standing(person(), asker=FOREIGN)}, {"needs_authentication": True}),
    (
        {"applicant": standing(None), "organization": STRICT},
        {"needs_authentication": True, "needs_second_factor": True, "needs_verified_address": True},
    ),
    ({"organization": STRICT}, {"needs_second_factor": True}),
    ({"applicant": standing(person(), has_factor=True), "organization": STRICT}, {}),
    ({"applicant": standing(person(verified=False))}, {"needs_verified_address": True}),
    ({"applicant": standing(person(), sso=OPTIONAL)}, SSO),
    ({"applicant": standing(person(), sso=REQUIRED)}, {**SSO, "require_sso": True}),
    ({"applicant": standing(person(), sso=MET)}, {**SSO, "require_sso": True}),
    ({"applicant": standing(person(), member())}, {"existing_member": True}),
    ({"applicant": standing(person("eve"))}, {"wrong_user": True, "needs_verified_address": True}),
]


@pytest.mark.parametrize(("facts", "seen"), SEEN)
def test_every_field_is_answered(facts: dict[str, Any], seen: dict[str, Any]):
    assert view(pending(), attempt(**facts), NOW) == InvitationView(**{**PLAIN, **seen})


@pytest.mark.parametrize(
    ("invitation", "facts", "code"),
    [
        (Absent(), {}, Code.INVITATION_INVALID),
        (pending(), {"presented": WRONG}, Code.INVITATION_INVALID),
        (pending(), {"presented": None, "applicant": standing(None)}, Code.INVITATION_INVALID),
        (pending(expires_at=NOW), {}, Code.INVITATION_EXPIRED),
        (pending(), {"applicant": standing(person(), removed())}, Code.INVITATION_MEMBER_REMOVED),
        (pending(), {"sponsor": sponsor(MEMBER)}, Code.INVITATION_INVITER_NOT_ENTITLED),
        (requested(), {"presented": None}, Code.INVITATION_NOT_APPROVED),
        (accepted(), {}, Code.INVITATION_USED),
        (accepted(), {"applicant": standing(person(), member())}, Code.INVITATION_ALREADY_MEMBER),
        (withdrawn(), {}, Code.INVITATION_REJECTED),
        (stale(), {}, Code.INVITATION_EXPIRED),
    ],
)
def test_what_lets_nobody_in_is_not_shown(invitation: Any, facts: dict[str, Any], code: Code):
    assert view(invitation, attempt(**facts), NOW) == Refused(code=code)


def test_a_list_shows_who_waits_since_when_and_nothing_secret():
    plain = {"organization": HOME, "id": INVITATION, "email": INVITED, "role": MEMBER, "teams": ("red",), "since": NOW}
    end = NOW + POLICY.invitation_ttl
    asked = InviteStatus.REQUESTED_TO_JOIN
    ada, olga = UserId("ada"), UserId("olga")
    assert listed(requested(), NOW) == OpenInvitation(**plain, status=asked, by=ada, expires_at=None, expired=False)
    for one, ends, over in ((pending(), end, False), (pending(expires_at=NOW), NOW, True), (stale(), None, True)):
        approved = InviteStatus.APPROVED
        assert listed(one, NOW) == OpenInvitation(**plain, status=approved, by=olga, expires_at=ends, expired=over)
