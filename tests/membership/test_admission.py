"""One decision for every way in (decision 12): every combination of facts, against a reference written apart."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any, NamedTuple

import attrs
import pytest

from authflow.errors import Code
from authflow.membership.admission import (
    Admitted,
    Attempt,
    Decision,
    Denied,
    Open,
    Requirement,
    addressed_to,
    flags_on_joining,
    may_accept,
    presented,
    suits,
)
from authflow.membership.offer import Absent, Invitation
from authflow.membership.standing import Member, MemberFlag, Removed, Sponsor
from authflow.policy import ADMIN, MANAGER, MEMBER, OWNER, MembershipPolicy
from authflow.ports import Sso
from authflow.testing.samples.membership import (
    DIGEST,
    ELSEWHERE,
    HOME,
    INVITED,
    NOW,
    SECOND,
    WRONG,
    accepted,
    asker,
    attempt,
    entered,
    member,
    offer,
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
from authflow.values import Address, Level, ProviderId, Role, Secret, UserId

INVITATIONS: dict[str, Invitation] = {
    "absent": Absent(),
    "requested": requested(),
    "pending": pending(),
    "due now": pending(expires_at=NOW),
    "bound to ada": pending(bound_to=UserId("ada")),
    "bound to eve": pending(bound_to=UserId("eve")),
    "accepted by ada": accepted("ada"),
    "accepted by eve": accepted("eve"),
    "withdrawn": withdrawn(),
    "expired": stale(),
    "expired and bound to ada": stale(bound_to=UserId("ada")),
}

PEOPLE = {
    "nobody": None,
    "invited": person(),
    "unverified": person(verified=False),
    "other": person("ada", "ada@example.net"),
    "inactive": person(active=False),
}

PLACES = {
    "bound": organization(),
    "open to anybody": organization(invites_bound_to_address=False),
    "strict": organization(require_second_factor=True, require_verified_address=True),
    "elsewhere": organization(ELSEWHERE),
    "inactive": organization(active=False),
}

MEMBERSHIPS = {
    "outside": None,
    "member": member(),
    "removed before": removed(at=NOW - SECOND),
    "removed at once": removed(at=NOW),
}

SESSIONS: dict[str, dict[str, Any]] = {
    "own proofs": {},
    "one own proof": {"level": Level.ONE},
    "this provider": {"level": Level.NONE, "marks": (entered(HOME), entered(ELSEWHERE))},
    "another provider": {"level": Level.NONE, "marks": ()},
    "superseded": {"why_not": Code.SESSION_SUPERSEDED},
}

PROVIDERS = {
    "none": Sso(),
    "optional": Sso(provider=ProviderId("p"), name="Acme SSO", linked=True, marked=True),
    "required": Sso(provider=ProviderId("p"), name="Acme SSO", required=True),
    "linked": Sso(provider=ProviderId("p"), name="Acme SSO", required=True, linked=True),
    "met": Sso(provider=ProviderId("p"), name="Acme SSO", required=True, linked=True, marked=True),
}

SPONSORS = {
    "entitled": sponsor(),
    "demoted": sponsor(ADMIN),
    "gone": Sponsor(user=None, membership=member("olga", OWNER)),
}

PRESENTED = {"right": DIGEST, "wrong": WRONG, "none": None}


class World(NamedTuple):
    """One combination of every fact, by name."""

    invitation: str
    person: str
    place: str
    membership: str
    session: str
    provider: str
    sponsor: str
    shown: str
    factor: bool

    def attempt(self) -> Attempt:
        user, stands = PEOPLE[self.person], MEMBERSHIPS[self.membership]
        at = PLACES[self.place].id
        if isinstance(stands, Member | Removed):
            stands = attrs.evolve(stands, organization=at)
        by = SPONSORS[self.sponsor]
        by = attrs.evolve(by, membership=attrs.evolve(by.membership, organization=at))
        applicant = standing(
            user,
            stands,
            asker=asker(user, **SESSIONS[self.session]),
            has_factor=self.factor,
            sso=PROVIDERS[self.provider],
        )
        return attempt(applicant, organization=PLACES[self.place], presented=PRESENTED[self.shown], sponsor=by)

    def decision(self) -> Decision:
        return may_accept(INVITATIONS[self.invitation], self.attempt(), NOW)


@cache
def decided() -> list[tuple[World, Decision]]:
    """Return every combination with its decision: 540 000 of them, decided once."""
    facts = product(INVITATIONS, PEOPLE, PLACES, MEMBERSHIPS, SESSIONS, PROVIDERS, SPONSORS, PRESENTED, (False, True))
    return [(world, world.decision()) for world in (World(*named) for named in facts)]


def expected(w: World) -> Decision:
    """Say what the specification says, by the names of the facts alone."""
    told = may_hear(w)
    if not told:
        return Denied(Code.INVITATION_INVALID)
    for applies, code in refusals(w):
        if applies:
            return Denied(code)
    needs = {
        Requirement.SIGN_IN: w.person == "nobody" or not reaches(w),
        Requirement.VERIFIED_ADDRESS: (w.person in {"nobody", "unverified"} and w.place == "strict")
        or (w.person == "unverified" and w.place == "bound" and w.invitation != "bound to ada"),
        Requirement.SECOND_FACTOR: w.place == "strict"
        and not (w.factor and w.session == "own proofs" and w.person != "nobody"),
        Requirement.SSO_LINK: w.provider in {"required", "linked"},
    }
    missing = frozenset(need for need, unmet in needs.items() if unmet)
    return Open(missing) if missing else Admitted()


def may_hear(w: World) -> bool:
    if w.invitation == "absent" or w.place in {"elsewhere", "inactive"}:
        return False
    if w.shown == "right" and w.invitation != "requested":
        return True
    if w.person == "nobody" or not reaches(w):
        return False
    if w.invitation in {"bound to ada", "expired and bound to ada", "accepted by ada"}:
        return True
    return w.shown == "none" and w.person in {"invited", "inactive"} and w.invitation != "bound to eve"


def reaches(w: World) -> bool:
    """Say whether what was proved reaches the organization: of its provider's word, only what still stands."""
    return w.session != "another provider" and (w.session != "this provider" or w.provider in {"optional", "met"})


def refusals(w: World) -> list[tuple[bool, Code]]:
    someone = w.person != "nobody"
    addressed = w.place == "open to anybody" or w.person != "other"
    bound = w.invitation.startswith("bound")
    came_by = w.invitation == "accepted by ada" and someone and w.membership == "member"
    return [
        (w.invitation == "requested", Code.INVITATION_NOT_APPROVED),
        (w.invitation == "withdrawn", Code.INVITATION_REJECTED),
        (w.invitation.startswith("expired"), Code.INVITATION_EXPIRED),
        (came_by, Code.INVITATION_ALREADY_MEMBER),
        (w.invitation.startswith("accepted"), Code.INVITATION_USED),
        (w.invitation == "due now", Code.INVITATION_EXPIRED),
        (w.session == "superseded", Code.SESSION_SUPERSEDED),
        (w.person == "inactive", Code.SESSION_USER_INACTIVE),
        (someone and (w.invitation == "bound to eve" if bound else not addressed), Code.INVITATION_WRONG_USER),
        (someone and w.membership == "member", Code.INVITATION_ALREADY_MEMBER),
        (someone and w.membership == "removed at once", Code.INVITATION_MEMBER_REMOVED),
        (w.sponsor != "entitled" and not bound, Code.INVITATION_INVITER_NOT_ENTITLED),
    ]


def test_every_combination_of_facts_decides_as_specified():
    assert [(w, decision, expected(w)) for w, decision in decided() if decision != expected(w)] == []


def test_the_combinations_reach_every_decision():
    reached = {d.code if isinstance(d, Denied) else type(d) for _, d in decided()}
    assert reached == {Code.INVITATION_INVALID, Admitted, Open, *(code for _, code in refusals(decided()[0][0]))}


def test_nobody_is_admitted_without_the_token_the_verified_address_or_being_the_bound_person():
    for w, decision in decided():
        if isinstance(decision, Admitted):
            by_address = w.shown == "none" and w.person == "invited"
            assert w.shown == "right" or by_address or w.invitation == "bound to ada"


def test_a_wrong_token_tells_a_stranger_nothing_whatever_became_of_the_invitation():
    told = {decision for w, decision in decided() if w.shown == "wrong" and w.person == "nobody"}
    assert told == {Denied(Code.INVITATION_INVALID)}


def test_the_proof_of_another_provider_or_one_that_stands_no_more_admits_nobody():
    foreign = {decision for w, decision in decided() if not reaches(w)}
    assert Admitted() not in foreign


# --- whom it is for -------------------------------------------------------------------------------------------------

PLAIN = "bill@kings.example"

CONFUSABLES = [
    "b\u0131ll@kings.example",  # dotless i
    "b\u0130ll@kings.example",  # capital I with a dot
    "biIl@kings.example",  # capital i for a small L
    "bi1l@kings.example",  # digit one
    "bi|l@kings.example",  # vertical bar
    "b\u0456ll@kings.example",  # Cyrillic i
    "b\u026all@kings.example",  # small capital i
    "b\u00edll@kings.example",  # acute
    "bi\u0307ll@kings.example",  # combining dot above
    "\uff42ill@kings.example",  # full width b
    "\uff42\uff49\uff4c\uff4c@kings.example",  # full width, all of it
    "\U0001d41bill@kings.example",  # mathematical bold
    "\uff42ill\uff20kings.example",  # full width at sign
    "bill@\uff4bings.example",  # full width k
    "bill@\u212aings.example",  # Kelvin sign, which lower() makes a k
    "bill@king\u017f.example",  # long s, which upper() makes an S
    "bill@k\u0131ngs.example",  # dotless i in the domain
    "bill@k\u0130ngs.example",  # dotted capital I in the domain
    "bill@kings\u3002example",  # ideographic full stop
    "bill@kings\uff0eexample",  # full width full stop
    "bill@kings\uff61example",  # half width ideographic full stop
    "bill@king\u00df.example",  # sharp s
    "bill@kings.examp1e",
    "bill@kings.exampIe",
    "bill@kings.ex\u0430mple",  # Cyrillic a
    "bill@kings.\u0435xample",  # Cyrillic e
    "bill@king\u0455.example",  # Cyrillic dze
    "bill@xn--kngs-ora.example",  # Punycode of a confusable
    "bill@kings.example.",  # rooted
    "bill@kings.example ",
    " bill@kings.example",
    "bill @kings.example",
    "bill\u200b@kings.example",  # zero width space
    "bill\u00ad@kings.example",  # soft hyphen
    "bill\ufeff@kings.example",  # byte order mark
    "bill\u0000@kings.example",
    "bill\r\n@kings.example",
    "bill@kings.example\u200d",
    "b.ill@kings.example",
    "bill+x@kings.example",
    "bi\u2113l@kings.example",  # script small l
    "bil\u029f@kings.example",  # small capital l
]


@pytest.mark.parametrize("confusable", CONFUSABLES)
def test_no_look_alike_holds_an_invitation(confusable: str):
    """CVE-2019-19844, and GitHub's of 2016: what looks the same, or folds to the same in some language, is another."""
    mine = person("eve", confusable)
    invitation = pending(offer=offer(email=Address(PLAIN)))
    assert may_accept(invitation, attempt(standing(mine)), NOW) == Denied(Code.INVITATION_WRONG_USER)
    assert may_accept(invitation, attempt(standing(mine), presented=None), NOW) == Denied(Code.INVITATION_INVALID)


@pytest.mark.parametrize("same", ["BILL@KINGS.EXAMPLE", "Bill@Kings.Example", "bill@kings.example"])
def test_ascii_letter_case_does_not_matter(same: str):
    invitation = pending(offer=offer(email=Address(PLAIN)))
    assert may_accept(invitation, attempt(standing(person("bill", same))), NOW) == Admitted()


def test_any_verified_address_of_the_person_will_do():
    two = person("ada", "private@example.net", INVITED)
    assert may_accept(pending(), attempt(standing(two), presented=None), NOW) == Admitted()


def test_who_registered_with_the_invited_address_confirms_it_and_is_no_wrong_user():
    fresh = standing(person(verified=False))
    assert may_accept(pending(), attempt(fresh), NOW) == Open(frozenset({Requirement.VERIFIED_ADDRESS}))


def test_an_unverified_address_opens_nothing_without_the_token():
    """CVE-2026-53514."""
    fresh = standing(person(verified=False))
    assert may_accept(pending(), attempt(fresh, presented=None), NOW) == Denied(Code.INVITATION_INVALID)


def test_whom_the_page_showed_must_be_who_is_signed_in_here():
    assert may_accept(pending(), attempt(user=UserId("ada")), NOW) == Admitted()
    for other in ("aaron", "eve"):
        assert may_accept(pending(), attempt(user=UserId(other)), NOW) == Denied(Code.INVITATION_WRONG_USER)


NOT_ENTITLED = Denied(Code.INVITATION_INVITER_NOT_ENTITLED)


@pytest.mark.parametrize(
    ("role", "decision"), [(OWNER, Admitted()), (MANAGER, Admitted()), (ADMIN, NOT_ENTITLED), (MEMBER, NOT_ENTITLED)]
)
def test_the_sponsor_must_still_be_entitled_to_that_role(role: Role, decision: Decision):
    """Managers and owners grant up to their own; who was demoted since grants nothing any more."""
    assert may_accept(pending(), attempt(sponsor=sponsor(role)), NOW) == decision


def test_a_sponsor_of_another_organization_counts_for_nothing():
    elsewhere = Sponsor(user=person("olga"), membership=member("olga", OWNER, ELSEWHERE))
    assert may_accept(pending(), attempt(sponsor=elsewhere), NOW) == Denied(Code.INVITATION_INVITER_NOT_ENTITLED)


def test_an_administrator_of_the_installation_may_sponsor_any_role():
    admin = Sponsor(user=person("root", administrator=True), membership=attempt().applicant.membership)
    owner = pending(offer=offer(role=OWNER))
    assert may_accept(owner, attempt(sponsor=admin), NOW) == Admitted()


def test_policy_lets_removed_members_come_back_with_an_older_invitation():
    later = standing(person(), removed(at=NOW + SECOND))
    again = MembershipPolicy(rejoin=True)
    assert may_accept(pending(), attempt(later), NOW) == Denied(Code.INVITATION_MEMBER_REMOVED)
    assert may_accept(pending(), attempt(later, policy=again), NOW) == Admitted()


# --- pieces ---------------------------------------------------------------------------------------------------------


UNLIKE_TOKENS = {
    "empty": "",
    "short": "7" * 63,
    "long": "7" * 65,
    "full width": "\uff17" * 64,
    "long s": "\u017f" * 64,
    "lone surrogate": "\ud800",
    "NUL": "\x00" * 64,
    "huge": "x" * 1_000_000,
    "line feed": "7" * 64 + "\n",
}


@pytest.mark.parametrize("typed", UNLIKE_TOKENS.values(), ids=UNLIKE_TOKENS)
def test_what_cannot_be_a_token_of_ours_is_compared_and_matches_nothing(typed: str):
    shown = presented(Secret(typed))
    assert shown is not None
    assert may_accept(pending(), attempt(presented=shown), NOW) == Denied(Code.INVITATION_INVALID)


def test_no_token_is_not_an_empty_token():
    assert presented(None) is None
    assert presented(Secret("")) is not None


def test_of_an_invitation_that_is_over_nobody_is_the_wrong_user():
    place, eve = organization(), person("eve")
    over: list[Invitation] = [Absent(), requested(), accepted(), withdrawn(), stale()]
    assert all(suits(one, eve, place) for one in over)
    assert not suits(pending(), eve, place)
    assert not suits(pending(), None, place)
    assert suits(pending(), person(), place)


def test_an_organization_may_opt_out_of_the_address_but_not_of_the_bound_person():
    anybody, eve = organization(invites_bound_to_address=False), person("eve")
    assert addressed_to(pending(), eve, anybody)
    assert not addressed_to(pending(bound_to=UserId("ada")), eve, anybody)


def test_the_flags_of_a_demoted_member_come_back_and_a_link_is_remembered():
    kept = pending(flags=MemberFlag.IDP_PROVISIONED)
    linked = standing(person(), sso=Sso(linked=True))
    assert flags_on_joining(kept, attempt()) == MemberFlag.IDP_PROVISIONED
    assert flags_on_joining(kept, attempt(linked)) == MemberFlag.IDP_PROVISIONED | MemberFlag.SSO_LINKED


def test_the_digest_of_a_token_is_shown_nowhere():
    assert repr(DIGEST) not in repr(attempt())
    assert [name for name, one in INVITATIONS.items() if repr(DIGEST) in repr(one)] == []
