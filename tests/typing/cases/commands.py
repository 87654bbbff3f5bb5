# pyright: strict
"""The commands of both faces: the same arguments, an answer here and a coroutine there; rejected where marked."""

from __future__ import annotations

from typing import assert_type

from authflow import AsyncAuthflow, Authflow, Begun, BrowserSession, Context, Enrolled, FlowId, Refused
from authflow.values import Asker


def at_once(flows: Authflow, session: BrowserSession, context: Context, flow: FlowId) -> None:
    assert_type(flows.mfa.begin_totp(session, context, account="ada"), Begun | Refused)
    assert_type(flows.mfa.complete_totp(session, context, flow, code="123456"), Enrolled | Refused)
    assert_type(flows.sessions.identify(session), Asker)
    flows.mfa.begin_totp(session, context)  # rejected: no account
    flows.mfa.begin_totp(session, context, account=1)  # rejected: a number is no text
    flows.mfa.begin_totp(context, session, account="ada")  # rejected: the other way round
    flows.mfa.complete_totp(session, context, "flow", code="123456")  # rejected: text is no handle
    flows.mfa.begin(session, context)  # rejected: no such command


async def awaited(flows: AsyncAuthflow, session: BrowserSession, context: Context, flow: FlowId) -> None:
    assert_type(await flows.sessions.identify(session), Asker)
    flows.sessions.identify(session)  # rejected: nobody awaits it
    assert_type(await flows.mfa.begin_totp(session, context, account="ada"), Begun | Refused)
    assert_type(await flows.mfa.complete_totp(session, context, flow, code="123456"), Enrolled | Refused)
    await flows.mfa.begin_totp(session, context)  # rejected: no account
    await flows.mfa.begin_totp(session, context, account=1)  # rejected: a number is no text
    await flows.mfa.complete_totp(session, context, "flow", code="123456")  # rejected: text is no handle
    asker: Asker = flows.sessions.identify(session)  # rejected: to be awaited first
    print(asker)
