"""The pipeline: one answer of the provider, in one browser, for one organization, within one hour."""

from __future__ import annotations

import attrs
import pytest

from authflow.errors import Code
from authflow.ports import Allowed
from authflow.sso.case import Choice, Enter, LinkTo, Register, Visitor
from authflow.sso.identity import FRESH
from authflow.sso.login import MACHINE, PROOF_LIFE
from authflow.sso.pipeline import LIFE
from authflow.sso.progress import (
    Abandon,
    Abandoned,
    AddressMailed,
    AddressProven,
    Away,
    ConfirmUnasked,
    FactorAsked,
    Finish,
    Identified,
    Mailed,
    MailProof,
    Opened,
    OpenLink,
    Over,
    ProofMailed,
    Proven,
    Received,
    Return,
    Unconfirmed,
    Why,
    Withdraw,
    Withdrawn,
)
from authflow.testing import assert_complete
from authflow.testing.samples.links import ADA, NOW, TICK, holder, identity, link, welcoming
from authflow.testing.samples.pipelines import (
    BUDGETED,
    CHANGED,
    FRESH_TOKEN,
    HANDLE,
    LOGIN,
    PRESENT,
    PROPOSED,
    STATE,
    STRANGE,
    TOKEN,
    WRONG,
    away,
    choose,
    opened,
    unconfirmed,
)
from authflow.values import OrganizationId, Refused, SessionId

EXPLORED = LOGIN.walk()
GOING = [step for step in EXPLORED.steps if not isinstance(step.command, Withdraw)]
"""What browsers ask for; the others are the provider's, and come by none."""

IDENTIFIED, PROOF_MAILED, PROVEN, ADDRESS_MAILED, ADDRESS_PROVEN = opened()


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


# --- the laws -------------------------------------------------------------------------------------------------------


def test_what_was_written_at_the_start_never_changes():
    """Invariant 4."""
    assert {step.target.handle for step in EXPLORED.steps} == {HANDLE}


def test_another_browser_or_organization_is_told_nothing_and_changes_nothing():
    """CVE-2025-68158, CVE-2026-41425, GHSA-w699-8wff-fqxw; not even that the pipeline is over."""
    for step in GOING:
        if step.command.present in STRANGE:
            assert (step.target, step.answer) == (step.state, Refused(code=Code.SSO_PIPELINE_INVALID))


@pytest.mark.parametrize("changed", [{"session": SessionId("a")}, {"organization": OrganizationId("a")}])
def test_a_browser_or_organization_whose_id_sorts_before_is_another_one(changed: dict[str, str]):
    step = MACHINE.step(IDENTIFIED, Abandon(present=attrs.evolve(PRESENT, **changed)), NOW)
    assert (step.state, step.answer) == (IDENTIFIED, Refused(code=Code.SSO_PIPELINE_INVALID))


@pytest.mark.parametrize("secret", [HANDLE.digest, HANDLE.steps, STATE, TOKEN])
def test_what_a_pipeline_is_known_by_is_not_printed(secret: bytes):
    """A state, or what stands, may be printed where somebody looks for a fault."""
    printed = [repr(value) for value in (PRESENT, away(), unconfirmed(), PROPOSED, *opened())]
    assert [text for text in printed if repr(secret) in text or str(secret) in text] == []


def test_a_provider_that_is_not_the_same_any_more_ends_it():
    """CVE-2026-1486: deleted, replaced, or set up anew between the request and the answer."""
    for step in GOING:
        ended = isinstance(step.command, Abandon) or isinstance(step.state, Over)
        if step.command.present in CHANGED and step.now < HANDLE.expires_at and not ended:
            assert step.answer == Refused(code=Code.SSO_PROVIDER_CHANGED)
            assert step.target == Over(handle=HANDLE, why=Why.FAILED)


def test_after_its_hour_it_is_over_for_good():
    """Decisions 25 and 35: nothing observed as expired lives again."""
    for step in GOING:
        if step.now >= HANDLE.expires_at and step.command.present == PRESENT:
            assert isinstance(step.target, Over)
    for step in EXPLORED.steps:
        if isinstance(step.state, Over):
            assert step.target == step.state
            assert isinstance(step.answer, Refused)


def test_the_providers_answer_is_taken_once():
    """Invariant 9: state is single use."""
    taken = [step for step in EXPLORED.steps if isinstance(step.answer, Received)]
    assert {(type(step.state), type(step.target)) for step in taken} == {(Away, Identified)}
    assert not any(isinstance(step.target, Away) for step in EXPLORED.steps if step.target != step.state)


def test_a_mailed_link_is_opened_once():
    for step in EXPLORED.steps:
        if isinstance(step.answer, Opened):
            assert isinstance(step.state, ProofMailed | AddressMailed)
            assert isinstance(step.command, OpenLink)
            assert step.command.token == step.state.token
            assert isinstance(step.target, Proven | AddressProven)
            assert isinstance(step.state, AddressMailed) or step.command.user == step.state.user


def test_whoever_is_mailed_nobody_can_tell():
    """Decision 22: one answer, whether or not there is somebody to mail."""
    for step in EXPLORED.steps:
        if isinstance(step.command, MailProof):
            other = attrs.evolve(step.command, user=None if step.command.user else ADA)
            assert MACHINE.step(step.state, other, step.now).answer == step.answer


def test_nothing_is_finished_by_an_assertion_older_than_ten_minutes():
    for step in EXPLORED.steps:
        if isinstance(step.answer, Finish):
            assert step.now < NOW + FRESH


def test_what_nobody_asked_for_comes_in_by_a_link_that_stands_or_not_at_all():
    """Decision 25: no choice, no mail and no link makes anything of it, and it makes nothing of what was asked for."""
    for step in EXPLORED.steps:
        confirmed = isinstance(step.state, Unconfirmed) and isinstance(step.command, ConfirmUnasked)
        if isinstance(step.answer, Finish) and isinstance(step.state, Unconfirmed):
            assert confirmed
            assert step.answer.decision == Enter(link())
        if isinstance(step.state, Unconfirmed) or isinstance(step.command, ConfirmUnasked):
            assert step.target == step.state or isinstance(step.target, Over)
            assert confirmed or isinstance(step.answer, Refused | Abandoned | Withdrawn)


def test_what_a_provider_said_it_takes_back_for_good_and_no_other_one_does():
    """SAML core 3.7.3.1: whatever waits for a choice, a proof or a button is over, and nobody comes in by it."""
    taken = [step for step in EXPLORED.steps if isinstance(step.command, Withdraw)]
    for step in taken:
        waits, own = not isinstance(step.state, Away | Over), step.command.provider == HANDLE.provider
        assert isinstance(step.answer, Withdrawn) is (waits and own)
        assert step.target == (Over(handle=HANDLE, why=Why.WITHDRAWN) if waits and own else step.state)
    assert {type(step.state) for step in taken} == {type(step.state) for step in EXPLORED.steps}


# --- one after the other --------------------------------------------------------------------------------------------


def test_the_answer_that_was_asked_for_is_taken():
    step = MACHINE.step(away(), Return(present=PRESENT, state=STATE, said=identity()), NOW)
    assert (step.state, step.answer) == (IDENTIFIED, Received())


def test_a_refusal_of_the_provider_ends_it():
    step = MACHINE.step(away(), Return(present=PRESENT, state=STATE, said=Code.SSO_IDENTITY_INCOMPLETE), NOW)
    assert step.state == Over(handle=HANDLE, why=Why.FAILED)
    assert step.answer == Refused(code=Code.SSO_IDENTITY_INCOMPLETE)


@pytest.mark.parametrize("said", [identity(), Code.SSO_IDENTITY_INCOMPLETE])
def test_an_answer_that_was_not_asked_for_changes_nothing(said: object):
    """Nor does a forged one: whoever can send a browser here could end every sign-in that is under way."""
    step = MACHINE.step(away(), Return(present=PRESENT, state=WRONG, said=said), NOW)
    assert (step.state, step.answer) == (away(), Refused(code=Code.SSO_STATE_INVALID))


def test_whoever_meant_it_passes_what_they_owe_first():
    owing = ConfirmUnasked(present=PRESENT, known=welcoming(link=link(), holder=holder(), owes=True))
    asked = MACHINE.step(unconfirmed(), owing, NOW)
    assert (asked.state, asked.answer) == (unconfirmed(), FactorAsked(user=ADA))
    entered = MACHINE.step(asked.state, attrs.evolve(owing, known=attrs.evolve(owing.known, owes=False)), NOW)
    assert (entered.state, entered.answer) == (
        Over(handle=HANDLE, why=Why.FINISHED),
        Finish(decision=Enter(link())),
    )
    again = MACHINE.step(entered.state, owing, NOW)
    assert again.answer == Refused(code=Code.SSO_PIPELINE_EXPIRED)


def test_a_passwordless_person_links_by_mail():
    """Decision 20: the mail, the click, the choice."""
    mail = MailProof(present=PRESENT, user=ADA, token=FRESH_TOKEN, allowance=Allowed(4))
    mailed = MACHINE.step(IDENTIFIED, mail, NOW)
    assert mailed.answer == Mailed()
    proven = MACHINE.step(mailed.state, OpenLink(present=PRESENT, user=ADA, token=FRESH_TOKEN), NOW)
    assert (proven.state, proven.answer) == (PROVEN, Opened())
    owing = MACHINE.step(proven.state, choose(Choice.LINK, known=welcoming(prover=holder(), owes=True)), NOW)
    assert (owing.state, owing.answer) == (PROVEN, FactorAsked(user=ADA))
    linked = MACHINE.step(owing.state, choose(Choice.LINK, known=welcoming(prover=holder())), NOW)
    assert isinstance(linked.answer, Finish)
    assert isinstance(linked.answer.decision, LinkTo)
    assert linked.state == Over(handle=HANDLE, why=Why.FINISHED)


def test_a_newcomer_proves_the_address_first():
    """Section 6.7."""
    mailed = MACHINE.step(IDENTIFIED, choose(Choice.NEW_ACCOUNT, known=welcoming(verify_first=True)), NOW)
    assert mailed.state == attrs.evolve(ADDRESS_MAILED, token=FRESH_TOKEN)
    proven = MACHINE.step(mailed.state, OpenLink(present=PRESENT, user=ADA, token=FRESH_TOKEN), NOW)
    assert proven.state == ADDRESS_PROVEN
    finished = MACHINE.step(proven.state, choose(), NOW)
    assert finished.answer == Finish(decision=Register(verified=True))


def test_a_proof_is_too_old_after_ten_minutes():
    link = OpenLink(present=PRESENT, user=ADA, token=TOKEN)
    late = MACHINE.step(PROOF_MAILED, link, NOW + PROOF_LIFE)
    assert (late.state, late.answer) == (IDENTIFIED, Refused(code=Code.SSO_PROOF_EXPIRED))
    assert MACHINE.step(PROOF_MAILED, link, NOW + PROOF_LIFE - TICK).answer == Opened()


def test_a_new_mail_makes_the_old_link_worthless():
    again = MACHINE.step(
        PROOF_MAILED, MailProof(present=PRESENT, user=ADA, token=FRESH_TOKEN, allowance=Allowed(4)), NOW
    )
    answer = MACHINE.step(again.state, OpenLink(present=PRESENT, user=ADA, token=TOKEN), NOW).answer
    assert answer == Refused(code=Code.SSO_PROOF_INVALID)


@pytest.mark.parametrize(
    "command",
    [
        choose(Choice.NEW_ACCOUNT, known=welcoming(verify_first=True), allowance=BUDGETED),
        choose(
            Choice.NEW_ACCOUNT,
            known=welcoming(taken=True, visitor=Visitor(user=ADA, elevated=True)),
            allowance=BUDGETED,
        ),
        MailProof(present=PRESENT, user=ADA, token=FRESH_TOKEN, allowance=BUDGETED),
    ],
)
def test_mails_have_a_budget(command: object):
    step = MACHINE.step(IDENTIFIED, command, NOW)
    assert step.state == IDENTIFIED
    assert step.answer == Refused(code=Code.SSO_RATE_LIMITED, retry_after=BUDGETED.retry_after)


def test_it_lives_an_hour_to_the_microsecond():
    assert LIFE.total_seconds() == 3600
    link = OpenLink(present=PRESENT, user=ADA, token=TOKEN)
    assert MACHINE.step(ADDRESS_MAILED, link, NOW + LIFE - TICK).answer == Opened()
    assert MACHINE.step(ADDRESS_MAILED, link, NOW + LIFE).answer == Refused(code=Code.SSO_PIPELINE_EXPIRED)


def test_an_identity_of_another_provider_is_none():
    """Invariant 3, and the mix-up of RFC 9207."""
    for changed in ({"provider": "globex-idp"}, {"organization": "globex"}, {"provider": "a"}, {"organization": "a"}):
        said = identity(**changed)
        step = MACHINE.step(away(), Return(present=PRESENT, state=STATE, said=said), NOW)
        assert step.answer == Refused(code=Code.SSO_IDENTITY_MISMATCH)
