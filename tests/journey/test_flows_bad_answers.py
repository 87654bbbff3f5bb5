"""Whatever a provider of a real kind answers: a documented code, one entry in the organization's log, and nothing else.

Each answer is brought for somebody whom a good one signs in. That a kind refuses it, in every shape, `tests/providers`
says; here it is what the whole flow makes of it, and what it leaves in the tables.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import pytest
from lxml import etree

from authflow import Code, Refused, SentAway, SignedOn
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.providers.oidc import OidcKind
from authflow.adapters.providers.saml.xml import MESSAGE_MAX
from authflow.facts.records import Audit
from authflow.sso.fetching import Response
from authflow.sso.kinds import Callback, Kinds
from authflow.testing.browsers import Browser, installed
from authflow.testing.openid import Fault, InProcess, SigningKey
from authflow.testing.openid.keys import sign_with_secret, unsigned
from authflow.testing.providers import connect
from authflow.testing.saml import SamlFault, SamlPerson
from tests.journey.sso_stage import SsoStage
from tests.providers.peers import provider
from tests.providers.saml.installed import SamlStage
from tests.providers.saml.wrapping import ALGORITHMS, OF_ASSERTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.keys import KeyRing
    from authflow.policy import Policy
    from authflow.sso.fetching import Request, Unfetched
    from authflow.values import OrganizationId
    from authflow.wiring import Authflow

Trick: TypeAlias = "Callable[[dict[str, Any], SigningKey], Any]"

REFUSAL: Final = {"audit", "limit", "outbox", "sso_pipeline"}
"""The entry in the log, how often it was written, what leaves of it, and the sign-in, which is over."""

ADA: Final = SamlPerson(subject="ada-1", email="ada@example.com")


@attrs.define
class Visit:
    """Somebody who is linked, in a browser that goes to the provider and comes back."""

    stage: Any
    place: OrganizationId
    browser: Browser = attrs.field(factory=Browser)

    def leave(self) -> Any:
        return self.browser.ask(self.stage.flows.sso.start, self.browser.context, organization=self.place)

    def back(self, away: SentAway, brought: Callback) -> Any:
        resume = self.stage.flows.sso.resume
        return self.browser.ask(resume, self.browser.context, pipeline=away.pipeline, callback=brought)

    def refused(self, away: SentAway, brought: Callback, code: Code, *, told: bool = True) -> None:
        """Come back, and be refused by *code*; *told* says whether the organization's log has it."""
        with self.stage.writes(*(REFUSAL if told else {"sso_pipeline"})):
            answer = self.back(away, brought)
        assert isinstance(answer, Refused), answer
        assert answer.code is code
        assert self.stage.audited_in(self.place) == [Audit.SSO_SIGN_ON_REFUSED] * told
        assert self.stage.flows.sessions.identify(answer.session).user is None


# --- SAML -------------------------------------------------------------------------------------------------------------


def by_saml() -> tuple[Visit, SentAway]:
    stage = SamlStage(MemoryUnitOfWork())
    visit = Visit(stage, stage.trusting("acme"))
    stage.link(stage.person().user, visit.place, ADA.subject)
    return visit, visit.leave()


def deflated(document: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(document) + stream.flush()


def attacked(attack: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    return lambda document: etree.tostring(attack(etree.fromstring(document)))


DOCUMENTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "nothing": lambda _: b"",
    "truncated": lambda document: document[:-40],
    "oversized": lambda document: document + b" " * MESSAGE_MAX,
    "compressed": deflated,
    "with a document type": lambda document: b"<!DOCTYPE r>" + document,
    "with an entity": lambda document: b'<!DOCTYPE r [<!ENTITY e "ada-1">]>' + document.replace(b"ada-1", b"&e;"),
    "with a comment": lambda document: document.replace(b"ada-1", b"ada<!---->-1"),
    "with an instruction": lambda document: document.replace(b"ada-1", b"ada<?x?>-1"),
    **{attack.__name__: attacked(attack) for attack in OF_ASSERTIONS},
    **{name: attacked(attack) for name, attack in ALGORITHMS.items()},
}

SAML_FAULTS: Final = {
    **dict.fromkeys(SamlFault, Code.SSO_RESPONSE_INVALID),
    **dict.fromkeys((SamlFault.EXPIRED, SamlFault.EARLY, SamlFault.SESSION_OVER), Code.SSO_IDENTITY_EXPIRED),
    **dict.fromkeys((SamlFault.NO_IDENTIFIER, SamlFault.NO_ADDRESS), Code.SSO_IDENTITY_INCOMPLETE),
    SamlFault.REFUSED: Code.SSO_PROVIDER_REFUSED,
}

NO_FAULTS: Final = {SamlFault.REUSED, SamlFault.CHANGED_SUBJECT}
"""The first time an assertion is given it is a good one; and whoever has another subject is somebody else."""


def test_a_good_saml_answer_signs_somebody_in():
    visit, away = by_saml()
    assert isinstance(visit.back(away, visit.stage.answered(away, ADA)), SignedOn)


@pytest.mark.parametrize("change", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_that_is_another_one_than_was_signed(change: Callable[[bytes], bytes]):
    visit, away = by_saml()
    fields = visit.stage.answered(away, ADA).fields
    document = change(base64.b64decode(fields["SAMLResponse"][0]))
    brought = Callback(fields={**fields, "SAMLResponse": (base64.b64encode(document).decode(),)})
    visit.refused(away, brought, Code.SSO_RESPONSE_INVALID)


@pytest.mark.parametrize("fault", [fault for fault in SamlFault if fault not in NO_FAULTS])
def test_a_saml_provider_that_lies(fault: SamlFault):
    visit, away = by_saml()
    visit.refused(away, visit.stage.answered(away, ADA, fault), SAML_FAULTS[fault])


# --- OpenID Connect ---------------------------------------------------------------------------------------------------


@attrs.define
class Altering(InProcess):
    """`InProcess`, on whose way an ID token is altered: it says what it said, in another form."""

    trick: Trick | None = None

    def fetch(self, request: Request) -> Response | Unfetched:
        found = InProcess.fetch(self, request)
        if self.trick is None or not isinstance(found, Response) or b'"id_token"' not in found.body:
            return found
        said = json.loads(found.body)
        claims = json.loads(base64.urlsafe_b64decode(said["id_token"].split(".")[1] + "=="))
        said["id_token"] = self.trick(claims, self.provider.keys[0])
        return attrs.evolve(found, body=json.dumps(said).encode())


class OpenIdStage(SsoStage):
    """`SsoStage` with the real kind."""

    def _over(self, uow: Any, ring: KeyRing, policy: Policy | None) -> Authflow:
        self.way = Altering(provider(clock=self.clock))
        self.kind = OidcKind(self.way)
        return installed(
            uow,
            clock=self.clock,
            entropy=self.entropy,
            mailer=self.mailer,
            ring=ring,
            policy=policy or self.policy,
            kinds=Kinds(self.kind),
        )


def by_openid(*faults: Fault) -> Visit:
    stage = OpenIdStage(MemoryUnitOfWork())
    place, there = stage.organization(), stage.way.provider
    config: dict[str, Any] = {"issuer": there.issuer, "client_id": "client", "client_secret": "a secret"}
    connect(stage.joining, place, stage.kind, cipher=stage.cipher, config={**config, "algorithms": ["ES256"]})
    stage.link(stage.person().user, place, "alice")
    there.faults.update(faults)
    return Visit(stage, place)


def approved(visit: Visit, away: SentAway) -> Callback:
    return Callback(fields=visit.stage.way.provider.approve(away.url, "alice"))


def headed(**header: Any) -> Trick:
    """Return what signs a token as the provider does, under a header that says more, or something else."""
    return lambda claims, key: key.sign(claims, header)


MALLORY: Final = SigningKey.generate(kid="key-1")

TRICKS: Final[dict[str, Trick]] = {
    "unsigned": lambda claims, key: unsigned(claims, {"kid": key.kid}),
    "by the public key as a secret": lambda claims, key: sign_with_secret(claims, key.public_pem, {"kid": key.kid}),
    "by another key": lambda claims, _: MALLORY.sign(claims),
    "by another key that it brings": lambda claims, _: MALLORY.sign(claims, {"jwk": MALLORY.jwk}),
    "by another key at an address": lambda claims, _: MALLORY.sign(claims, {"jku": "https://mallory.example/keys"}),
    "without its signature": lambda claims, key: f"{key.sign(claims).rpartition('.')[0]}.",
    "cut": lambda claims, key: key.sign(claims)[:-8],
    "two parts": lambda claims, key: key.sign(claims).rpartition(".")[0],
    "of another algorithm": headed(alg="RS256"),
    "with an unknown extension": headed(crit=["exp"], exp=1),
    "with a payload that is not encoded": headed(b64=False, crit=["b64"]),
    "an access token": headed(typ="at+jwt"),
    "under a list of keys": headed(kid=["key-1"]),
    "with a header of 20 kB": headed(x="x" * 20_000),
    "encrypted": lambda _claims, _key: "eyJhbGciOiJSU0ExXzUifQ.AA.AA.AA.AA",
    "a list": lambda claims, key: [key.sign(claims)],
    "nothing": lambda _claims, _key: "",
}

HARMLESS: Final = {Fault.TERSE, Fault.CHANGED_SUBJECT, Fault.REUSABLE_CODE, Fault.IGNORED_PKCE, Fault.LYING_USERINFO}
"""An ID token that says enough is all that is asked; another subject is somebody else; PKCE is theirs to check."""

BEFORE: Final = {Fault.FOREIGN_METADATA, Fault.NO_PKCE}
"""Who does this is not gone to."""

SILENT: Final = {Fault.SLOW, Fault.BROKEN}
"""Who does this said nothing."""


def test_a_good_openid_answer_signs_somebody_in():
    visit = by_openid()
    away = visit.leave()
    visit.stage.way.trick = headed(x="whatever")
    assert isinstance(visit.back(away, approved(visit, away)), SignedOn)


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_a_token_with_a_trick(trick: Trick):
    visit = by_openid()
    away = visit.leave()
    visit.stage.way.trick = trick
    visit.refused(away, approved(visit, away), Code.SSO_RESPONSE_INVALID)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in HARMLESS | BEFORE])
def test_an_openid_provider_that_lies_hangs_streams_or_redirects(fault: Fault):
    visit = by_openid()
    away = visit.leave()
    visit.stage.way.provider.faults.add(fault)
    code = Code.SSO_PROVIDER_UNREACHABLE if fault in SILENT else Code.SSO_RESPONSE_INVALID
    visit.refused(away, approved(visit, away), Code.SSO_PROVIDER_REFUSED if fault is Fault.ECHOING else code)


@pytest.mark.parametrize("fault", sorted(BEFORE | SILENT | {Fault.HUGE, Fault.REDIRECTING, Fault.NO_JSON}))
def test_nobody_is_sent_to_a_provider_that_describes_itself_wrongly(fault: Fault):
    visit = by_openid(fault)
    with visit.stage.writes("session"):
        answer = visit.leave()
    assert isinstance(answer, Refused), answer
    assert answer.code is (Code.SSO_PROVIDER_UNREACHABLE if fault in SILENT else Code.SSO_RESPONSE_INVALID)
