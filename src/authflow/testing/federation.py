"""A provider for tests that can do everything that any kind can, without a protocol, a signature or a network."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from authflow.errors import Code
from authflow.sso.capabilities import LoggedOut, LogoutRequested, Named
from authflow.sso.kinds import Callback, Departure, Rejected, Single
from authflow.testing.providers import ANSWER_LIFE, URL, FakeProvider

if TYPE_CHECKING:
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Assertion, Document, Trip


class FakeFederation(FakeProvider):
    """`FakeProvider`, which also describes us, sends people of itself, and ends sessions on both sides."""

    def describe(self, settings: Document | None, *, endpoints: Endpoints) -> str:  # noqa: ARG002  # the port gives them
        """Return one line."""
        return f"<app at='{endpoints.callback}'/>"

    # --- unasked ----------------------------------------------------------------------------------------------------

    def sends(self, subject: str, nonce: str) -> Callback:
        """Return what the browser brings when *subject* is sent there; each *nonce* is another answer."""
        return Callback(fields={"code": (f"{subject}|{nonce}",)})

    def takes_unasked(self, settings: Document) -> bool:  # noqa: ARG002  # as above
        """Let them in."""
        return True

    def arrive_unasked(self, settings: Document, trip: Trip, callback: Callback) -> Assertion | Rejected:
        """Say who was sent."""
        nonce = (callback.one("code") or "").rpartition("|")[2]
        return self.arrive(settings, trip, {"nonce": nonce}, callback)

    # --- single logout ------------------------------------------------------------------------------------------------

    def named(self, memory: Document) -> Named | None:
        """Return the one name that every session of a person has; without a *secret* there is none."""
        name = memory.get("refresh_token")
        return Named(name=name, index="") if isinstance(name, str) else None

    def depart_logout(self, settings: Document, trip: Trip, memory: Document) -> Departure | None:  # noqa: ARG002  # as above
        """Send the browser to the provider."""
        asked = trip.state.reveal()
        return Departure(url=f"{URL}/out?{urlencode({'asked': asked})}", request={"asked": asked})

    def arrive_logout(self, settings: Document, trip: Trip, request: Document, query: str) -> LoggedOut | Rejected:  # noqa: ARG002  # as above
        """Take an answer that names the request."""
        good = parse_qs(query).get("answered") == [request["asked"]]
        return LoggedOut(complete=True) if good else Rejected(code=Code.SSO_STATE_INVALID, detail="scripted")

    def ends(self, subject: str, request: str) -> str:
        """Return the query by which the provider ends the sessions of *subject*; each *request* is another one."""
        return urlencode({"subject": f"refresh-{subject}", "request": request})

    def read_logout(self, settings: Document, trip: Trip, query: str) -> LogoutRequested | Rejected:  # noqa: ARG002  # as above
        """Take a request that names a person."""
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        if set(asked) != {"subject", "request"}:
            return Rejected(code=Code.SSO_RESPONSE_INVALID, detail="scripted")
        once = Single(key=f"{self.key}:out:{asked['request']}", expires_at=trip.now + ANSWER_LIFE)
        return LogoutRequested(id=asked["request"], name_id=asked["subject"], sessions=(), state=None, once=once)

    def answer_logout(self, settings: Document, trip: Trip, requested: LogoutRequested) -> Departure | None:  # noqa: ARG002  # as above
        """Say that it is done."""
        return Departure(url=f"{URL}/out?{urlencode({'done': requested.id})}", request={})
