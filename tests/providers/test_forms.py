"""What each kind says of its settings is what it reads: a form that is drawn from it leaves nothing out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from authflow import Authflow
from authflow.adapters.providers.openid import openid_kinds
from authflow.adapters.providers.saml.kind import Saml2
from authflow.adapters.providers.saml.presets import PRESETS
from authflow.adapters.providers.saml.settings import GIVEN
from authflow.errors import InputInvalid
from authflow.sso.capabilities import Listing, Setting, Shape
from authflow.sso.endpoints import Endpoints
from authflow.sso.kinds import Kinds
from authflow.testing import SeededEntropy
from authflow.testing.openid import InProcess
from authflow.testing.providers import FakeProvider
from tests.providers import test_github, test_google, test_oauth2, test_oidc
from tests.providers.peers import provider
from tests.providers.saml.stage import keys
from tests.providers.saml.stage import kind as saml_kind
from tests.providers.saml.stage import provider as saml_provider

if TYPE_CHECKING:
    from authflow.sso.kinds import Kind

SAML: Final = {name: value for name, value in saml_provider().settings().items() if value not in (None, "")}
GOOD: Final[dict[str, dict[str, Any]]] = {
    "github": test_github.GOOD,
    "google": test_google.GOOD,
    "oauth2": test_oauth2.GOOD,
    "oidc": test_oidc.GOOD,
    "saml2": SAML,
}
KINDS: Final[dict[str, Kind]] = {kind.key: kind for kind in (*openid_kinds(InProcess(provider())), saml_kind())}
NO_SUCH: Final = {Shape.TEXT: 7, Shape.LIST: "one", Shape.NUMBER: "7", Shape.FLAG: "true"}
EACH: Final = [
    pytest.param(kind, each, id=f"{kind.key}-{each.name}")
    for kind in KINDS.values()
    if isinstance(kind, Listing)
    for each in kind.settings
]
CHOSEN: Final = [
    pytest.param(kind, each, id=f"{kind.key}-{each.name}")
    for kind in KINDS.values()
    if isinstance(kind, Listing)
    for each in kind.settings
    if each.choices
]


def refused(kind: Kind, changes: dict[str, Any]) -> str | None:
    """Return the name of the setting that is refused first; a setting that is none is left out."""
    given = {name: value for name, value in {**GOOD[kind.key], **changes}.items() if value is not None}
    return next(iter(problems(kind, given)), None)


def problems(kind: Kind, given: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with what is *given*, by the settings' names."""
    try:
        kind.read(given)
    except InputInvalid as error:
        return dict(error.problems)
    return {}


def test_an_error_says_everything_in_its_text_too():
    with pytest.raises(InputInvalid, match=r"\[issuer is missing; client_id is missing\]") as error:
        KINDS["oidc"].read({})
    assert (error.value.field, error.value.problem) == error.value.problems[0] == ("issuer", "is missing")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_setting_is_listed_once_and_no_other(kind: Kind):
    assert isinstance(kind, Listing)
    names = [each.name for each in kind.settings]
    assert len(names) == len(set(names))
    assert set(names) == (GIVEN if kind.key == "saml2" else kind.trust)
    assert {each.name for each in kind.settings if each.secret} == kind.secrets
    assert refused(kind, {}) is None


@pytest.mark.parametrize(("kind", "setting"), EACH)
def test_a_setting_is_of_its_shape_and_missed_where_it_is_required(kind: Kind, setting: Setting):
    key = keys("sp").private_key.reveal() if setting.name == "certificate" else None  # it is read where there is one
    assert refused(kind, {"private_key": key, setting.name: NO_SUCH[setting.shape]}) == setting.name
    alone = setting.name not in {"entity_id", "sso_url", "certificates"}  # SAML's metadata says them as well
    assert (refused(kind, {setting.name: None}) == setting.name) == (setting.required or not alone)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_everything_that_is_missing_is_said_at_once(kind: Kind):
    assert isinstance(kind, Listing)
    by_hand = {"entity_id", "sso_url", "certificates"} if kind.key == "saml2" else set[str]()
    required = {each.name for each in kind.settings if each.required} | by_hand
    assert problems(kind, {}) == dict.fromkeys(required, "is missing")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_everything_that_is_wrong_is_said_at_once(kind: Kind):
    assert isinstance(kind, Listing)
    read = [each for each in kind.settings if each.name != "metadata"]  # its URL stands in for it
    given = {each.name: NO_SUCH[each.shape] for each in read}
    described = {"entity_id", "sso_url", "sso_binding", "slo_url", "certificates", "valid_until"}  # by the metadata
    assert set(problems(kind, {**given, "colour": "red", "shape": 1})) == {"colour", "shape", *given} - described


@pytest.mark.parametrize(("kind", "setting"), CHOSEN)
def test_what_can_be_chosen_is_read_and_nothing_else_is(kind: Kind, setting: Setting):
    def as_it_is(choice: str) -> object:
        return [choice] if setting.shape is Shape.LIST else choice

    assert [choice for choice in setting.choices if refused(kind, {setting.name: as_it_is(choice)})] == []
    assert refused(kind, {setting.name: as_it_is("something else")}) == setting.name


def test_a_host_is_shown_what_to_ask_for_and_nothing_of_a_kind_that_does_not_say():
    kinds = Kinds(*KINDS.values(), FakeProvider())
    flows = Authflow.in_memory(kinds=kinds, endpoints=Endpoints.at("https://app.example/sso"))
    shown = {view.key: view.settings for view in flows.providers.kinds()}
    assert {view.key: view.naming for view in flows.providers.kinds()} == {kind.key: kind.naming for kind in kinds}
    assert shown.pop("fake") == ()
    assert {key: settings for key, settings in shown.items() if settings} == shown
    assert Setting(name="client_secret", required=True, secret=True) in shown["github"]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_a_preset_asks_for_less(preset: Any):
    kind = Saml2(fetcher=InProcess(provider()), entropy=SeededEntropy(), preset=preset)
    required = {each.name for each in kind.settings if each.required}
    assert required == (set() if preset.attributes else {"identifier", "email"})
