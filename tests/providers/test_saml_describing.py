"""What a provider's administrator is given of us: before it is connected, while it is proposed, and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from authflow import Code, MetadataShown, OrganizationId, Refused
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.providers.saml.certificates import pem
from authflow.adapters.providers.saml.xml import name
from authflow.errors import InputInvalid
from tests.journey.sso_stage import SsoStage
from tests.providers.saml.installed import SamlStage
from tests.providers.saml.stage import keys

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def stage() -> SamlStage:
    return SamlStage(MemoryUnitOfWork())


def shown(stage: SsoStage, organization: str, **given: Any) -> MetadataShown:
    answer = stage.flows.providers.metadata(organization=OrganizationId(organization), **given)
    assert isinstance(answer, MetadataShown), answer
    return answer


def certificates(document: str) -> list[str | None]:
    return [found.text for found in etree.fromstring(document).iter(name("ds", "X509Certificate"))]


def test_each_organization_has_addresses_of_its_own_before_it_has_a_provider(stage: SamlStage):
    for place in (stage.organization("acme"), stage.organization("globex")):
        answer = shown(stage, place)
        root = etree.fromstring(answer.document)
        assert root.get("entityID") == answer.entity_id
        found = {element.tag: element.get("Location") for element in root.iter() if "Location" in element.attrib}
        assert found[name("md", "AssertionConsumerService")] == answer.callback
        assert found[name("md", "SingleLogoutService")] == answer.logout
        assert all(place in url for url in (answer.entity_id, answer.callback, answer.logout))
        assert certificates(answer.document) == []
        assert answer.media_type == "application/samlmetadata+xml"


def test_a_proposal_shows_its_certificate_before_the_provider_knows_us(stage: SamlStage):
    acme, ours = stage.organization(), keys("sp")
    proposed = {"certificate": pem(ours.certificate), "sign_requests": True}
    answer = shown(stage, acme, kind="saml2", settings=proposed)
    assert set(certificates(answer.document)) == {ours.certificate}
    assert 'AuthnRequestsSigned="true"' in answer.document
    assert ours.private_key.reveal().splitlines()[1] not in answer.document


def test_what_stands_describes_itself_to_anybody(stage: SamlStage):
    ours = keys("sp")
    pair = {"private_key": ours.private_key.reveal(), "certificate": ours.certificate, "encrypted": True}
    acme = stage.connected(encrypted=False, **{key: pair[key] for key in ("private_key", "certificate")})
    answer = shown(stage, acme)
    assert certificates(answer.document) == [ours.certificate] * 2
    assert shown(stage, acme, kind="saml2") == answer
    assert ours.private_key.reveal().splitlines()[1] not in answer.document


@pytest.mark.parametrize("settings", [{"certificate": "none"}, {"sign_requests": True}, {"certificate": 7}])
def test_a_proposal_without_a_usable_certificate_says_so(stage: SamlStage, settings: Mapping[str, Any]):
    acme = stage.organization()
    refused = stage.flows.providers.metadata(organization=acme, kind="saml2", settings=settings)
    assert isinstance(refused, Refused)
    assert (refused.code, list(refused.problems)) == (Code.SSO_INPUT_INVALID, ["certificate"])


def test_what_cannot_be_described_is_refused_by_its_name(stage: SamlStage):
    plain = SsoStage(MemoryUnitOfWork())
    closed = stage.organization("closed", active=False)
    acme, globex = stage.organization(), plain.organization("globex")
    plain.connect(globex)
    asked = [
        (stage, OrganizationId("nowhere"), "", Code.ORGANIZATION_UNKNOWN),
        (stage, closed, "", Code.ORGANIZATION_UNKNOWN),
        (stage, acme, "other", Code.SSO_KIND_UNKNOWN),
        (plain, plain.organization("none"), "", Code.SSO_NO_PROVIDER),
        (plain, globex, "", Code.SSO_KIND_UNABLE),
        (plain, globex, "google", Code.SSO_KIND_UNABLE),
    ]
    for at, place, kind, code in asked:
        refused = at.flows.providers.metadata(organization=place, kind=kind)
        assert isinstance(refused, Refused)
        assert refused.code is code
    with pytest.raises(InputInvalid):
        stage.flows.providers.metadata(organization=acme, settings=7)  # type: ignore[arg-type]  # nothing else is refused
