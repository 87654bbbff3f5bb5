"""What stands around an installation in a test: ports that a test decides, a browser, and an authenticator app."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from authflow.adapters.keys import AesGcmCipher, HmacPepper, KeyRing
from authflow.adapters.mail import MemoryMailer
from authflow.assembly import Ports
from authflow.mfa import totp
from authflow.policy import Policy
from authflow.sso.endpoints import Endpoints
from authflow.sso.kinds import Kinds
from authflow.testing.clocks import ManualClock, SeededEntropy
from authflow.values import NOBODY, Answer, BrowserSession, Context, Secret
from authflow.wiring import Authflow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.ports import Clock, Entropy, Mailer, SsoStatus, UnitOfWork

P = ParamSpec("P")
AnswerT = TypeVar("AnswerT", bound=Answer)

CALLBACK: Final = "https://app.example.org/sso/{organization}"
"""Where the providers of a test send people back to."""

LOGOUT: Final = "https://app.example.org/sso/{organization}/logout"
"""Where they bring the messages of single logout."""

STEP_SECONDS: Final = 30
"""How long an authenticator app shows one code (RFC 6238 5.2)."""


def installed(
    uow: UnitOfWork[Any],
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    mailer: Mailer | None = None,
    sso: SsoStatus | None = None,
    ring: KeyRing | None = None,
    policy: Policy | None = None,
    kinds: Kinds | None = None,
    callback: str = CALLBACK,
) -> Authflow:
    """Return every flow over *uow*, whose tables stand, with ports that a test decides.

    Unless told otherwise the clock stands still, the randomness is the same in every run, mails are kept, and no
    organization has a provider. Providers of *kinds* send people back to *callback*.
    """
    randomness = entropy or SeededEntropy()
    keys = ring or KeyRing.ephemeral(randomness)
    ports = Ports(
        uow=uow,
        clock=clock or ManualClock(),
        entropy=randomness,
        cipher=AesGcmCipher(keys, randomness),
        pepper=HmacPepper(keys),
        mailer=mailer or MemoryMailer(),
        sso=sso,
        kinds=Kinds() if kinds is None else kinds,
        endpoints=Endpoints.at(callback, logout=LOGOUT),
    )
    return Authflow.of(ports, policy or Policy())


class Phone:
    """An authenticator app that scanned one secret.

    >>> from authflow.testing import ManualClock
    >>> Phone(Secret("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")).code(ManualClock().now())
    '452777'
    """

    def __init__(self, secret: Secret) -> None:
        self.secret = secret

    def code(self, now: datetime, *, steps: int = 0) -> str:
        """Return the six digits that the app shows at *now*, or that many *steps* of 30 seconds later."""
        return totp.code_at(self.secret, totp.step_at(now) + steps)

    def wrong(self, now: datetime) -> str:
        """Return six digits that the app does not show within five steps of *now*."""
        shown = {self.code(now, steps=steps) for steps in range(-5, 6)}
        return next(digits for digits in ("000000", "111111", *(f"{n:06}" for n in range(50))) if digits not in shown)


class Browser:
    """A browser, and the host in front of it: the session is kept as JSON text between two requests.

    Args:
        context: Where its requests come from.
    """

    def __init__(self, context: Context | None = None) -> None:
        self.context = context or Context(ip="192.0.2.7", user_agent="Firefox", request_id="r-1")
        self.stored = json.dumps(NOBODY.to_json())
        self.former: list[str] = []
        self.device: Secret | None = None

    @property
    def session(self) -> BrowserSession:
        """What the host hands to the next command: read back from what it stored."""
        return BrowserSession.from_json(json.loads(self.stored))

    def ask(
        self, command: Callable[Concatenate[BrowserSession, P], AnswerT], *args: P.args, **kwargs: P.kwargs
    ) -> AnswerT:
        """Send *command* with the stored session and keep what the answer says to keep."""
        answer = command(self.session, *args, **kwargs)
        self.keep(answer)
        return answer

    def keep(self, answer: Answer) -> None:
        """Store the next session, and the device's value in its long-lived cookie.

        Raises:
            AssertionError: The session has a new generation, and the host was not told to change its own id.
        """
        known = self.session
        if answer.session.generation > known.generation:
            assert answer.session.renew, "a value of a new generation goes under a new host session id"
        stored = json.dumps(answer.session.to_json())
        if stored != self.stored:
            self.former.append(self.stored)
        self.stored = stored
        device: Secret | None = getattr(answer, "device", None)
        self.device = device or self.device
