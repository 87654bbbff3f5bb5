"""The identity providers of the demo: two of one kind, Acme's and a liar's, and the browsers of people there."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qs, quote, urlsplit

import attrs

from authflow.cli.demo.certified import certified
from authflow.cli.demo.forging import INVENTED, OVERWRITTEN
from authflow.cli.demo.pysaml2 import pysaml2
from authflow.cli.demo.sso_cast import ACME, ENDPOINTS, GLOBEX
from authflow.errors import ExtraMissing
from authflow.sso.kinds import Callback, Departure

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from authflow.cli.demo.forging import Forgery
    from authflow.journey.sso.answers import SentAway
    from authflow.sso.kinds import Document, Kind


class Idp(Protocol):
    """One provider, and what it knows of people."""

    @property
    def where(self) -> str:
        """Where it is, for the page that tells of it."""
        ...

    @property
    def settings(self) -> Document:
        """What an owner types to connect it."""
        ...

    def knows(self, subject: str, email: str, name: str) -> None:
        """Let it know somebody."""
        ...

    def sign_in(self, away: SentAway, subject: str) -> Callback:
        """Sign *subject* in where the browser was sent; return what the browser brings back."""
        ...


class Leavable(Protocol):
    """A provider with single logout; the browser carries what both sides say in the addresses it is sent to."""

    def signs_out(self, url: str, back: str) -> str:
        """End the session there that *url* asks to end; return the query that the browser brings to *back*."""
        ...

    def ends(self, subject: str, there: str) -> str:
        """Return the query by which it asks, at *there*, to end the session of *subject* here."""
        ...


@attrs.frozen(kw_only=True)
class Pair:
    """Acme's provider and the liar's, and the kind that speaks to both.

    Args:
        forgery: How people would forge what they bring.
        posts: The answer comes cross-site.
        leaving: Acme's again, where sessions end on both sides.
    """

    kind: Kind
    ours: Idp
    liars: Idp
    forgery: Forgery
    posts: bool = False
    leaving: Leavable | None = None


@attrs.frozen
class OpenId:
    """`authflow.testing.openid` on loopback: the browser speaks HTTP to it."""

    fake: Any

    @property
    def where(self) -> str:
        """What it calls itself."""
        return str(self.fake.issuer)

    @property
    def settings(self) -> Document:
        """Return its address, and the one client it knows."""
        return {
            "issuer": self.fake.issuer,
            "client_id": self.fake.client_id,
            "client_secret": self.fake.client_secret,
            "algorithms": [self.fake.keys[0].algorithm],
        }

    def knows(self, subject: str, email: str, name: str) -> None:
        """Put somebody into its tokens."""
        self.fake.people[subject] = {"email": email, "email_verified": True, "name": name}

    def sign_in(self, away: SentAway, subject: str) -> Callback:
        """Ask for the page, as a browser whose person is signed in there, and stop at the way back."""
        import httpx2

        at = f"{away.url}&login_hint={quote(subject)}"
        answer = httpx2.get(at, trust_env=False, follow_redirects=False)
        fields = parse_qs(urlsplit(answer.headers["location"]).query)
        return Callback(fields={name: tuple(values) for name, values in fields.items()})


@attrs.frozen
class Saml:
    """`authflow.testing.saml`: it reads our request, signs an answer, and the browser posts it."""

    fake: Any
    people: dict[str, Any] = attrs.field(factory=dict[str, Any])

    @property
    def where(self) -> str:
        """What it calls itself."""
        return str(self.fake.entity_id)

    @property
    def settings(self) -> Document:
        """Return its addresses and its certificate."""
        found: Document = self.fake.settings()
        return found

    def knows(self, subject: str, email: str, name: str) -> None:
        """Put somebody into its attributes."""
        from authflow.testing.saml import SamlPerson

        first, _, last = name.partition(" ")
        self.people[subject] = SamlPerson(subject=subject, email=email, first_name=first, last_name=last)

    def sign_in(self, away: SentAway, subject: str) -> Callback:
        """Let it read the request, and sign an answer to it."""
        departure = Departure(url=away.url, form=away.form, request={})
        answered: Callback = self.fake.answer(departure, self.people[subject])
        return answered

    def signs_out(self, url: str, back: str) -> str:
        """Answer the request in *url*."""
        return urlsplit(str(self.fake.ended_session(url, back))).query

    def ends(self, subject: str, there: str) -> str:
        """Ask for the session that its last answer about *subject* began."""
        return urlsplit(str(self.fake.ends_session(self.fake.said[subject], there))).query


@contextmanager
def openid_pair() -> Generator[Pair]:
    """Serve two providers of OpenID Connect on loopback.

    Raises:
        ExtraMissing: The extra ``oidc`` is not installed.
    """
    try:
        from authflow.adapters.providers.openid import HttpFetcher, OidcKind
        from authflow.adapters.system import SystemClock, SystemEntropy
        from authflow.testing.openid import FakeOpenId, serve
    except ModuleNotFoundError as error:
        raise ExtraMissing(extra="oidc") from error
    ours, liars = (FakeOpenId(clock=SystemClock(), entropy=SystemEntropy()) for _ in range(2))
    with ExitStack() as stack:
        origins = [stack.enter_context(serve(fake)) for fake in (ours, liars)]
        yield Pair(
            kind=OidcKind(HttpFetcher(loopback=origins)), ours=OpenId(ours), liars=OpenId(liars), forgery=INVENTED
        )


@contextmanager
def certified_pair() -> Generator[Pair]:
    """Start two of npm's oidc-provider on loopback: what the liar's says is up to whoever runs it.

    Raises:
        ExtraMissing: The extra ``oidc`` is not installed.
        Unfinished: There is no Node here, or no such package.
    """
    try:
        from authflow.adapters.providers.openid import HttpFetcher, OidcKind
    except ModuleNotFoundError as error:
        raise ExtraMissing(extra="oidc") from error
    callbacks = (ENDPOINTS.of(organization).callback for organization in (ACME, GLOBEX))
    with ExitStack() as stack:
        ours, liars = (stack.enter_context(certified(callback)) for callback in callbacks)
        yield Pair(
            kind=OidcKind(HttpFetcher(loopback=[ours.where, liars.where])), ours=ours, liars=liars, forgery=INVENTED
        )


@contextmanager
def saml_pair() -> Generator[Pair]:
    """Make two providers of SAML 2.0, in this process.

    Raises:
        ExtraMissing: The extra ``saml`` is not installed.
    """
    try:
        from authflow.adapters.providers.fetcher import HttpFetcher
        from authflow.adapters.providers.saml import Saml2
        from authflow.adapters.system import SystemClock, SystemEntropy
        from authflow.testing.saml import FakeSamlProvider
    except ModuleNotFoundError as error:
        raise ExtraMissing(extra="saml") from error
    names = ("https://idp.acme.example/saml", "https://idp.globex.example/saml")
    ours, liars = (Saml(FakeSamlProvider(SystemClock(), entity_id=name)) for name in names)
    kind = Saml2(fetcher=HttpFetcher(), entropy=SystemEntropy())
    yield Pair(kind=kind, ours=ours, liars=liars, forgery=OVERWRITTEN, posts=True, leaving=ours)


@contextmanager
def pysaml2_pair() -> Generator[Pair]:
    """Start two of pysaml2, in this process.

    Raises:
        ExtraMissing: The extra ``saml`` is not installed.
        Unfinished: There is no pysaml2 here, or no xmlsec1.
    """
    try:
        from authflow.adapters.providers.fetcher import HttpFetcher
        from authflow.adapters.providers.saml import Saml2
        from authflow.adapters.system import SystemEntropy
    except ModuleNotFoundError as error:
        raise ExtraMissing(extra="saml") from error
    kind = Saml2(fetcher=HttpFetcher(), entropy=SystemEntropy())
    named = (("https://idp.acme.example/saml", ACME), ("https://idp.globex.example/saml", GLOBEX))
    with ExitStack() as stack:
        ours, liars = (stack.enter_context(pysaml2(name, ENDPOINTS.of(place), kind)) for name, place in named)
        yield Pair(kind=kind, ours=ours, liars=liars, forgery=OVERWRITTEN, posts=True, leaving=ours)


PAIRS: Final[dict[str, Callable[[], AbstractContextManager[Pair]]]] = {
    "oidc": openid_pair,
    "oidc-provider": certified_pair,
    "saml": saml_pair,
    "pysaml2": pysaml2_pair,
}
"""By what ``--provider`` calls them."""
