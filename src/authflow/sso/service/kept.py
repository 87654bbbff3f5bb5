"""Responses that come by a cross-site POST, which shows no cookie of ours: kept until the browser goes on by itself."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import Code, SecretUnavailable
from authflow.sso.kinds import Callback
from authflow.sso.pipeline import PipelineId
from authflow.sso.progress import Away
from authflow.sso.sealing import answer_binding, canonical
from authflow.sso.service.exchange import DatedCallback
from authflow.sso.service.pipelines import find_any, read_key
from authflow.sso.setup import Proposed
from authflow.values import Refused, Secret, token_digest

if TYPE_CHECKING:
    from authflow.sso.kinds import Document
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.service.desk import Desk

ANSWER_MAX: Final = 256 * 1024
"""Bytes of JSON of an answer that is stored until its browser goes on: a signed assertion is a tenth of that."""

STATE_FIELDS: Final = ("state", "RelayState")
"""Where an answer carries what must come back with it: RFC 6749 4.1.2, SAML Bindings 3.4.3."""


@attrs.frozen(kw_only=True)
class KeptResponses:
    """For sign-ins and setups alike; every method runs in its caller's transaction."""

    desk: Desk

    def keep(self, tx: SsoTransaction, callback: Callback, now: datetime) -> Refused | None:
        """Store a response for the pipeline whose state it carries; return why it is not stored, or none.

        Whether it comes in time is told, and stored, when its browser goes on (decision 35).
        """
        state = stated(callback)
        key = None if state is None else read_key(state.reveal())
        found = None if key is None else find_any(tx, self.desk, PipelineId(key), lock=True)
        if state is None or found is None or not isinstance(found.state, Away | Proposed):
            return Refused(code=Code.SSO_STATE_INVALID)
        waiting = found.state
        if not hmac.compare_digest(waiting.state, token_digest(state)):
            return Refused(code=Code.SSO_STATE_INVALID)
        fields: dict[str, Any] = {name: list(values) for name, values in callback.fields.items()}
        document: Document = {"fields": fields, "at": now.isoformat()}
        if len(canonical(document)) > ANSWER_MAX:
            return Refused(code=Code.SSO_RESPONSE_INVALID)
        sealed = self.desk.vault.seal(document, answer_binding(waiting.handle.id))
        kept = tx.pipelines.keep_answer(waiting.handle.id, sealed)
        return None if kept else Refused(code=Code.SSO_STATE_INVALID)

    def read(self, tx: SsoTransaction, pipeline: PipelineId) -> DatedCallback | Refused | None:
        """Return what is kept, or none; what nobody can read any more is as such a pipeline is (`find_any`)."""
        sealed = tx.pipelines.answer(pipeline)
        if sealed is None:
            return None
        try:
            document = self.desk.vault.open(sealed, answer_binding(pipeline))
        except SecretUnavailable as error:
            report_unavailable(error)
            return Refused(code=Code.SSO_PIPELINE_INVALID)
        fields = {name: tuple(values) for name, values in document["fields"].items()}
        return DatedCallback(callback=Callback(fields=fields), at=datetime.fromisoformat(document["at"]))


def stated(callback: Callback) -> Secret | None:
    """Return the state that an answer carries; none if it has none, or more than one."""
    values = [value for name in STATE_FIELDS for value in callback.fields.get(name, ())]
    return Secret(values[0]) if len(values) == 1 else None
