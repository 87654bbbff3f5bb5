"""What a journey asks of an open transaction: what every slice in it asks."""

from __future__ import annotations

from typing import Protocol

from authflow.accounts.ports import AccountsTransaction
from authflow.membership.ports import MembershipTransaction
from authflow.mfa.ports import MfaTransaction
from authflow.sessions.ports import SessionsTransaction


class JourneyTransaction(MfaTransaction, SessionsTransaction, MembershipTransaction, AccountsTransaction, Protocol):
    """One transaction that sessions, second factors, membership and addresses share."""
