"""Three frameworks, one behaviour: real apps with tables of their own, driven by their test clients."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from authflow import Secret
from authflow.testing.browsers import Phone
from tests.integrations.driven import ADA, ERRORS, Driver, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("flask", "flask-session", "fastapi", "django")
DEVICE = "authflow_device"
TYPED = {"code", "message", "attempts_left", "retry_after", "problems"}
KEY = "0d8f6a52-4d0c-4a05-9a3c-0e8d6fdd9a53"


def driver(kind: str, folder: Path) -> Driver:
    if kind == "django":
        from tests.integrations.django_host import DjangoDriver

        return DjangoDriver()
    if kind == "fastapi":
        from tests.integrations.starlette_host import StarletteDriver

        return StarletteDriver(folder)
    from tests.integrations.flask_host import FlaskDriver

    return FlaskDriver(folder, stored=kind == "flask-session")


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    """A host and a browser."""
    made = driver(request.param, tmp_path)
    yield made
    made.close()


def sign_in(host: Driver) -> Reply:
    return host.post("/sign-in", {"user": ADA})


def enrolled(host: Driver) -> tuple[Phone, list[str]]:
    """Let Ada enroll; return her phone and her recovery codes."""
    sign_in(host)
    begun = host.post("/begin").body
    phone = Phone(Secret(begun["secret"]))
    done = host.post("/complete", {"flow": begun["flow"], "code": phone.code(host.clock.now())})
    assert done.status == 200, done.body
    host.clock.advance(seconds=30)
    return phone, done.body["codes"]


def user(host: Driver) -> Any:
    return host.get("/me").body["user"]


# --- the whole flow -------------------------------------------------------------------------------------------------


def test_a_person_signs_in_enrolls_and_passes_the_second_factor(host: Driver):
    assert host.get("/me").body == {"user": None, "why_not": "session.required"}
    assert sign_in(host).body["kind"] == "Arrived"
    begun = host.post("/begin").body
    phone = Phone(Secret(begun["secret"]))

    wrong = host.post("/complete", {"flow": begun["flow"], "code": "000000"})
    assert (wrong.status, wrong.body["code"], wrong.body["attempts_left"]) == (400, "mfa.code_rejected", 4)
    right = host.post("/complete", {"flow": begun["flow"], "code": phone.code(host.clock.now())})
    assert len(right.body["codes"]) == 10

    assert host.post("/sign-out").body["kind"] == "SignedOut"
    assert user(host) is None
    assert sign_in(host).body["kind"] == "SecondFactorOwed"
    assert host.get("/me").body["why_not"] == "session.second_factor_owed"
    host.clock.advance(seconds=30)
    assert host.post("/verify", {"kind": "totp", "code": "000000"}).body["code"] == "mfa.code_rejected"
    host.clock.advance(seconds=30)
    arrived = host.post("/verify", {"kind": "totp", "code": phone.code(host.clock.now())})
    assert arrived.body["kind"] == "Arrived"
    assert user(host) == ADA


def test_a_browser_is_known_again_by_its_cookie(host: Driver):
    phone, _ = enrolled(host)
    host.post("/sign-out")
    sign_in(host)
    given = host.post("/verify", {"kind": "totp", "code": phone.code(host.clock.now())})
    (cookie,) = [text for text in given.cookies if text.startswith(f"{DEVICE}=")]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=lax", "max-age=15552000", "path=/"} <= attributes
    known = host.cookie(DEVICE)

    host.clock.advance(seconds=30)
    host.post("/sign-out")
    sign_in(host)
    again = host.post("/verify", {"kind": "totp", "code": phone.code(host.clock.now())})
    assert again.body["kind"] == "Arrived"
    assert host.cookie(DEVICE) == known  # a browser that is known is given nothing new
    assert [text for text in again.cookies if text.startswith(DEVICE)] == []


def test_a_second_request_changes_no_cookie(host: Driver):
    sign_in(host)
    before = host.own_cookie
    assert host.post("/complete", {"flow": "other", "code": "000000"}).status == 409
    assert host.own_cookie == before


# --- fixation -------------------------------------------------------------------------------------------------------


def test_a_session_id_from_before_the_sign_in_opens_nothing(host: Driver):
    host.post("/store", {"value": "planted"})
    planted = host.own_cookie
    sign_in(host)
    assert host.own_cookie != planted
    if host.stored:
        assert planted not in host.ids()
        assert host.own_cookie in host.ids()
    host.own_cookie = planted
    assert user(host) is None


def test_a_session_id_from_before_the_second_factor_opens_nothing(host: Driver):
    sign_in(host)
    before = host.own_cookie
    enrolled(host)
    assert user(host) == ADA
    host.own_cookie = before
    assert host.get("/me").body["why_not"] == ("session.superseded" if host.remembers else "session.required")


def test_a_session_id_from_before_the_sign_out_opens_nothing(host: Driver):
    sign_in(host)
    before = host.own_cookie
    host.post("/sign-out")
    assert before not in host.ids()
    host.own_cookie = before
    assert user(host) is None


# --- what belongs to one person is kept by no cache -----------------------------------------------------------------


def test_nothing_that_was_kept_and_no_refusal_is_cached(host: Driver):
    assert sign_in(host).headers["Cache-Control"] == "no-store"
    assert host.post("/begin").headers["Cache-Control"] == "no-store"
    assert host.get("/raise/busy").headers["Cache-Control"] == "no-store"
    assert "Cache-Control" not in host.get("/context").headers


# --- context and idempotency ----------------------------------------------------------------------------------------


def test_the_context_is_what_the_host_knows(host: Driver):
    said = host.get("/context", User_Agent="Firefox", X_Request_ID="r-1", Idempotency_Key=KEY).body
    assert said["ip"]
    assert (said["user_agent"], said["request_id"], said["idempotency_key"]) == ("Firefox", "r-1", KEY)
    assert host.get("/context").body["idempotency_key"] is None


def test_a_repeated_request_is_done_once(host: Driver):
    sign_in(host)
    begun = host.post("/begin", Idempotency_Key=KEY).body
    assert host.post("/begin", Idempotency_Key=KEY).body == begun
    assert host.post("/begin", Idempotency_Key=KEY[::-1]).body["flow"] != begun["flow"]


def test_an_answer_that_was_lost_is_fetched_once_more(host: Driver):
    sign_in(host)
    begun, before = host.post("/begin").body, host.own_cookie
    given = {"flow": begun["flow"], "code": Phone(Secret(begun["secret"])).code(host.clock.now())}
    first = host.post("/complete", given, Idempotency_Key=KEY)
    host.own_cookie = before  # the browser never saw the answer, nor its cookie
    again = host.post("/complete", given, Idempotency_Key=KEY)
    if not host.remembers:
        assert again.body["code"] == "session.required"  # the id that asked is dead, and nothing is done twice
        return
    assert again.body == first.body
    assert user(host) == ADA


def test_of_two_clicks_neither_signs_the_person_out(host: Driver):
    """Both left the browser with the old cookie; whichever response comes last decides which cookie it has."""
    sign_in(host)
    begun, before = host.post("/begin").body, host.own_cookie
    given = {"flow": begun["flow"], "code": Phone(Secret(begun["secret"])).code(host.clock.now())}
    host.post("/complete", given)
    after, host.own_cookie = host.own_cookie, before
    second = host.post("/complete", given)
    assert second.status in {401, 409}
    if host.remembers:
        assert not [text for text in second.cookies if text.startswith(f"{host.cookie_name}=")]
    host.own_cookie = after
    assert user(host) == ADA


@pytest.mark.parametrize("key", ["x" * 65, "x" * 5000, "caf\xe9", ""])
def test_a_key_that_is_none_is_refused(host: Driver, key: str):
    sign_in(host)
    refused = host.post("/begin", Idempotency_Key=key)
    assert (refused.status, refused.body["code"]) == (400, "idempotency.key_invalid")


# --- the host's transaction -----------------------------------------------------------------------------------------


def test_a_member_is_kept_or_undone_with_the_hosts_own_row(host: Driver):
    assert sign_in(host).status == 200
    before = host.rows(host.note)
    assert host.post("/join", {"commit": False}).body["kind"] == "Joined"
    assert (host.rows("authflow_member"), host.rows(host.note)) == (0, before)
    assert host.post("/join", {"commit": True}).body["kind"] == "Joined"
    assert (host.rows("authflow_member"), host.rows(host.note)) == (1, before + 1)


def test_a_guess_inside_of_the_hosts_transaction_is_a_typed_error(host: Driver):
    enrolled(host)
    refused = host.post("/guess-within")
    assert (refused.status, refused.body["code"]) == (500, "unit_of_work.not_owned")


# --- bad input ------------------------------------------------------------------------------------------------------

GARBAGE = [
    "text",
    7,
    [],
    {"id": 1},
    {"id": "a", "secret": "b", "generation": -1, "user": None},
    {"id": "a\x00b", "secret": "\ud800", "generation": 0, "user": None},
    {"id": "a" * 5000, "secret": "b", "generation": 2**70, "user": "c" * 5000},
]


@pytest.mark.parametrize("value", GARBAGE)
def test_garbage_in_the_hosts_session_is_a_stranger(host: Driver, value: object):
    assert host.post("/store", {"value": value}).status == 200  # whatever it is, each host's store takes it
    assert user(host) is None
    assert host.post("/begin").status == 401
    assert host.post("/sign-out").status == 401
    assert sign_in(host).body["kind"] == "Arrived"


@pytest.mark.parametrize(
    "value", [None, 7, [], {}, "\x00", "\ud800", "9" * 5000, "\u0661\u0662\u0663\u0664\u0665\u0666"]
)
def test_a_code_that_is_none_is_a_typed_refusal(host: Driver, value: object):
    enrolled(host)
    for path, given in (("/complete", {"flow": value, "code": value}), ("/verify", {"kind": value, "code": value})):
        refused = host.post(path, given)
        assert 400 <= refused.status < 500, refused.body
        assert set(refused.body) == TYPED


@pytest.mark.parametrize("name", ["User_Agent", "X_Request_ID", "Cookie"])
def test_a_header_that_is_too_long_does_no_harm(host: Driver, name: str):
    said = host.post("/sign-in", {"user": ADA}, **{name: "\xff" * 5000})
    assert said.status == 200


# --- refusals and errors --------------------------------------------------------------------------------------------


def test_a_refusal_says_what_a_client_needs_and_never_why(host: Driver):
    enrolled(host)
    refused = [host.post("/verify", {"kind": "totp", "code": "000000"}) for _ in range(6)][-1]
    assert (refused.status, refused.body["code"]) == (429, "mfa.rate_limited")
    assert set(refused.body) == TYPED
    assert refused.headers["Retry-After"] == str(refused.body["retry_after"])
    assert 1 <= refused.body["retry_after"] <= 20


@pytest.mark.parametrize(
    ("name", "status", "wait"),
    [
        ("busy", 503, 1),
        ("away", 503, 1),
        ("unknown", 503, 1),
        ("stale", 409, None),
        ("input", 400, None),
        ("setting", 500, None),
    ],
)
def test_an_error_is_its_status_and_says_nothing_of_its_own(
    host: Driver, caplog: pytest.LogCaptureFixture, name: str, status: int, wait: int | None
):
    with caplog.at_level(logging.ERROR):
        said = host.get(f"/raise/{name}")
    assert (said.status, said.body["code"], said.body["retry_after"]) == (status, ERRORS[name].code, wait)
    assert said.headers.get("Retry-After") == (None if wait is None else str(wait))
    assert "near-secret-text" not in str(said.body)
    assert set(said.body) == TYPED
    logged = [record for record in caplog.records if record.exc_info]
    assert [record.name for record in logged] == ([host.log] if status >= 500 else [])


def test_an_error_of_the_installation_is_told_to_its_log_and_to_nobody_else(
    host: Driver, caplog: pytest.LogCaptureFixture
):
    """The log has our own words and the way to them; the driver's, which quote rows, it has not."""
    with caplog.at_level(logging.ERROR, host.log):
        said = host.get("/raise/caused")
    assert said.body["message"] == host.get("/raise/setting").body["message"]
    (logged,) = [record for record in caplog.records if record.exc_info and "keys.invalid" in record.getMessage()]
    text = logging.Formatter().format(logged)
    assert "KeysInvalid: keys.invalid: The key ring cannot be read or written. [mode 0644]" in text
    assert "Traceback" in text
    assert "row (ada@example.com)" not in text
