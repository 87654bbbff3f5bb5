"""An exception of ours survives the way between two processes, as a pool of workers sends it: whole, and as it is."""

from __future__ import annotations

import inspect
import pickle
from copy import copy
from typing import TYPE_CHECKING, Any

import pytest

from authflow import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.errors import AuthflowError

RAISED = [found for found in vars(errors).values() if inspect.isclass(found) and hasattr(found, "code")]


def raised(kind: type[AuthflowError]) -> AuthflowError:
    """Return one whose every argument says something."""
    asked = inspect.signature(kind).parameters.values()
    fields: dict[str, Any] = {p.name: f"a {p.name}" for p in asked if p.default in {p.empty, ""}}
    return kind(**fields)


def unpickled(error: AuthflowError) -> AuthflowError:
    arrived: AuthflowError = pickle.loads(pickle.dumps(error))  # noqa: S301  # it is ours
    return arrived


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("sent", [unpickled, copy])
def test_what_arrives_is_what_was_sent(kind: type[AuthflowError], sent: Callable[[AuthflowError], AuthflowError]):
    error = raised(kind)
    arrived = sent(error)
    assert type(arrived) is kind
    assert (str(arrived), vars(arrived), arrived.args) == (str(error), vars(error), error.args)


def test_there_are_some():
    assert len(RAISED) > 30
