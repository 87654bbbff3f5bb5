"""What is left of a session when a provider ends its own: held against its law over every set of proofs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain, combinations
from typing import TYPE_CHECKING, Final

import pytest

from authflow.policy import SessionPolicy
from authflow.sessions.commands import Findings
from authflow.sessions.signing_off import signed_off
from authflow.sessions.states import Anonymous, Ended, EnrollmentOwed, FactorOwed, Handle, SignedIn
from authflow.values import LinkId, Method, OrganizationId, Proof, ProviderId, SessionId, UserId

if TYPE_CHECKING:
    from authflow.sessions.states import Personal

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
END: Final = NOW + timedelta(days=1)
HANDLE: Final = Handle(id=SessionId("s-1"), digest=b"0" * 32, created_at=NOW)
ADA: Final = UserId("ada")
IDP: Final = ProviderId("acme-idp")
FOUND: Final = Findings(policy=SessionPolicy())


def by(provider: str, method: Method = Method.SSO) -> Proof:
    """Return what *provider*, of an organization of its name, said."""
    link = LinkId("link") if method is Method.SSO else None
    place = OrganizationId(provider)
    return Proof(method=method, at=NOW, organization=place, provider=ProviderId(provider), link=link)


THEIRS: Final = by(IDP)
OWN: Final = tuple(Proof(method=method, at=NOW) for method in (Method.PASSWORD, Method.MAILED_LINK))
SECOND: Final = tuple(Proof(method=method, at=NOW) for method in (Method.TOTP, Method.RECOVERY_CODE))
ELSEWHERE: Final = by("globex-idp")
EVERY: Final = (THEIRS, *OWN, *SECOND, ELSEWHERE)


def test_a_session_keeps_what_the_provider_did_not_say_and_ends_where_nothing_let_it_in():
    """Decision 1, over every set of proofs: a second factor alone lets nobody in."""
    for proofs in chain.from_iterable(combinations(EVERY, size) for size in range(len(EVERY) + 1)):
        state = SignedIn(handle=HANDLE, expires_at=END, user=ADA, epoch=1, proofs=proofs, since=NOW)
        step = signed_off(state, IDP, FOUND, NOW)
        if THEIRS not in proofs:
            assert step is None
            continue
        assert step is not None
        kept = tuple(proof for proof in proofs if proof != THEIRS)
        if set(kept) & {*OWN, ELSEWHERE}:
            assert isinstance(step.state, SignedIn)
            assert (step.state.proofs, step.state.handle) == (kept, HANDLE)
        else:
            assert isinstance(step.state, Ended)


@pytest.mark.parametrize("kind", [FactorOwed, EnrollmentOwed])
def test_a_sign_in_that_waits_is_over_if_the_provider_began_it(kind: type[FactorOwed | EnrollmentOwed]):
    def waiting(proof: Proof) -> Personal:
        return kind(handle=HANDLE, expires_at=END, user=ADA, epoch=1, proof=proof, since=NOW)

    for proof in (THEIRS, by(IDP, Method.MAILED_LINK)):
        step = signed_off(waiting(proof), IDP, FOUND, NOW)
        assert step is not None
        assert isinstance(step.state, Anonymous)
    assert [signed_off(waiting(proof), IDP, FOUND, NOW) for proof in (*OWN, ELSEWHERE)] == [None] * 3
