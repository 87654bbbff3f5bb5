"""What all kinds of the extra ``oidc`` have in common."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import attrs
import pytest

from authflow.adapters.providers.oidc import OidcKind
from authflow.adapters.providers.openid import openid_kinds
from authflow.sso.kinds import Kinds
from authflow.testing.openid import Fault, InProcess
from tests.providers.peers import Way, provider

if TYPE_CHECKING:
    from authflow.sso.fetching import Request, Response, Unfetched


def test_all_kinds_go_into_a_registry():
    kinds = Kinds(*openid_kinds(InProcess(provider())))
    assert [kind.key for kind in kinds] == ["github", "google", "oauth2", "oidc"]
    assert all(kind.secrets <= kind.trust for kind in kinds)


@pytest.mark.parametrize("library", ["httpx2", "joserfc"])
def test_what_is_not_installed_is_named_by_its_extra(library: str):
    program = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from authflow.errors import ExtraMissing\n"
        "try:\n    import authflow.adapters.providers.openid\n"
        "except ExtraMissing as missing:\n    print(missing.extra)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "oidc\n"


@attrs.frozen
class Eavesdropping(InProcess):
    """Hears every secret that is sent or answered."""

    heard: set[str] = attrs.field(factory=set)

    def fetch(self, request: Request) -> Response | Unfetched:
        sent = {**request.headers, **(request.form or {})}
        self.heard.update(
            sent[name] for name in ("authorization", "code", "code_verifier", "client_secret") if name in sent
        )
        assert not any(secret in repr(request) for secret in self.heard)
        return super().fetch(request)


@pytest.mark.parametrize("fault", [None, *Fault])
def test_no_secret_is_said_by_any_outcome(fault: Fault | None):
    """A refusal goes to the log, and an assertion may; what either holds that opens something does not show."""
    fake = provider()
    listening = Eavesdropping(fake)
    kind = OidcKind(listening)
    given = {"issuer": fake.issuer, "client_id": "client", "client_secret": "a secret", "algorithms": ["ES256"]}
    found = Way(kind, kind.read(given), fake)
    departed = found.there()
    fields = fake.approve(departed.url, "alice")
    fake.faults |= {fault} if fault is not None else set()
    outcome = found.back(departed, fields)
    secrets = listening.heard | set(fake._tokens) | {str(value) for value in departed.request.values()}
    said = f"{outcome!r} {departed!r}".replace(departed.url, "")
    assert secrets
    assert [secret for secret in secrets if secret in said] == []
