"""An installation with the real SAML kind, and providers that nobody but its test has."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from authflow.adapters.providers.saml import Saml2
from authflow.journey.providers.answers import ProviderAdded, ProviderTried
from authflow.journey.sso.answers import SentAway
from authflow.sso.endpoints import Endpoints
from authflow.sso.kinds import Callback, Departure, Kinds
from authflow.testing.browsers import CALLBACK, LOGOUT, Browser, installed
from authflow.testing.clocks import SeededEntropy
from authflow.testing.providers import connect
from authflow.testing.saml import FakeSamlProvider, SamlFault, SamlPerson
from tests.journey.sso_stage import SsoStage
from tests.providers.saml.stage import Library, keys

if TYPE_CHECKING:
    from authflow.adapters.keys import KeyRing
    from authflow.policy import Policy
    from authflow.values import OrganizationId
    from authflow.wiring import Authflow

OLGA = SamlPerson(subject="00u1", email="olga@idp.example", first_name="Olga")
GRACE = SamlPerson(subject="00u2", email="grace@idp.example", first_name="Grace", last_name="Hopper")


class SamlStage(SsoStage):
    """`SsoStage` with the real kind, and a provider that nobody but this test has."""

    def _over(self, uow: Any, ring: KeyRing, policy: Policy | None) -> Authflow:
        return installed(
            uow,
            clock=self.clock,
            entropy=self.entropy,
            mailer=self.mailer,
            ring=ring,
            policy=policy or self.policy,
            kinds=Kinds(Saml2(fetcher=Library(), entropy=SeededEntropy("saml"))),
        )

    def here(self, organization: OrganizationId) -> Endpoints:
        return Endpoints.at(CALLBACK, logout=LOGOUT).of(organization)

    def trusting(self, slug: str, idp: FakeSamlProvider | None = None, **changes: Any) -> OrganizationId:
        """Add an organization that has *idp* already, set up with *changes*."""
        place, kind = self.organization(slug), Saml2(fetcher=Library(), entropy=SeededEntropy(slug))
        config = (idp or self.saml).settings(**changes)
        connect(self.joining, place, kind, cipher=self.cipher, config=config)
        return place

    @cached_property
    def saml(self) -> FakeSamlProvider:
        return FakeSamlProvider(self.clock, keys=keys("idp"))

    def answered(self, away: SentAway, who: SamlPerson, fault: SamlFault | None = None) -> Callback:
        """Return what the browser would post that was sent *away*."""
        return self.saml.answer(Departure(url=away.url, form=away.form, request={}), who, fault)

    def connected(self, **changes: Any) -> OrganizationId:
        """Let an owner connect the provider, with *changes* of its settings, by signing in through it."""
        acme = self.organization()
        olga, flows = self.owner(acme), self.flows.providers
        settings, at = self.saml.settings(**changes), olga.browser
        away = at.ask(flows.start_setup, at.context, organization=acme, kind="saml2", settings=settings)
        assert isinstance(away, SentAway), away
        tried = at.ask(flows.resume, at.context, pipeline=away.pipeline, callback=self.answered(away, OLGA))
        assert isinstance(tried, ProviderTried), tried
        assert (tried.subject, tried.email) == (OLGA.subject, OLGA.email)
        assert isinstance(at.ask(flows.confirm, at.context, pipeline=away.pipeline), ProviderAdded)
        return acme


def sent_away(stage: SamlStage, browser: Browser, acme: OrganizationId) -> SentAway:
    away = browser.ask(stage.flows.sso.start, browser.context, organization=acme)
    assert isinstance(away, SentAway), away
    return away
