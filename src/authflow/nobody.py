"""Who acts, and on whom, where there is nobody: one value for each, wherever a key or an asker is needed."""

from __future__ import annotations

from typing import Final

from authflow.values import Asker, SessionId, UserId

NO_USER: Final = UserId("")
"""Nobody: no person has this id, and no store finds anything under it."""

SYSTEM: Final = Asker(user=None, session=SessionId(""))
"""Who asks where no person does: a sweep, a delivery. The log names no actor."""
