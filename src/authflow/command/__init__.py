"""Commands: what a host calls. Each is one transaction at one instant, tried again if it lost a race, and reported.

A service's public methods are written once, as plain synchronous functions, and decorated here. A refusal carries its
explanation.
"""

from authflow.command.descriptor import Command, Replays, Service, command, operation
from authflow.command.face import AsyncFace, Spawn

__all__ = ["AsyncFace", "Command", "Replays", "Service", "Spawn", "command", "operation"]
