"""When a secret that nobody gives has to be given again: every setting of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from authflow.adapters.providers.openid import openid_kinds
from authflow.adapters.providers.saml import saml_kinds
from authflow.adapters.system import SystemEntropy
from authflow.sso.kinds import given_again
from authflow.testing.openid import InProcess
from authflow.testing.providers import FakeProvider
from tests.providers.peers import provider

if TYPE_CHECKING:
    from authflow.sso.kinds import Kind

FETCHER: Final = InProcess(provider())
KINDS: Final[dict[str, Kind]] = {
    kind.key: kind
    for kind in (*openid_kinds(FETCHER), *saml_kinds(fetcher=FETCHER, entropy=SystemEntropy()), FakeProvider())
}
ASKED: Final = {
    "oidc": {"issuer", "client_id"},
    "oauth2": {"token_url", "client_id"},
    "google": {"client_id"},
    "github": {"client_id"},
    "fake": {"url", "issuer"},
}
"""By which settings a client's secret goes elsewhere; a SAML provider's private key goes nowhere."""


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_secret_is_given_again_only_where_it_would_go_elsewhere(kind: Kind):
    """A renewed certificate, a mapping, a scope: nothing secret goes anywhere new by them."""
    assert kind.sent_to.keys() == kind.secrets
    before = dict.fromkeys(kind.trust | kind.secrets, "before")
    asked = {name for name in before if given_again(kind, before, {**before, name: "after"}, kind.secrets)}
    assert asked == ASKED.get(kind.key, set())
    assert all(given_again(kind, before, {**before, name: "after"}, ()) == set() for name in before)
    assert given_again(kind, before, dict.fromkeys(before, "after"), kind.secrets) == (kind.secrets if asked else set())


def test_a_secret_of_which_a_kind_does_not_say_where_it_goes_is_given_again_with_everything():
    kind = FakeProvider(sent_to={})
    before = {"url": "before", "issuer": "before", "client_secret": "before"}
    asked = {name for name in before if given_again(kind, before, {**before, name: "after"}, kind.secrets)}
    assert asked == {"url", "issuer"}
