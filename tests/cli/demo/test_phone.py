"""The phone of the demo shows what every authenticator app shows."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pytest

from authflow.cli.demo.phone import ComputedPhone, PersonsPhone, Unfinished
from authflow.testing import ManualClock
from authflow.values import UTC, Secret

SECRET = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
"""The 20 bytes of RFC 6238 appendix B."""


@pytest.mark.parametrize(("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (2000000000, "279037")])
def test_the_vectors_of_rfc_6238(seconds: int, code: str):
    clock = ManualClock(datetime.fromtimestamp(seconds, UTC))
    assert ComputedPhone(SECRET, clock).code() == code


def test_a_wrong_code_is_the_code_of_no_moment_near():
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    for _ in range(200):
        wrong = ComputedPhone(SECRET, clock).wrong_code()
        assert len(wrong) == 6
        near = {ComputedPhone(SECRET, ManualClock(clock.now() + timedelta(seconds=30 * n))).code() for n in (-1, 0, 1)}
        assert wrong not in near
        clock.advance(timedelta(seconds=30))


def test_a_person_types_what_the_phone_shows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.stdin", io.StringIO(" 123 456 \n"))
    assert PersonsPhone().code() == "123 456"
    assert "your phone shows" in capsys.readouterr().out


def test_nobody_there_is_no_code(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(Unfinished, match="nobody typed a code"):
        PersonsPhone().code()
