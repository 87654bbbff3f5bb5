"""To a provider and back, for the pipelines of one machine: its services side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

import attrs

from authflow.sso.progress import Command as LoginCommand
from authflow.sso.progress import Login, LoginAnswer
from authflow.sso.service.connected import ConnectedProviders
from authflow.sso.service.kept import KeptResponses
from authflow.sso.service.pipelines import Pipelines
from authflow.sso.service.requests import Requests
from authflow.sso.service.responses import Responses
from authflow.sso.service.roads import AnswerT, CommandT, SetupRoad, SignInRoad, StateT
from authflow.sso.setup import Command as SetupCommand
from authflow.sso.setup import Setup, SetupAnswer

if TYPE_CHECKING:
    from authflow.sso.service.desk import Desk
    from authflow.sso.service.roads import Road


@attrs.frozen(kw_only=True)
class Travelling(Generic[StateT, CommandT, AnswerT]):
    """What a journey takes with it; whatever may use the network happens while no transaction is open."""

    desk: Desk
    connected: ConnectedProviders
    requests: Requests
    pipelines: Pipelines[StateT, CommandT, AnswerT]
    kept: KeptResponses
    responses: Responses[StateT, CommandT, AnswerT]


SignInPipelines = Pipelines[Login, LoginCommand, LoginAnswer]
"""The rows of sign-ins, for whoever neither sends anybody to a provider nor takes what comes back."""

SignInTravelling = Travelling[Login, LoginCommand, LoginAnswer]
"""Signing in, linking, and what nobody asked for."""

SetupTravelling = Travelling[Setup, SetupCommand, SetupAnswer]
"""Setting a provider up."""


def sign_ins(desk: Desk) -> SignInTravelling:
    """Return the services over *desk* for sign-ins."""
    return _along(desk, SignInRoad(desk=desk, connected=ConnectedProviders(desk=desk)))


def setups(desk: Desk) -> SetupTravelling:
    """Return the services over *desk* for setups."""
    return _along(desk, SetupRoad(desk=desk))


def _along(desk: Desk, road: Road[StateT, CommandT, AnswerT]) -> Travelling[StateT, CommandT, AnswerT]:
    pipelines, kept = Pipelines(desk=desk, road=road), KeptResponses(desk=desk)
    return Travelling(
        desk=desk,
        connected=ConnectedProviders(desk=desk),
        requests=Requests(desk=desk),
        pipelines=pipelines,
        kept=kept,
        responses=Responses(desk=desk, road=road, pipelines=pipelines, kept=kept),
    )
