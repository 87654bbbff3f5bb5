"""Where secrets and tokens go, and what a change of it asks for: every setting of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from authflow.adapters.providers.openid import openid_kinds
from authflow.adapters.providers.saml import saml_kinds
from authflow.adapters.system import SystemEntropy
from authflow.sso.difference import SAME, compare
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


FORGOTTEN: Final = {
    "oidc": {"issuer", "client_id"},
    "oauth2": {"token_url", "userinfo_url", "client_id"},
    "google": {"client_id"},
    "fake": {"url", "issuer"},
}
"""By which settings a person's refresh token would go elsewhere, or on behalf of another client."""


def settings(kind: Kind, value: str = "before") -> dict[str, str]:
    return dict.fromkeys(kind.trust | kind.secrets, value)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_secret_is_given_again_only_where_it_would_go_elsewhere(kind: Kind):
    """A renewed certificate, a mapping, a scope: nothing secret goes anywhere new by them."""
    assert kind.sent_to.keys() == kind.secrets
    before = settings(kind)
    after = {name: {**before, name: "after"} for name in before}
    withheld = {name for name in before if compare(kind, before, after[name], given={name}).withheld}
    assert withheld == ASKED.get(kind.key, set())
    assert not any(compare(kind, before, after[name], given=before).withheld for name in before)
    every = compare(kind, before, settings(kind, "after"), given=())
    assert every.withheld == (kind.secrets if withheld else set())
    assert compare(kind, {}, after["client_id" if "client_id" in before else min(before)], given=()).withheld == set()


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_what_links_remember_is_forgotten_where_it_would_go_elsewhere(kind: Kind):
    """RFC 6749 10.4: whoever edits where tokens are sent, or for whom, does not have them brought there."""
    before = settings(kind)
    forgotten = {name for name in before if compare(kind, before, {**before, name: "after"}, given=before).forgets}
    assert forgotten == FORGOTTEN.get(kind.key, set())
    assert forgotten == kind.memory_sent_to


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_what_is_believed_is_an_owners_to_change(kind: Kind):
    """Whom to believe, what is secret, where that goes, and whose names the subjects are; nothing differs by itself."""
    before = {**settings(kind), "colour": "before"}
    assert compare(kind, before, dict(before), given=before) == SAME
    changed = {name for name in before if compare(kind, before, {**before, name: "after"}, given=before).trusted}
    assert changed == set(before) - {"colour"}
    named = {name for name in before if compare(kind, before, {**before, name: "after"}, given=before).naming}
    assert named == kind.naming
    fewer = {
        name for name in before if compare(kind, before, {n: before[n] for n in before if n != name}, given=()).trusted
    }
    assert fewer == changed


def test_a_secret_of_which_a_kind_does_not_say_where_it_goes_is_given_again_with_everything():
    kind = FakeProvider(sent_to={})
    before = settings(kind)
    withheld = {name for name in before if compare(kind, before, {**before, name: "after"}, given={name}).withheld}
    assert withheld == {"url", "issuer"}


def test_where_something_goes_is_an_owners_to_change_whether_or_not_it_is_believed():
    """A kind of a host's own may name a setting in one list and forget it in the other."""
    kind = FakeProvider(trust=frozenset(), naming=frozenset({"issuer"}), memory_sent_to=frozenset({"proxy"}))
    trusted = {n for n in ("url", "issuer", "proxy", "colour") if compare(kind, {}, {n: "after"}, given=()).trusted}
    assert trusted == {"url", "issuer", "proxy"}
