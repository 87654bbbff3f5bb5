"""What a provider means for members, through the facade: who may change it, who hears of it, and what meanwhile is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import Code, MailKind, ProviderView, SignedOn
from authflow.testing.providers import FakeProvider
from tests.journey.sso_stage import SsoStage
from tests.journey.test_flows_providing import SETTINGS, code, connected, do, member, provider_of

if TYPE_CHECKING:
    from collections.abc import Callable


class Interrupted(FakeProvider):
    """A provider whose settings take time to be read."""

    meanwhile: Callable[[], object] | None = None

    def read(self, settings: Any) -> Any:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        return super().read(settings)


@pytest.fixture
def stage(memory_uow: Any) -> SsoStage:
    return SsoStage(memory_uow)


def test_whoever_opens_it_proved_recently_who_they_are_and_owners_hear_of_it(stage: SsoStage):
    """Decision 5: a session with nobody's word but the provider's lets nobody in, and gives nobody more."""
    acme = stage.organization()
    olga, mia = stage.owner(acme), member(stage, acme, "mia@example.com", "manager")
    connected(stage, olga, acme, newcomers=False)
    stage.link(mia.user, acme, "00u7")
    with stage.uow.begin() as tx:
        (made,) = tx.links.all_of_user(mia.user)
        tx.links.remove(made.id)
        tx.links.add(attrs.evolve(made, provider=tx.providers.load(acme).state.id))
    stage.idp.person("00u7")
    assert isinstance(stage.come(mia.browser, acme, "00u7").answer, SignedOn)
    for given in ({"newcomers": True}, {"default_role": "manager"}, {"scim": True}):
        assert code(do(stage, mia, "configure", acme, **given)) is Code.SESSION_ELEVATION_REQUIRED
    assert code(do(stage, mia, "configure", acme, required=False)) is Code.MEMBERSHIP_FORBIDDEN
    assert stage.mails(MailKind.SSO_TRUST_CHANGED) == []
    assert do(stage, mia, "configure", acme, name="Acme's own").changed == ("name",)
    assert stage.mails(MailKind.SSO_TRUST_CHANGED) == []
    opened = do(stage, olga, "configure", acme, newcomers=True, default_role="manager", required=False)
    assert opened.changed == ("required", "newcomers", "default_role")
    (mail,) = stage.mails(MailKind.SSO_TRUST_CHANGED)
    assert (mail.to, mail.context["changed"]) == ("olga@example.com", "required,newcomers,default_role")
    assert do(stage, mia, "configure", acme, newcomers=False, default_role="", required=True).changed
    stage.clock.advance(stage.policy.sessions.elevation_age + timedelta(seconds=1))
    assert code(do(stage, olga, "configure", acme, required=False)) is Code.SESSION_ELEVATION_REQUIRED


def test_a_provider_is_called_what_its_managers_say(stage: SsoStage):
    """By its kind's name where they say nothing; a partner's by what the partner says."""
    acme, globex = stage.organization(), stage.organization("globex")
    olga, root = stage.owner(acme), stage.administrator()
    connected(stage, olga, acme, name="Acme login")

    def called() -> str:
        seen = olga.browser.ask(stage.flows.providers.view, organization=acme)
        assert isinstance(seen, ProviderView)
        return seen.name

    for name, stands in (("Our login", "Our login"), ("two\nlines", "two lines"), ("", "Fake")):
        assert do(stage, olga, "configure", acme, name=name).changed == ("name",)
        assert called() == stands
    with stage.writes():
        assert do(stage, olga, "configure", acme).changed == ()
    for name in ("Theirs", "Theirs by now"):
        do(stage, root, "provision", globex, kind="fake", settings=SETTINGS, name=name)
        assert provider_of(stage, globex).name == name  # type: ignore[union-attr]  # it stands


def test_nobody_overwrites_what_was_stored_while_their_settings_were_read(stage: SsoStage):
    """The kind may use the network meanwhile: another edit, or another provider of the very same version."""
    kind = stage.idp = Interrupted()
    stage.flows = stage.open(stage.ring)
    acme = stage.organization()
    olga, otto = stage.owner(acme), stage.owner(acme, "otto@example.com")
    connected(stage, olga, acme, required=False)
    first = {"url": "https://first.example/authorize", "client_secret": "hush"}

    def during(happens: Callable[[], object]) -> Any:
        kind.meanwhile = happens
        return do(stage, otto, "edit", acme, settings={"url": "https://second.example/authorize", **SETTINGS})

    assert code(during(lambda: do(stage, olga, "edit", acme, settings=first))) is Code.SSO_PROVIDER_CHANGED
    assert olga.browser.ask(stage.flows.providers.view, organization=acme).settings == {"url": first["url"]}

    def anew() -> None:
        do(stage, olga, "disable", acme)
        connected(stage, olga, acme, required=False)

    do(stage, olga, "disable", acme)
    connected(stage, olga, acme, required=False)
    assert code(during(anew)) is Code.SSO_PROVIDER_CHANGED
