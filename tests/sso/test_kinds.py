"""The registry of kinds of provider takes what can do all that is asked of a kind, and says what another lacks."""

from __future__ import annotations

from typing import Any, cast

import pytest

from authflow.errors import ConfigInvalid
from authflow.sso.kinds import Kind, Kinds
from authflow.testing.providers import FakeProvider

PROMISED = sorted(name for name in vars(Kind) if not name.startswith("_"))


def test_a_kind_that_has_everything_is_registered_and_takes_the_place_of_its_namesake():
    first, second = FakeProvider(key="one"), FakeProvider(key="one")
    assert Kinds(first, second).get("one") is second


def test_a_kind_in_a_wrapper_of_the_hosts_is_one():
    class Wrapper:
        def __init__(self, kind: Kind) -> None:
            self._kind = kind

        def __getattr__(self, name: str) -> Any:
            return getattr(self._kind, name)

    wrapped = cast("Kind", Wrapper(FakeProvider(key="one")))
    assert Kinds(wrapped).get("one") is wrapped


@pytest.mark.parametrize("lacking", PROMISED)
def test_a_kind_of_yesterday_is_refused_at_the_start_and_told_what_it_lacks(lacking: str):
    has = {name: None for name in PROMISED if name != lacking}
    for bases in ((), (cast("Any", Kind),)):  # one that inherits the protocol has its empty promise, and no more
        with pytest.raises(ConfigInvalid, match=f"a Yesterdays without {lacking}]") as told:
            Kinds(type("Yesterdays", bases, has)())
        assert told.value.setting == "kinds"
