"""The two facades are one: whatever a host finds on `Authflow` it finds under the same name on `AsyncAuthflow`."""

from __future__ import annotations

import inspect

import attrs
import pytest

from authflow import AsyncAuthflow, Authflow
from authflow.command import AsyncFace
from authflow.wiring import MemorySettings, Settings
from tests.test_command import commands_of

ASYNC_ONLY = {"sync", "spawn"}
"""The synchronous flows themselves, and what runs them."""

SYNC_ONLY = {"of"}
"""An `AsyncAuthflow` is made of an `Authflow`, and so of whatever that was made of."""

FIELDS = [field.name for field in attrs.fields(Authflow) if not field.name.startswith("_")]


def surface(flows: object) -> set[str]:
    return {name for name in dir(flows) if not name.startswith("_")}


def test_both_have_the_same_names():
    sync, awaitable = surface(Authflow.in_memory()), surface(AsyncAuthflow.in_memory())
    assert awaitable - sync == ASYNC_ONLY
    assert sync - awaitable == SYNC_ONLY


@pytest.mark.parametrize("name", FIELDS)
def test_a_name_means_the_same_on_both(name: str):
    """What has commands is awaitable; all else is the very same object."""
    awaitable = AsyncAuthflow.in_memory()
    own, theirs = getattr(awaitable.sync, name), getattr(awaitable, name)
    if commands_of(type(own)):
        assert isinstance(theirs, AsyncFace)
        assert isinstance(theirs, type(own))
        assert theirs._sync is own
    else:
        assert theirs is own


@pytest.mark.parametrize(
    ("opener", "settings"), [("open", Settings), ("in_memory", MemorySettings)], ids=["open", "in_memory"]
)
def test_both_are_opened_with_the_same_settings(opener: str, settings: type):
    parameters = inspect.signature(getattr(Authflow, opener)).parameters
    assert parameters.keys() - {"database"} == settings.__annotations__.keys()
    assert ("database" in parameters) is ("database" in inspect.signature(getattr(AsyncAuthflow, opener)).parameters)


@pytest.mark.parametrize("name", ["within", "close"])
def test_a_method_takes_the_same_on_both(name: str):
    assert list(inspect.signature(getattr(Authflow, name)).parameters) == list(
        inspect.signature(getattr(AsyncAuthflow, name)).parameters
    )


@pytest.mark.parametrize("name", FIELDS)
def test_every_name_is_documented(name: str):
    assert f"\n    {name}: " in f"{inspect.getdoc(Authflow)}"


def test_every_setting_is_documented():
    told = inspect.getdoc(Authflow.open) or ""
    assert [name for name in inspect.signature(Authflow.open).parameters if f"    {name}: " not in told] == []
