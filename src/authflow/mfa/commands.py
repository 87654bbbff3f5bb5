"""What can be asked of a factor: the commands of ``mfa.enrollment``, each with every fact that its rule needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from authflow.mfa.factor import Authenticator
    from authflow.mfa.gates import Request
    from authflow.mfa.removal import Change
    from authflow.values import AuthenticatorId, FlowId, Sealed, Secret, UserId


@attrs.frozen(kw_only=True)
class Begin:
    """Propose *secret*, which is *sealed* for *authenticator*. *account* is what an app shows beside its codes."""

    request: Request
    flow: FlowId
    account: str
    authenticator: AuthenticatorId
    secret: Secret
    sealed: Sealed


@attrs.frozen(kw_only=True)
class ShowAgain:
    """Show what is pending once more. *secret* is the opened one, none where it cannot be opened."""

    request: Request
    flow: FlowId
    account: str
    secret: Secret | None


@attrs.frozen(kw_only=True)
class Complete:
    """Prove what is pending with *code*.

    *secret* is the opened one, none where it cannot be opened; *attempts* counts the proofs of this flow, this one
    included, and is 0 while `proof_is_due` is asked.
    """

    request: Request
    flow: FlowId
    code: str
    secret: Secret | None
    attempts: int = 0


@attrs.frozen(kw_only=True)
class Cancel:
    """Drop what is pending."""

    request: Request
    flow: FlowId


@attrs.frozen(kw_only=True)
class Expire:
    """Drop what is pending if its time is over: a sweep asks, nobody else."""

    user: UserId
    kind: str


@attrs.frozen(kw_only=True)
class UseStep:
    """A challenge accepted the code of time step *step*: burn it and all before it."""

    step: int


@attrs.frozen(kw_only=True)
class Rename:
    """Call the factor *name*."""

    change: Change
    name: str


@attrs.frozen(kw_only=True)
class Remove:
    """Take the factor away."""

    change: Change


@attrs.frozen
class Forget:
    """Leave nothing. Whoever resets, deletes or merges the account tells about it."""


@attrs.frozen(kw_only=True)
class Adopt:
    """Take over the factor of an account that is merged into this one, sealed anew for this owner."""

    authenticator: Authenticator


@attrs.frozen(kw_only=True)
class Reseal:
    """Keep the same secret, sealed under the active key."""

    sealed: Sealed


EnrollmentCommand = Begin | ShowAgain | Complete | Cancel | Expire | UseStep | Rename | Remove | Forget | Adopt | Reseal
