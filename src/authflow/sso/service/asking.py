"""Asking a kind of provider: one that raises, although none may, refuses, and whoever runs it reads why in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from authflow.errors import AuthflowError, Code
from authflow.sso.kinds import Rejected
from authflow.sso.service.pipelines import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.ports import UnitOfWork

T = TypeVar("T")


def ask(
    uow: UnitOfWork[Any], kind: object, work: Callable[[], T], code: Code = Code.SSO_RESPONSE_INVALID
) -> T | Rejected:
    """Return what *work* does with *kind*, with no transaction open, or *code* where it raises.

    What a browser brought is answered, whatever is wrong with a kind of the host's. Errors of ours go through: they
    say what the host has to do, such as installing an extra.
    """
    try:
        return uow.outside(work)
    except AuthflowError:
        raise
    except Exception:  # noqa: BLE001  # as `authflow.journey.sso.rechecking`: a kind may be anybody's code
        LOG.exception("the kind %s raised instead of refusing", type(kind).__name__)
        return Rejected(code=code)
