"""What proofs are worth, and what opens a row."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.errors import Code
from authflow.sessions import outcomes, standing
from authflow.sessions.states import SUPERSEDED_KEPT, Ended, EndReason, EnrollmentOpen, EnrollmentOwed, SignedIn
from authflow.testing.clocks import START
from authflow.testing.samples.sessions import (
    ACME,
    ACME_IDP,
    ACME_LINK,
    ANNE,
    PLAIN,
    POLICY,
    PROTECTED,
    SECOND,
    anonymous,
    factor_owed,
    found,
    handle,
    link,
    proof,
    signed_in,
    sso,
)
from authflow.values import (
    NOBODY,
    BrowserSession,
    Level,
    LinkId,
    Mark,
    Method,
    OrganizationId,
    Proof,
    ProviderId,
    Refused,
    Secret,
    SessionId,
    UserId,
    token_digest,
)

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sessions.states import Handle

AGE = POLICY.elevation_age

moments = st.integers(-3600, 3600).map(lambda seconds: START + seconds * SECOND)
own_proofs = st.builds(proof, st.sampled_from([*standing.FIRST, *standing.SECOND]), moments)
foreign_proofs = st.builds(
    lambda method, at: Proof(method=method, at=at, organization=ACME, provider=None), st.sampled_from(Method), moments
)
lapses = st.frozensets(st.sampled_from(Method))


def session(proofs: list[Proof], lapsed: frozenset[Method] = frozenset()) -> SignedIn:
    kept: tuple[Proof, ...] = ()
    for each in proofs:
        kept = standing.with_proof(kept, each)
    return attrs.evolve(signed_in(*kept), lapsed=lapsed)


def elevated(state: SignedIn, now: datetime, *, has_factor: bool) -> bool:
    return standing.elevated(state, now, has_factor=has_factor, max_age=AGE)


# --- levels and elevation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("methods", "level"),
    [
        ((), Level.NONE),
        ((Method.PASSWORD,), Level.ONE),
        ((Method.MAILED_LINK,), Level.ONE),
        ((Method.PASSWORD, Method.MAILED_LINK), Level.ONE),
        ((Method.TOTP,), Level.ONE),
        ((Method.TOTP, Method.RECOVERY_CODE), Level.ONE),
        ((Method.PASSWORD, Method.TOTP), Level.TWO),
        ((Method.MAILED_LINK, Method.RECOVERY_CODE), Level.TWO),
        ((Method.SSO,), Level.NONE),
        ((Method.SSO, Method.TOTP), Level.ONE),
    ],
    ids=str,
)
def test_a_level_counts_kinds_of_proof_and_not_proofs(methods: tuple[Method, ...], level: Level) -> None:
    assert standing.level(tuple(proof(method) for method in methods)) is level


@given(foreign=st.lists(foreign_proofs), own=st.lists(own_proofs), now=moments, has_factor=st.booleans(), lapsed=lapses)
def test_what_an_organization_says_changes_nothing_for_the_person(
    *, foreign: list[Proof], own: list[Proof], now: datetime, has_factor: bool, lapsed: frozenset[Method]
) -> None:
    """Decision 1: such proofs count for that organization only."""
    alone, together = session(own, lapsed), session(own + foreign, lapsed)
    assert standing.level(together.proofs) is standing.level(alone.proofs)
    assert elevated(together, now, has_factor=has_factor) is elevated(alone, now, has_factor=has_factor)
    assert not elevated(session(foreign), now, has_factor=has_factor)


@given(st.lists(own_proofs), moments, lapses)
def test_whoever_has_a_factor_needs_level_two_and_a_recent_second_factor(
    own: list[Proof], now: datetime, lapsed: frozenset[Method]
) -> None:
    state = session(own, lapsed)
    recent = {p.method for p in state.proofs if timedelta(0) <= now - p.at <= AGE} - lapsed
    expected = standing.level(state.proofs) is Level.TWO and bool(recent & standing.SECOND)
    assert elevated(state, now, has_factor=True) is expected
    assert elevated(state, now, has_factor=False) is bool(recent)


@given(st.lists(own_proofs), moments, lapses)
def test_a_first_factor_never_elevates_whoever_has_a_second_one_above_what_they_were(
    own: list[Proof], now: datetime, lapsed: frozenset[Method]
) -> None:
    """A recent password makes nothing recent that was not (mfa 18.2)."""
    before = session(own, lapsed)
    if not elevated(before, now, has_factor=True) and standing.level(before.proofs) is not Level.ONE:
        after = attrs.evolve(before, proofs=standing.with_proof(before.proofs, proof(Method.PASSWORD, now)))
        assert not elevated(after, now, has_factor=True)


@given(own=st.lists(own_proofs, min_size=1), seen=moments, now=moments, has_factor=st.booleans())
def test_nothing_seen_to_have_lapsed_elevates_again(
    *, own: list[Proof], seen: datetime, now: datetime, has_factor: bool
) -> None:
    """At no later and at no earlier instant (decision 35)."""
    state = session(own)
    looked = attrs.evolve(state, lapsed=standing.lapsed(state, seen, max_age=AGE))
    if all(seen - p.at > AGE for p in state.proofs):
        assert not elevated(looked, now, has_factor=has_factor)
    if elevated(looked, now, has_factor=has_factor):
        assert elevated(state, now, has_factor=has_factor)


def test_the_age_of_a_proof_is_counted_to_the_second() -> None:
    state = signed_in(proof(Method.PASSWORD))
    ages = {
        after: elevated(state, START + after, has_factor=False) for after in (-SECOND, timedelta(0), AGE, AGE + SECOND)
    }
    assert ages == {-SECOND: False, timedelta(0): True, AGE: True, AGE + SECOND: False}
    assert standing.lapsed(state, START + AGE, max_age=AGE) == frozenset()
    assert standing.lapsed(state, START + AGE + SECOND, max_age=AGE) == {Method.PASSWORD}


def test_the_newest_proof_of_a_place_replaces_the_older_one() -> None:
    later = proof(Method.PASSWORD, START + SECOND)
    proofs = standing.with_proof((proof(Method.PASSWORD), sso()), later)
    assert proofs == (sso(), later)


def test_more_is_open_after_a_higher_level_or_another_organization() -> None:
    password, code = proof(Method.PASSWORD), proof(Method.TOTP)
    assert standing.rises((), (password,))
    assert standing.rises((password,), (password, code))
    assert standing.rises((password,), (password, sso()))
    assert not standing.rises((password,), (password,))
    assert not standing.rises((password, code), (password, code, proof(Method.RECOVERY_CODE)))
    assert not standing.rises((password, sso()), (password, sso(START + SECOND)))
    assert standing.rises((password, sso()), (password, sso(link=LinkId("another"))))


def test_only_a_sign_in_through_its_provider_opens_an_organization() -> None:
    asserted = attrs.evolve(sso(), method=Method.TOTP)
    mark = Mark(organization=ACME, provider=ACME_IDP, link=ACME_LINK, at=START)
    assert standing.marks((sso(), proof(Method.PASSWORD))) == (mark,)
    assert standing.marks((asserted,)) == ()


def test_another_link_at_the_same_provider_replaces_the_mark_of_the_former() -> None:
    """Decision 2: of one organization's provider a session holds one sign-in, the newest."""
    later = sso(START + SECOND, link=LinkId("another"))
    assert standing.with_proof((sso(),), later) == (later,)


def test_a_password_with_a_link_is_no_first_factor() -> None:
    marked = attrs.evolve(proof(Method.PASSWORD), link=ACME_LINK)
    assert not standing.is_first_factor(marked, START, max_age=SECOND)


# --- what opens a row -------------------------------------------------------------------------------------------------


def renewed(times: int) -> tuple[Handle, list[BrowserSession]]:
    """Return a handle that was renewed so often, and every value it ever had, oldest first."""
    secrets = [Secret(f"secret-{number}") for number in range(times + 1)]
    row = attrs.evolve(handle(), digest=token_digest(secrets[0]))
    for secret in secrets[1:]:
        row = row.renewed(token_digest(secret))
    values = [BrowserSession(id=row.id, secret=secret, generation=number + 1) for number, secret in enumerate(secrets)]
    return row, values


def test_only_the_newest_value_opens_a_row() -> None:
    row, values = renewed(times=3)
    assert [standing.recognize(row, value) for value in values] == [*[Code.SESSION_SUPERSEDED] * 3, None]


def test_an_old_secret_with_a_raised_generation_opens_nothing() -> None:
    """The generation is a cache: whoever holds an old value and can write the number gains nothing."""
    row, values = renewed(times=1)
    assert standing.recognize(row, attrs.evolve(values[0], generation=2)) is Code.SESSION_SUPERSEDED


@pytest.mark.parametrize("generation", [-1, 0, 1, 3])
def test_the_right_secret_of_another_generation_opens_nothing(generation: int) -> None:
    row, values = renewed(times=1)
    assert standing.recognize(row, attrs.evolve(values[1], generation=generation)) is Code.SESSION_SUPERSEDED


def test_a_strangers_secret_is_not_told_from_a_missing_row() -> None:
    row, values = renewed(times=1)
    for text in ("", "guess", values[1].secret.reveal()[:-1], "\ud800"):
        assert standing.recognize(row, attrs.evolve(values[1], secret=Secret(text))) is Code.SESSION_REQUIRED


def test_the_oldest_values_are_strangers_in_the_end() -> None:
    row, values = renewed(times=SUPERSEDED_KEPT + 1)
    assert len(row.superseded) == SUPERSEDED_KEPT
    assert standing.recognize(row, values[0]) is Code.SESSION_REQUIRED
    assert standing.recognize(row, values[1]) is Code.SESSION_SUPERSEDED


@pytest.mark.parametrize("key", ["", "x" * 65, "r\x00w", "zw\u00f6lf", "\ud800", "a\nb"])
def test_what_cannot_be_an_identifier_reaches_no_database(key: str) -> None:
    assert not standing.addressable(attrs.evolve(NOBODY, id=SessionId(key)))


@pytest.mark.parametrize("key", ["r", "x" * 64])
def test_an_identifier_has_1_to_64_characters(key: str) -> None:
    assert standing.addressable(attrs.evolve(NOBODY, id=SessionId(key)))


def test_a_value_without_a_row_opens_nothing() -> None:
    row, values = renewed(times=1)
    stands = attrs.evolve(anonymous(), handle=row)
    assert standing.unopened(None, values[-1]) is Code.SESSION_REQUIRED
    assert [standing.unopened(stands, value) for value in values] == [Code.SESSION_SUPERSEDED, None]


# --- who asks ---------------------------------------------------------------------------------------------------------


def test_who_asks_is_what_the_row_says() -> None:
    state = signed_in(proof(Method.PASSWORD), proof(Method.TOTP), sso())
    asker = standing.asker(state, found(attrs.evolve(PROTECTED, label="Anne")), START)
    assert (asker.user, asker.session, asker.why_not) == (ANNE, "row", None)
    assert (asker.level, asker.elevated, asker.label) == (Level.TWO, True, "Anne")
    assert (asker.organizations, asker.marks) == ({ACME}, standing.marks((sso(),)))
    assert asker.mark(ACME, ACME_IDP) == asker.marks[0]
    assert asker.mark(ACME, ProviderId("globex-idp")) is None
    assert asker.mark(OrganizationId("globex"), ACME_IDP) is None


def test_nobody_is_asked_for_where_nobody_is_signed_in() -> None:
    ended = Ended(handle=handle(), expires_at=START, reason=EndReason.SIGNED_OUT)
    whys = {state: standing.asker(state, found(), START) for state in (anonymous(), factor_owed(), ended)}
    assert [(a.user, a.session, a.why_not, a.level, a.elevated) for a in whys.values()] == [
        (None, "row", Code.SESSION_REQUIRED, Level.NONE, False),
        (None, "row", Code.SESSION_SECOND_FACTOR_OWED, Level.NONE, False),
        (None, "", Code.SESSION_ENDED, Level.NONE, False),
    ]


def test_a_superseded_value_names_its_row_and_a_strangers_none() -> None:
    """So that a flow begun there can tell its own refusal (decisions 3, 28)."""
    _, values = renewed(times=1)
    superseded = standing.stranger(Refused(code=Code.SESSION_SUPERSEDED, session=values[0]))
    unknown = standing.stranger(Refused(code=Code.SESSION_REQUIRED, session=values[0]))
    assert (superseded.user, superseded.session, superseded.why_not) == (None, "row", Code.SESSION_SUPERSEDED)
    assert (unknown.user, unknown.session, unknown.why_not) == (None, "", Code.SESSION_REQUIRED)


# --- where exactly it ends --------------------------------------------------------------------------------------------

AGES: list[tuple[timedelta, bool]] = [
    (-timedelta(microseconds=1), False),
    (timedelta(0), True),
    (SECOND, True),
    (AGE, True),
    (AGE + timedelta(microseconds=1), False),
]


@pytest.mark.parametrize(("age", "recent"), AGES, ids=str)
def test_a_proof_counts_from_its_instant_to_the_end_of_its_age(*, age: timedelta, recent: bool) -> None:
    """Both ends are inside; a proof from the future counts for nothing."""
    now = START + age
    assert standing.is_first_factor(proof(Method.PASSWORD), now, max_age=AGE) is recent
    assert standing.is_first_factor(sso(), now, max_age=AGE) is recent
    assert standing.is_second_factor(proof(Method.TOTP), now, max_age=AGE) is recent


@pytest.mark.parametrize(("age", "old"), [(AGE - timedelta(microseconds=1), False), (AGE, True)], ids=str)
def test_a_sign_on_ages_at_the_end_of_its_life_and_only_another_one_is_new(*, age: timedelta, old: bool) -> None:
    """Decision 35: of one organization and not of the other; nothing else that is proven makes it young again."""
    elsewhere = sso(START + age, OrganizationId("globex"), ProviderId("globex-idp"), LinkId("globex-link"))
    state = signed_in(proof(Method.PASSWORD), sso(START), elsewhere)
    assert standing.aged(state, START + age, max_age=AGE) == ({ACME_LINK} if old else set())
    seen = attrs.evolve(state, aged=frozenset({ACME_LINK}))
    assert standing.aged(seen, START, max_age=AGE) == {ACME_LINK}
    assert {mark.link: mark.aged for mark in standing.asker(seen, found(PLAIN), START).marks} == {
        ACME_LINK: True,
        LinkId("globex-link"): False,
    }
    for newer, left in ((proof(Method.PASSWORD), {ACME_LINK}), (elsewhere, {ACME_LINK}), (sso(START + age), set())):
        assert outcomes.proven(seen, newer, b"\x03" * 32).aged == left


@pytest.mark.parametrize(("age", "lapsed"), [(AGE, False), (AGE + timedelta(microseconds=1), True)], ids=str)
def test_a_proof_lapses_behind_the_end_of_its_age(*, age: timedelta, lapsed: bool) -> None:
    state = signed_in(proof(Method.PASSWORD))
    assert bool(standing.lapsed(state, START + age, max_age=AGE)) is lapsed


def test_an_organization_that_is_entered_opens_something_and_one_that_is_left_does_not() -> None:
    assert standing.rises((), (sso(),))
    assert not standing.rises((sso(),), (sso(),))
    assert not standing.rises((sso(),), ())


def test_a_level_that_falls_opens_nothing() -> None:
    first, second = proof(Method.PASSWORD), proof(Method.TOTP)
    assert standing.rises((first,), (first, second))
    assert not standing.rises((first, second), (first,))


def test_whoever_is_not_signed_in_is_never_elevated_and_enrolls_as_who_they_are() -> None:
    state = anonymous()
    assert not standing.elevated(state, START, has_factor=False, max_age=AGE)
    assert standing.enrolling_asker(state, found(PROTECTED), START) == standing.asker(state, found(PROTECTED), START)
    assert standing.unchallenged(state) is Code.SESSION_NO_PENDING_LOGIN


@pytest.mark.parametrize("missing", [{"organization": None}, {"provider": None}])
def test_a_single_sign_on_is_said_by_a_provider_of_an_organization(missing: dict[str, None]) -> None:
    assert not standing.is_first_factor(attrs.evolve(sso(), **missing), START, max_age=AGE)


@pytest.mark.parametrize("said", [{"organization": ACME}, {"provider": ProviderId("p")}])
def test_no_provider_says_a_password(said: dict[str, str]) -> None:
    assert not standing.is_first_factor(attrs.evolve(proof(Method.PASSWORD), **said), START, max_age=AGE)


# --- rows of persons --------------------------------------------------------------------------------------------------

TICK = timedelta(microseconds=1)
OVER = Ended(handle=handle(), expires_at=START, reason=EndReason.SIGNED_OUT)


def enrollment_owed() -> EnrollmentOwed:
    return EnrollmentOwed(**attrs.asdict(factor_owed(), recurse=False))


def enrollment_open() -> EnrollmentOpen:
    return EnrollmentOpen(**attrs.asdict(factor_owed(), recurse=False), redeemed_at=START)


def test_a_row_is_a_persons_from_the_first_factor_to_its_end() -> None:
    persons = (factor_owed(), enrollment_owed(), enrollment_open(), signed_in())
    assert [standing.owner(state) for state in persons] == [ANNE] * 4
    assert [standing.owner(state) for state in (anonymous(), OVER)] == [None, None]


def test_a_row_is_over_at_its_end() -> None:
    state = signed_in()
    assert standing.over(state, found(PLAIN), state.expires_at - TICK) is None
    assert standing.over(state, found(PLAIN), state.expires_at) is EndReason.EXPIRED


def test_wrong_answers_end_a_pending_sign_in_and_no_session() -> None:
    most = POLICY.pending_login_failures
    said = [standing.over(factor_owed(), found(PLAIN, failures), START) for failures in (most - 1, most, most + 1)]
    assert said == [None, EndReason.TOO_MANY_ATTEMPTS, EndReason.TOO_MANY_ATTEMPTS]
    assert standing.over(signed_in(), found(PLAIN, most), START) is None


def test_a_link_is_for_its_person_until_its_end() -> None:
    mine, end = link(), link().expires_at
    moments = (START, end - TICK, end, end + TICK)
    assert [standing.redeemable(enrollment_owed(), mine, now) for now in moments] == [True, True, False, False]
    for other in (None, link(UserId("aaa")), link(UserId("zzz"))):
        assert not standing.redeemable(enrollment_owed(), other, START)


def test_the_link_follows_a_first_factor_of_the_persons_own() -> None:
    """Decision 1; by a link mailed for one provider and the reset's, one mailbox would replace the password."""
    bound = attrs.evolve(sso(), method=Method.MAILED_LINK, link=None)
    given = (proof(Method.PASSWORD), proof(Method.MAILED_LINK), sso(), bound)
    owed = [attrs.evolve(enrollment_owed(), proof=each) for each in given]
    assert [standing.redeemable(each, link(), START) for each in owed] == [True, True, False, False]


def test_the_mailed_link_elevates_for_enrolling_only() -> None:
    state = enrollment_open()
    enrolling = standing.enrolling_asker(state, found(attrs.evolve(PLAIN, label="Anne")), START)
    assert (enrolling.user, enrolling.session, enrolling.why_not) == (ANNE, "row", None)
    assert (enrolling.level, enrolling.elevated, enrolling.label) == (Level.ONE, True, "Anne")
    for nobody in (standing.asker(state, found(PLAIN), START), standing.enrolling_asker(state, found(), START)):
        assert (nobody.user, nobody.elevated, nobody.why_not) == (None, False, Code.SESSION_ENROLLMENT_OWED)
