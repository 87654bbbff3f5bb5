"""What every story of the demo does: act, deliver, sign somebody in by a password."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.cli.demo.phone import Unfinished
from authflow.values import NOBODY, Method, Proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.cli.demo.narrator import Narrator
    from authflow.cli.demo.postbox import Postbox
    from authflow.ports import Clock
    from authflow.values import BrowserSession, Context, UserId
    from authflow.wiring import Authflow

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Player:
    """Plays commands, and tells what it plays.

    Args:
        flows: The real thing, on a real database.
        clock: Its clock.
        narrator: Measures and prints.
        postbox: Where the mails arrive.
    """

    flows: Authflow
    clock: Clock
    narrator: Narrator
    postbox: Postbox

    def _deliver(self) -> None:
        drained = self.narrator.play("relay.drain_until_quiet", self.flows.relay.drain_until_quiet)
        self.narrator.show(("delivered", drained.delivered))

    def _password(self, device: Context, user: UserId, kind: type[T], session: BrowserSession = NOBODY) -> T:
        proof = Proof(method=Method.PASSWORD, at=self.clock.now())
        establish = partial(self.flows.sessions.establish, session, device, user=user, proof=proof)
        return self._act(kind, "sessions.establish", establish)

    def _act(self, kind: type[T], name: str, command: Callable[[], object]) -> T:
        answer = self.narrator.play(name, command)
        if not isinstance(answer, kind):
            other = f"{name} answered {answer}"
            raise Unfinished(other)
        return answer
