"""What single sign-on stores sealed, and what each is bound to: a ciphertext moved elsewhere does not open."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import attrs

from authflow.values import ProviderId, Secret

if TYPE_CHECKING:
    from authflow.ports import Cipher
    from authflow.sso.identity import Subject
    from authflow.sso.kinds import Document, Kind
    from authflow.sso.pipeline import PipelineId
    from authflow.values import OrganizationId, Sealed, SessionId

Binding = tuple[str, ...]


def settings_binding(organization: OrganizationId, provider: ProviderId) -> Binding:
    """Return what the settings of a connected provider are bound to."""
    return ("sso.settings", organization, provider)


def state_binding(pipeline: PipelineId) -> Binding:
    """Return what the state of a pipeline is bound to: in another pipeline's row it does not open."""
    return ("sso.state", pipeline)


def proposal_binding(pipeline: PipelineId) -> Binding:
    """Return what a proposal is bound to: the pipeline in which it is tried."""
    return ("sso.proposal", pipeline)


def request_binding(pipeline: PipelineId) -> Binding:
    """Return what an open request is bound to: the pipeline that waits for its answer."""
    return ("sso.request", pipeline)


def answer_binding(pipeline: PipelineId) -> Binding:
    """Return what an answer that came cross-site is bound to: the pipeline that asked."""
    return ("sso.answer", pipeline)


def memory_binding(provider: ProviderId, subject: Subject) -> Binding:
    """Return what a link's memory is bound to, so that what asks about one person never asks about another."""
    return ("sso.memory", provider, subject)


def session_binding(session: SessionId, provider: ProviderId) -> Binding:
    """Return what the memory of a session's name at *provider* is bound to."""
    return ("sso.session", session, provider)


@attrs.frozen
class Vault:
    """Seals documents and opens them."""

    _cipher: Cipher

    def seal(self, document: Document, binding: Binding) -> Sealed:
        """Return *document* sealed for *binding*."""
        return self._cipher.seal(Secret(canonical(document)), bound_to=binding)

    def open(self, sealed: Sealed, binding: Binding) -> dict[str, Any]:
        """Return the document.

        Raises:
            SecretUnavailable: The ring does not hold the key, or it was sealed for something else.
        """
        found: dict[str, Any] = json.loads(self._cipher.open(sealed, bound_to=binding).reveal())
        return found


def canonical(document: Document) -> str:
    """Return *document* as text: the same for equal documents."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def settings_digest(kind: Kind, settings: Document) -> bytes:
    """Return the digest of the settings of a provider that is being set up, and of its kind."""
    return hashlib.sha256(canonical({"kind": kind.key, "settings": dict(settings)}).encode()).digest()


def provider_key(organization: OrganizationId, kind: Kind, settings: Document) -> ProviderId:
    """Return the id of *organization*'s provider with *settings*: the same whenever its subjects are the same people.

    So what is remembered of subjects counts again where a provider is disabled and set up anew (decision 15).
    """
    naming = {name: settings.get(name) for name in kind.naming}
    whose = canonical({"organization": organization, "kind": kind.key, "naming": naming})
    return ProviderId(hashlib.sha256(whose.encode()).hexdigest())


def steps_digest(kind: Kind, settings: bytes) -> bytes:
    """Return what a pipeline keeps of the *settings* it began under, and of the kind as this version has it."""
    return hashlib.sha256(b"\0".join((kind.key.encode(), kind.version.encode(), settings))).digest()
