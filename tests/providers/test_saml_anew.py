"""A provider that is disabled and set up anew as it was: bars go on counting, and nothing else lives again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import pytest

from authflow import (
    ChoiceOwed,
    Code,
    ConfirmationOwed,
    Policy,
    Refused,
    SecondFactorOwed,
    SentToSignOut,
    SignedOn,
    UnaskedKept,
)
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.journey.providers.answers import ProviderAdded, ProviderRemoved, ProviderSaved
from authflow.policy import SsoPolicy
from authflow.testing.browsers import Browser
from authflow.testing.saml import SLO_URL, SamlPerson
from tests.providers.saml.installed import OLGA, SamlStage, sent_away

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.values import OrganizationId
    from tests.stage import Person

ADA: Final = SamlPerson(subject="ada-1", email="ada@example.com")
SETTINGS: Final = {"idp_initiated": True}


class Anew(SamlStage):
    """Acme's owner sets a provider up, and may do it again."""

    def __init__(self) -> None:
        super().__init__(MemoryUnitOfWork(), Policy(sso=SsoPolicy(idp_initiated=True)))
        self.acme: OrganizationId = self.organization()
        self.olga: Person = self.owner(self.acme)
        self.set_up()

    def set_up(self) -> None:
        at, flows = self.olga.browser, self.flows.providers
        settings = self.saml.settings(**SETTINGS)
        away = at.ask(flows.start_setup, at.context, organization=self.acme, kind="saml2", settings=settings)
        at.ask(flows.resume, at.context, pipeline=away.pipeline, callback=self.answered(away, OLGA))
        assert isinstance(at.ask(flows.confirm, at.context, pipeline=away.pipeline), ProviderAdded)

    def disable_and_set_up(self) -> None:
        at = self.olga.browser
        gone = at.ask(self.flows.providers.disable, at.context, organization=self.acme)
        assert isinstance(gone, ProviderRemoved), gone
        self.set_up()

    def edit_and_edit_back(self) -> None:
        at, before = self.olga.browser, self.saml.settings(**SETTINGS)
        for settings in ({**before, "slo_url": f"{SLO_URL}/2"}, before):
            saved = at.ask(self.flows.providers.edit, at.context, organization=self.acme, settings=settings)
            assert isinstance(saved, ProviderSaved), saved
            assert saved.changed


def begun(stage: Anew) -> dict[str, Callable[[], Any]]:
    """Begin everything that a browser can go on with, and return how each goes on."""
    asks, chooses, confirms, brings = (Browser() for _ in range(4))
    sso, there = stage.flows.sso, stage.here(stage.acme)
    leaves = Browser()
    came = sent_away(stage, leaves, stage.acme)
    owes = leaves.ask(sso.resume, leaves.context, pipeline=came.pipeline, callback=stage.answered(came, OLGA))
    assert isinstance(owes, SecondFactorOwed), owes
    stage.clock.advance(timedelta(seconds=30))
    stage.verify(stage.olga, "totp", stage.olga.app.code(stage.clock.now()), leaves)
    assert isinstance(leaves.ask(sso.resume, leaves.context, pipeline=came.pipeline), SignedOn)
    left = leaves.ask(sso.sign_out, leaves.context)
    assert isinstance(left, SentToSignOut), left
    away = sent_away(stage, asks, stage.acme)
    answer = stage.answered(away, ADA)
    page = sent_away(stage, chooses, stage.acme)
    owed = chooses.ask(
        sso.resume,
        chooses.context,
        pipeline=page.pipeline,
        callback=stage.answered(page, attrs.evolve(ADA, subject="b")),
    )
    assert isinstance(owed, ChoiceOwed), owed
    kept = [sso.keep_unasked(organization=stage.acme, callback=stage.saml.sends(there, OLGA)) for _ in range(2)]
    taken = confirms.ask(sso.take_unasked, confirms.context, ticket=_kept(kept[0]).ticket)
    assert isinstance(taken, ConfirmationOwed), taken
    said = urlsplit(stage.saml.ended_session(left.url, there.logout)).query
    return {
        "a request": lambda: asks.ask(sso.resume, asks.context, pipeline=away.pipeline, callback=answer),
        "a page": lambda: chooses.ask(sso.choose, chooses.context, pipeline=page.pipeline, choice="new_account"),
        "a confirmation": lambda: confirms.ask(sso.confirm_unasked, confirms.context, pipeline=taken.pipeline),
        "a ticket": lambda: brings.ask(sso.take_unasked, brings.context, ticket=_kept(kept[1]).ticket),
        "a sign-out": lambda: sso.finish_sign_out(ticket=left.ticket, query=said),
    }


def _kept(answer: Any) -> UnaskedKept:
    assert isinstance(answer, UnaskedKept), answer
    return answer


@pytest.mark.parametrize("again", [Anew.disable_and_set_up, Anew.edit_and_edit_back], ids=["disabled", "edited"])
def test_what_was_begun_before_does_not_live_again(again: Callable[[Anew], None]):
    """Whoever stole accounts at a provider waits for nothing there (decision 35), though its id is the same."""
    stage = Anew()
    with stage.uow.begin() as tx:
        before: Any = tx.providers.load(stage.acme).state
    goes_on = begun(stage)
    again(stage)
    with stage.uow.begin() as tx:
        after: Any = tx.providers.load(stage.acme).state
    assert (after.id, after.kind) == (before.id, before.kind)
    came = {what: go() for what, go in goes_on.items()}
    assert {
        what: answer.code if isinstance(answer, Refused) else answer for what, answer in came.items()
    } == dict.fromkeys(goes_on, Code.SSO_PROVIDER_CHANGED)
