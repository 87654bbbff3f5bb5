"""An identity provider of one's own: OpenID Connect and OAuth 2, in process or on loopback, with faults on demand.

Never for production: it lets everybody in.
"""

from authflow.testing.openid.calls import Call, Reply
from authflow.testing.openid.faults import Fault, Grant
from authflow.testing.openid.keys import SigningKey
from authflow.testing.openid.provider import FakeOpenId
from authflow.testing.openid.serving import InProcess, serve

__all__ = ["Call", "FakeOpenId", "Fault", "Grant", "InProcess", "Reply", "SigningKey", "serve"]
