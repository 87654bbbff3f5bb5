from __future__ import annotations

import pytest

from authflow.errors import ConfigInvalid
from authflow.facts.records import Category
from authflow.outbox.handlers import Handlers
from authflow.testing.contracts.outbox import Heard


def test_a_category_has_one_handler_and_an_unknown_one_has_none() -> None:
    handlers, heard = Handlers(), Heard()
    handlers.add(Category.MAIL, heard)
    with pytest.raises(ConfigInvalid):
        handlers.add(Category.MAIL, Heard())
    assert handlers.of(Category.MAIL) is heard
    assert handlers.of(999) is None


def test_handlers_are_frozen_by_the_first_delivery() -> None:
    handlers = Handlers()
    handlers.of(Category.MAIL)
    with pytest.raises(ConfigInvalid):
        handlers.add(Category.MAIL, Heard())
