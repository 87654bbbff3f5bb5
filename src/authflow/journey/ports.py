"""What a journey asks of an open transaction: what every slice in it asks."""

from __future__ import annotations

from typing import Protocol

from authflow.accounts.ports import AccountsTransaction
from authflow.membership.ports import MembershipTransaction
from authflow.mfa.ports import MfaTransaction
from authflow.sessions.ports import SessionsTransaction
from authflow.sso.ports import SsoTransaction


class JourneyTransaction(
    MfaTransaction, SessionsTransaction, MembershipTransaction, AccountsTransaction, SsoTransaction, Protocol
):
    """One transaction that sessions, second factors, membership, addresses and single sign-on share."""
