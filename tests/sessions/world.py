"""An installation with a few people and the sessions service, on whichever database a test is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from authflow.adapters.keys import AesGcmCipher, KeyRing
from authflow.mfa.factor import Authenticator, Enrolled
from authflow.policy import Policy
from authflow.ports import User
from authflow.recording import Recorder
from authflow.sessions.commands import SecondFactorOwed, SignedIn
from authflow.sessions.service import Sessions
from authflow.testing import ManualClock, SeededEntropy
from authflow.testing.samples.sessions import ANNE, BEN
from authflow.values import NOBODY, AuthenticatorId, BrowserSession, Context, Method, Proof, Sealed, UserId

if TYPE_CHECKING:
    from authflow.ports import Account, Stored
    from authflow.sessions.outcomes import SessionAnswer
    from authflow.sessions.states import Session
    from authflow.values import Asker

CONTEXT = Context(ip="192.0.2.7", user_agent="tests", request_id="r1")


class World:
    """Anne and Ben, and a service in front of their sessions."""

    def __init__(self, uow: Any, policy: Policy | None = None) -> None:
        entropy = SeededEntropy()
        self.uow, self.clock = uow, ManualClock()
        cipher = AesGcmCipher(KeyRing.generate(entropy, self.clock.now()), entropy)
        self.service = Sessions(
            uow=uow,
            clock=self.clock,
            entropy=entropy,
            recorder=Recorder(cipher=cipher, entropy=entropy),
            policy=policy or Policy(),
        )
        with uow.begin() as tx:
            for user in (ANNE, BEN):
                tx.users.add(User(id=user, label=str(user).title()))

    # --- what stands ------------------------------------------------------------------------------------------------

    def protect(self, user: UserId = ANNE) -> None:
        """Give *user* a second factor."""
        authenticator = Authenticator(
            id=AuthenticatorId(f"totp-{user}"),
            name="phone",
            created_at=self.clock.now(),
            secret=Sealed(key_id="k", ciphertext=b"sealed"),
            last_accepted_step=0,
        )
        with self.uow.begin() as tx:
            tx.factors.save(user, "totp", Enrolled(authenticator=authenticator), expected=0)

    def deactivate(self, user: UserId = ANNE, *, active: bool = False) -> None:
        """Let *user* sign in no more, or again."""
        with self.uow.begin() as tx:
            tx.users.save(attrs.evolve(tx.users.get(user), active=active))

    def row(self, session: BrowserSession) -> Stored[Session] | None:
        """Return what is stored for a browser."""
        with self.uow.begin() as tx:
            stored: Stored[Session] | None = tx.sessions.load(session.id)
            return stored

    def account(self, user: UserId = ANNE) -> Account:
        """Return what is stored for a person."""
        with self.uow.begin() as tx:
            account: Account = tx.accounts.read(user)
            return account

    def audited(self, user: UserId = ANNE) -> list[str]:
        """Return what the log says happened to *user*, oldest first."""
        with self.uow.begin() as tx:
            return [str(entry.event.value) for entry in reversed(tx.audit.of_user(user))]

    # --- what happens -----------------------------------------------------------------------------------------------

    def proof(self, method: Method = Method.PASSWORD) -> Proof:
        """Return a proof given now."""
        return Proof(method=method, at=self.clock.now())

    def establish(
        self, session: BrowserSession = NOBODY, user: UserId = ANNE, method: Method = Method.PASSWORD
    ) -> SessionAnswer:
        """Sign *user* in, as far as a first factor goes."""
        return self.service.establish(session, CONTEXT, user=user, proof=self.proof(method))

    def prove(self, session: BrowserSession, method: Method = Method.TOTP) -> SessionAnswer:
        """Give a second factor."""
        return self.service.prove(session, CONTEXT, proof=self.proof(method))

    def signed_in(self, user: UserId = ANNE, session: BrowserSession = NOBODY) -> BrowserSession:
        """Return a browser where *user*, who has no second factor, is signed in."""
        answer = self.establish(session, user)
        assert isinstance(answer, SignedIn), answer
        return answer.session

    def owing(self, session: BrowserSession = NOBODY) -> BrowserSession:
        """Return a browser where Anne, who has a second factor, owes it."""
        answer = self.establish(session)
        assert isinstance(answer, SecondFactorOwed), answer
        return answer.session

    def identify(self, session: BrowserSession) -> Asker:
        """Return who asks now."""
        return self.service.identify(session, self.clock.now())
