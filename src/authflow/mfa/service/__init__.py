"""Where second factors ask the world: one method per thing that a person, a journey or the host may want.

Every method is one command; inside an open unit of work it joins. What it decides stands in the tables; here facts are
read, randomness is minted, secrets are opened and sealed, and the steps are stored and recorded.
"""

from __future__ import annotations

import attrs

from authflow.mfa.service.answering import Answering
from authflow.mfa.service.enrolling import Enrolling
from authflow.mfa.service.keeping import Keeping
from authflow.mfa.service.moving import Moving

__all__ = ["SecondFactors"]


@attrs.frozen(kw_only=True)
class SecondFactors(Enrolling, Answering, Keeping, Moving):
    """The second factors of persons: enrolled, answered, kept, and moved."""
