"""A stage with providers: what people do at their browsers, and at their organization's provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from authflow.adapters.keys import AesGcmCipher
from authflow.journey.sso.answers import SentAway
from authflow.sso.kinds import Kinds
from authflow.testing.browsers import installed
from authflow.testing.providers import FakeProvider, connect
from tests.stage import CONTEXT, Stage

if TYPE_CHECKING:
    from authflow.adapters.keys import KeyRing
    from authflow.policy import Policy
    from authflow.sso.case import Choice
    from authflow.sso.kinds import Callback
    from authflow.sso.links import Link
    from authflow.testing.browsers import Browser
    from authflow.values import OrganizationId, ProviderId, Secret, UserId
    from authflow.wiring import Authflow
    from tests.stage import Person


class SsoStage(Stage):
    """`Stage` where organizations have providers of two kinds: one that nobody trusts with addresses, one trusted."""

    def __init__(self, uow: Any, policy: Policy | None = None, entropy: Any = None, face: Any = None) -> None:
        self.idp, self.google = self.provider(), FakeProvider(key="google", name="Google")
        self.excluded: set[str] = set()
        super().__init__(uow, policy, entropy, face)

    def provider(self) -> FakeProvider:
        """Make the one that nobody trusts with addresses."""
        return FakeProvider()

    def _over(self, uow: Any, ring: KeyRing, policy: Policy | None) -> Authflow:
        return installed(
            uow,
            clock=self.clock,
            entropy=self.entropy,
            mailer=self.mailer,
            ring=ring,
            policy=policy or self.policy,
            kinds=Kinds(self.idp, self.google, connects=self.connects, provisions=self.provisions),
        )

    def connects(self, _organization: OrganizationId, kind: str) -> bool:
        """Tell what an organization's plan includes: everything, unless a test says otherwise."""
        return kind not in self.excluded

    def provisions(self, _organization: OrganizationId, kind: str) -> bool:
        """Tell where the host serves SCIM: to the kind that nobody trusts with addresses."""
        return kind == self.idp.key

    @property
    def cipher(self) -> AesGcmCipher:
        return AesGcmCipher(self.ring, self.entropy)

    def connect(self, organization: OrganizationId, kind: FakeProvider | None = None, **settings: Any) -> ProviderId:
        """Let *organization* have a provider already."""
        return connect(self.joining, organization, kind or self.idp, cipher=self.cipher, **settings)

    def found(self, person: Person, organization: OrganizationId, role: str | None = None) -> None:
        """Make *person* a member, as the host does."""
        self.joining.members.add(CONTEXT, organization=organization, user=person.user, role=role)

    # --- at a browser ---------------------------------------------------------------------------------------------

    def start(self, browser: Browser, organization: OrganizationId, *, link: bool = False) -> Trip:
        """Send *browser* away."""
        command = self.flows.sso.start_link if link else self.flows.sso.start
        away = browser.ask(command, browser.context, organization=organization)
        assert isinstance(away, SentAway), away
        return Trip(self, browser, away)

    def come(self, browser: Browser, organization: OrganizationId, subject: str, *, link: bool = False) -> Trip:
        """Send *browser* away, and back as *subject*."""
        trip = self.start(browser, organization, link=link)
        trip.answer = trip.back(subject)
        return trip

    # --- what can be seen afterwards ------------------------------------------------------------------------------

    def links_of(self, user: UserId) -> tuple[Link, ...]:
        with self.uow.begin() as tx:
            found: tuple[Link, ...] = tx.links.all_of_user(user)
            return found

    def link(self, user: UserId, organization: OrganizationId, subject: str, link: str | None = None) -> Link:
        """Let *user* have been linked already."""
        from authflow.sso.identity import Subject
        from authflow.sso.links import Link
        from authflow.values import LinkId, ProviderId

        now = self.clock.now()
        made = Link(
            id=LinkId(link or f"link-{user}-{subject}"[:64]),
            organization=organization,
            provider=ProviderId(f"{organization}-idp"),
            subject=Subject(subject),
            user=user,
            linked_at=now,
            verified_at=now,
            synced_at=now,
        )
        with self.uow.begin() as tx:
            tx.links.add(made)
        return made


@attrs.define
class Trip:
    """One sign-in through a provider, in one browser."""

    stage: SsoStage
    browser: Browser
    away: SentAway
    answer: Any = None

    @property
    def pipeline(self) -> Secret:
        return self.away.pipeline

    def callback(self, subject: str) -> Callback:
        """What the browser brings back."""
        return self.stage.idp.answer(self.away.url, subject)  # every kind of ours answers alike

    def back(self, subject: str) -> Any:
        return self.resume(self.callback(subject))

    def resume(self, callback: Callback | None = None, browser: Browser | None = None) -> Any:
        at = browser or self.browser
        return at.ask(self.stage.flows.sso.resume, at.context, pipeline=self.pipeline, callback=callback)

    def choose(self, choice: Choice, browser: Browser | None = None) -> Any:
        at = browser or self.browser
        return at.ask(self.stage.flows.sso.choose, at.context, pipeline=self.pipeline, choice=choice)

    def look(self) -> Any:
        return self.browser.ask(self.stage.flows.sso.look, pipeline=self.pipeline)

    def mail_proof(self) -> Any:
        return self.browser.ask(self.stage.flows.sso.mail_proof, self.browser.context, pipeline=self.pipeline)

    def open_link(self, token: Secret, browser: Browser | None = None) -> Any:
        at = browser or self.browser
        return at.ask(self.stage.flows.sso.open_link, at.context, pipeline=self.pipeline, token=token)

    def abandon(self) -> Any:
        return self.browser.ask(self.stage.flows.sso.abandon, self.browser.context, pipeline=self.pipeline)
