"""Where single sign-on asks the world: the way to a provider and back, pipelines, and links."""

from authflow.sso.service.linking import Links
from authflow.sso.service.travelling import Travelling

__all__ = ["Links", "Travelling"]
