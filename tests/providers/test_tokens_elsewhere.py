"""What links remember goes to nobody but who gave it: OAuth 2 through the flows, where an owner edits where it goes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import Code, LinksRechecked, ProviderSaved, Refused
from authflow.adapters.providers.oauth2 import Oauth2Kind
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag
from authflow.sso.kinds import Assertion
from authflow.sso.sealing import Vault, memory_binding
from authflow.testing.openid import InProcess
from tests.journey.sso_stage import SsoStage
from tests.providers.peers import Way, provider
from tests.providers.test_oauth2 import GOOD, ME
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.sso.fetching import Request, Response, Unfetched
    from authflow.sso.links import Link

DAY = timedelta(days=1)
SETTINGS = {**GOOD, "recheck": True}
ELSEWHERE = "https://provider.example/elsewhere"


@attrs.define
class Watched(InProcess):
    """What is asked, in order; and what a test does while it is."""

    asked: list[tuple[str, str]] = attrs.field(factory=list)
    meanwhile: Callable[[], object] | None = None

    def fetch(self, request: Request) -> Response | Unfetched:
        if self.meanwhile is not None:
            self.meanwhile()
            self.meanwhile = None
        self.asked.append((request.url, (request.form or {}).get("refresh_token", "")))
        return super().fetch(request)


class Tokens(SsoStage):
    """Acme has a provider of OAuth 2 that is asked again; Ada is linked, and owns the organization with Olga."""

    def __init__(self, uow: Any) -> None:
        fake = provider()
        fake.documents["/me"] = ME
        self.fetcher = Watched(fake)
        super().__init__(uow)
        self.idp = Oauth2Kind(self.fetcher)  # type: ignore[assignment]  # a real one, in the fake one's place
        self.flows = self.open(self.ring)
        self.acme = self.organization()
        self.connect(self.acme, self.idp, config=SETTINGS, required=False)
        self.olga, self.ada = self.owner(self.acme), self.person("ada@example.com")
        self.found(self.ada, self.acme)
        made = self.link(self.ada.user, self.acme, "42")
        came = Way(self.idp, self.idp.read(SETTINGS), fake).sign_in()
        assert isinstance(came, Assertion)
        sealed = Vault(self.cipher).seal(came.memory, memory_binding(made.provider, made.subject))
        with self.uow.begin() as tx:
            tx.links.save(made, attrs.evolve(made, memory=sealed))
        flags = {"group": FlagGroup.SSO, "flags": MemberFlag.SSO_LINKED}
        self.flows.members.set_flags(CONTEXT, organization=self.acme, user=self.ada.user, **flags)

    def edit(self, **changed: Any) -> Any:
        ask, settings = self.flows.providers.edit, {**SETTINGS, **changed}
        return self.olga.browser.ask(ask, CONTEXT, organization=self.acme, settings=settings)

    @property
    def adas(self) -> Link:
        (found,) = self.links_of(self.ada.user)
        return found


@pytest.fixture
def stage(memory_uow: Any) -> Tokens:
    return Tokens(memory_uow)


def test_a_token_goes_to_nobody_but_who_gave_it(stage: Tokens):
    """RFC 6749 10.4: an owner who edits where tokens are sent has nobody's brought there, and locks nobody out."""
    edited = stage.edit(token_url=ELSEWHERE)
    assert isinstance(edited, ProviderSaved)
    assert (edited.changed, edited.forgotten, stage.adas.memory) == (("config",), 1, None)
    stage.fetcher.asked.clear()
    for day in range(1, 7):
        stage.clock.advance(DAY)
        assert stage.flows.upkeep.recheck_links() == LinksRechecked(unasked=1), day
    assert stage.fetcher.asked == []
    assert stage.member(stage.ada.user, stage.acme).flags == MemberFlag.SSO_LINKED  # type: ignore[union-attr]  # a member


@pytest.mark.parametrize("changed", [{"token_url": ELSEWHERE}, {"client_id": "another client"}])
def test_it_is_an_owners_to_change_where_tokens_go_and_for_whom(stage: Tokens, changed: dict[str, str]):
    """And they know the secret that goes there, too; nobody else's edit makes anybody forget."""
    mia = stage.person("mia@example.com")
    stage.joining.members.add(CONTEXT, organization=stage.acme, user=mia.user, role="manager")
    stage.sign_in(mia)
    settings = {name: value for name, value in SETTINGS.items() if name != "client_secret"}
    for who, given, code in (
        (mia, {**SETTINGS, **changed}, Code.MEMBERSHIP_FORBIDDEN),
        (stage.olga, {**settings, **changed}, Code.SSO_INPUT_INVALID),
    ):
        refused = who.browser.ask(stage.flows.providers.edit, CONTEXT, organization=stage.acme, settings=given)
        assert isinstance(refused, Refused)
        assert refused.code is code
    assert stage.adas.memory is not None
    assert stage.edit(**changed).forgotten == 1


def test_what_is_edited_beside_it_leaves_people_asked_about(stage: Tokens):
    assert stage.edit(scopes=["read"], client_secret="another", name="mail").forgotten == 0
    stage.fetcher.provider.client_secret = "another"
    stage.clock.advance(DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(confirmed=1)
    assert stage.fetcher.asked[0][0] == GOOD["token_url"]


def test_a_token_that_comes_while_it_is_edited_where_tokens_go_is_not_kept(stage: Tokens):
    """The provider was asked under the former settings, at the former address: what it renewed belongs there."""
    stage.fetcher.meanwhile = lambda: stage.edit(token_url=ELSEWHERE)
    stage.clock.advance(DAY)
    stage.elevate(stage.olga)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(ended=1)
    assert stage.adas.memory is None
    stage.clock.advance(DAY)
    stage.fetcher.asked.clear()
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(unasked=1)
    assert stage.fetcher.asked == []
