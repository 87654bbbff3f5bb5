"""One-time codes: the vectors of the RFCs, the window, replay, and what a person may type."""

from __future__ import annotations

import base64
import hashlib
import hmac
import sys
from calendar import timegm
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from authflow.errors import ConfigInvalid, InputInvalid, NaiveDatetime
from authflow.mfa import totp
from authflow.mfa.totp import Algorithm, MatchedStep, Parameters, Replayed
from authflow.values import UTC, Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SECRET = totp.new_secret(bytes(range(20)))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRESENT = totp.step_at(NOW)

windows = st.integers(0, totp.WINDOW_MAX)
moments = st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants naive bounds
secrets = st.binary(min_size=20, max_size=20).map(totp.new_secret)
parameters = st.builds(
    Parameters,
    digits=st.sampled_from(totp.DIGITS),
    period=st.sampled_from(totp.PERIODS),
    algorithm=st.sampled_from(get_args(Algorithm)),
)


def base32(text: str) -> Secret:
    return Secret(base64.b32encode(text.encode()).decode().rstrip("="))


# --- vectors --------------------------------------------------------------------------------------------------------

RFC_4226_D = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]

RFC_6238_SECRETS: dict[Algorithm, str] = {
    "SHA1": "12345678901234567890",
    "SHA256": "12345678901234567890123456789012",
    "SHA512": "1234567890123456789012345678901234567890123456789012345678901234",
}

RFC_6238_B: list[tuple[int, int, str, Algorithm]] = [
    (59, 0x0000000000000001, "94287082", "SHA1"),
    (59, 0x0000000000000001, "46119246", "SHA256"),
    (59, 0x0000000000000001, "90693936", "SHA512"),
    (1111111109, 0x00000000023523EC, "07081804", "SHA1"),
    (1111111109, 0x00000000023523EC, "68084774", "SHA256"),
    (1111111109, 0x00000000023523EC, "25091201", "SHA512"),
    (1111111111, 0x00000000023523ED, "14050471", "SHA1"),
    (1111111111, 0x00000000023523ED, "67062674", "SHA256"),
    (1111111111, 0x00000000023523ED, "99943326", "SHA512"),
    (1234567890, 0x000000000273EF07, "89005924", "SHA1"),
    (1234567890, 0x000000000273EF07, "91819424", "SHA256"),
    (1234567890, 0x000000000273EF07, "93441116", "SHA512"),
    (2000000000, 0x0000000003F940AA, "69279037", "SHA1"),
    (2000000000, 0x0000000003F940AA, "90698825", "SHA256"),
    (2000000000, 0x0000000003F940AA, "38618901", "SHA512"),
    (20000000000, 0x0000000027BC86AA, "65353130", "SHA1"),
    (20000000000, 0x0000000027BC86AA, "77737706", "SHA256"),
    (20000000000, 0x0000000027BC86AA, "47863826", "SHA512"),
]


@pytest.mark.parametrize(("counter", "code"), [*enumerate(RFC_4226_D)])
def test_rfc_4226_appendix_d(counter: int, code: str) -> None:
    secret = base32("12345678901234567890")
    moment = datetime.fromtimestamp(counter * 30, UTC)
    assert totp.code_at(secret, counter) == pyotp.HOTP(secret.reveal()).at(counter) == code
    assert totp.match(secret, code, moment, after=None, window=0) == MatchedStep(step=counter)


@pytest.mark.parametrize(("unix", "counter", "code", "algorithm"), RFC_6238_B)
def test_rfc_6238_appendix_b(unix: int, counter: int, code: str, algorithm: Algorithm) -> None:
    secret, eight = base32(RFC_6238_SECRETS[algorithm]), Parameters(digits=8, algorithm=algorithm)
    moment = datetime.fromtimestamp(unix, UTC)
    by_pyotp = pyotp.TOTP(secret.reveal(), digits=8, digest=totp.DIGESTS[algorithm]).at(unix)
    assert totp.step_at(moment, eight) == counter
    assert totp.code_at(secret, counter, eight) == by_pyotp == code
    assert totp.match(secret, code, moment, after=None, window=0, parameters=eight) == MatchedStep(step=counter)


@given(key=st.binary(min_size=16, max_size=80), step=st.integers(0, (1 << 64) - 1), chosen=parameters, data=st.data())
def test_codes_are_those_of_another_implementation(
    key: bytes, step: int, chosen: Parameters, data: st.DataObject
) -> None:
    padded = base64.b32encode(key).decode()
    text = data.draw(st.sampled_from([padded, padded.rstrip("="), padded.lower(), padded.lower().rstrip("=")]))
    reference = pyotp.HOTP(text, digits=chosen.digits, digest=totp.DIGESTS[chosen.algorithm])
    assert totp.code_at(Secret(text), step, chosen) == reference.at(step)


# --- time -----------------------------------------------------------------------------------------------------------


@given(
    step=st.integers(0, 8_000_000_000), period=st.sampled_from(totp.PERIODS), inside=st.floats(0, 1, exclude_max=True)
)
def test_a_step_lasts_from_its_first_instant_to_the_last_before_the_next(step: int, period: int, inside: float) -> None:
    chosen, begins = Parameters(period=period), totp.EPOCH
    assume(step * period < 253_000_000_000)
    begins += timedelta(seconds=step * period)
    last = begins + timedelta(seconds=period, microseconds=-1)
    assert {totp.step_at(moment, chosen) for moment in (begins, begins + inside * (last - begins), last)} == {step}
    assert totp.step_at(last + timedelta(microseconds=1), chosen) == step + 1


@given(moment=moments, offset=st.integers(-23, 23))
def test_an_instant_has_one_step_in_every_time_zone(moment: datetime, offset: int) -> None:
    assume(datetime(1971, 1, 1, tzinfo=UTC) < moment < datetime(9998, 1, 1, tzinfo=UTC))
    elsewhere = moment.astimezone(timezone(timedelta(hours=offset)))
    assert totp.step_at(elsewhere) == totp.step_at(moment) == timegm(moment.utctimetuple()) // 30


def test_naive_times_are_refused() -> None:
    naive = NOW.replace(tzinfo=None)
    for call in (lambda: totp.step_at(naive), lambda: totp.match(SECRET, "000000", naive, after=None)):
        with pytest.raises(NaiveDatetime):
            call()


def test_before_1970_nothing_matches() -> None:
    moment = totp.EPOCH - timedelta(seconds=1)
    assert totp.step_at(moment) == -1
    assert totp.match(SECRET, totp.code_at(SECRET, 0), moment, after=None, window=1) == MatchedStep(step=0)
    assert totp.match(SECRET, totp.code_at(SECRET, 0), moment, after=None, window=0) is None
    assert totp.match(SECRET, totp.code_at(SECRET, 0), totp.EPOCH - timedelta(days=1), after=None) is None


# --- the window and replay ------------------------------------------------------------------------------------------


@given(secret=secrets, moment=moments, ahead=st.integers(-5, 5), window=windows, chosen=parameters)
def test_a_code_is_accepted_exactly_inside_the_window(
    secret: Secret, moment: datetime, ahead: int, window: int, chosen: Parameters
) -> None:
    present = totp.step_at(moment, chosen)
    step = present + ahead
    assume(step >= 0)
    code = totp.code_at(secret, step, chosen)
    inside = range(max(present - window, 0), present + window + 1)
    holders = [other for other in inside if totp.code_at(secret, other, chosen) == code]
    expected = MatchedStep(step=max(holders)) if holders else None
    assert (abs(ahead) <= window) <= (expected is not None)
    assert totp.match(secret, code, moment, after=None, window=window, parameters=chosen) == expected


@given(ahead=st.integers(-2, 2), behind=st.integers(-6, 6))
def test_a_step_that_is_not_newer_than_the_last_is_replayed(ahead: int, behind: int) -> None:
    step = PRESENT + ahead
    after = step + behind
    expected = MatchedStep(step=step) if step > after else Replayed(step=step)
    assert totp.match(SECRET, totp.code_at(SECRET, step), NOW, after=after, window=2) == expected


@given(
    tries=st.lists(st.tuples(st.integers(0, 45), st.integers(-3, 3)), max_size=40),
    window=windows,
    start=st.none() | st.integers(PRESENT - 5, PRESENT + 5),
)
def test_no_step_is_accepted_twice_and_accepted_steps_only_grow(
    tries: list[tuple[int, int]], window: int, start: int | None
) -> None:
    moment, after, accepted = NOW, start, Counter[int]()
    for waited, ahead in tries:
        moment += timedelta(seconds=waited)
        code = totp.code_at(SECRET, totp.step_at(moment) + ahead)
        verdict = totp.match(SECRET, code, moment, after=after, window=window)
        if isinstance(verdict, MatchedStep):
            assert after is None or verdict.step > after
            after = verdict.step
            accepted[after] += 1
            assert totp.match(SECRET, code, moment, after=after, window=window) == Replayed(step=after)
    assert set(accepted.values()) <= {1}


TWINS = (1_047_781, 1_047_783)
"""The first two steps at most two apart that have one code under `SECRET`; about one in 400 000 does."""


def test_the_newest_of_two_steps_with_one_code_wins() -> None:
    first, second = TWINS
    code, moment = totp.code_at(SECRET, first), totp.EPOCH + timedelta(seconds=30 * (first + 1))
    assert code == totp.code_at(SECRET, second)
    assert totp.match(SECRET, code, moment, after=None, window=1) == MatchedStep(step=second)
    assert totp.match(SECRET, code, moment, after=first, window=1) == MatchedStep(step=second)
    assert totp.match(SECRET, code, moment, after=second, window=1) == Replayed(step=second)


@pytest.mark.parametrize("code", ["", "0", "0000000", "\uff11" * 6, "\u0661" * 6, "12345\x00", "\ud800", "x" * 10_000])
def test_what_is_no_code_is_a_wrong_code(code: str) -> None:
    assert totp.match(SECRET, code, NOW, after=None) is None


def test_full_width_digits_of_the_right_code_do_not_match() -> None:
    right = totp.code_at(SECRET, PRESENT)
    wide = right.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    assert int(wide) == int(right)
    assert totp.match(SECRET, wide, NOW, after=None) is None
    assert totp.match(SECRET, right, NOW, after=None) == MatchedStep(step=PRESENT)


@pytest.mark.parametrize("window", [-1, totp.WINDOW_MAX + 1, 1_000_000])
def test_a_window_outside_the_limit_is_refused(window: int) -> None:
    with pytest.raises(ConfigInvalid):
        totp.match(SECRET, "000000", NOW, after=None, window=window)


def calls_in(action: Callable[[], object]) -> Counter[str]:
    """Count what *action* computes: one HMAC for each code, and comparisons in constant time."""
    seen: Counter[str] = Counter()

    def watch(frame: FrameType, event: str, arg: Any) -> None:
        if event == "call" and frame.f_code is hmac.digest.__code__:
            seen["made"] += 1
        if event == "c_call" and arg is hmac.compare_digest:
            seen["compared"] += 1

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(before)
    return seen


@pytest.mark.parametrize("window", [0, 1, 2])
def test_the_work_does_not_depend_on_where_it_matches(window: int) -> None:
    codes = [totp.code_at(SECRET, PRESENT + ahead) for ahead in range(-3, 4)]
    for code in (*codes, "000000", "", "\uff11" * 6):
        for after in (None, PRESENT - 9, PRESENT, PRESENT + 9):
            work = calls_in(lambda: totp.match(SECRET, code, NOW, after=after, window=window))  # noqa: B023 - called at once
            assert work == {"made": 2 * window + 1, "compared": 2 * window + 1}


# --- what a person types --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123456", "123456"),
        ("000000", "000000"),
        (" 123 456\n", "123456"),
        ("1-2-3-4-5-6", "123456"),
        ("\t123\t456", "123456"),
        ("--123456--", "123456"),
        ("123456" + " " * 14, "123456"),
    ],
)
def test_blanks_and_hyphens_do_not_matter(text: str, code: str) -> None:
    assert totp.parse_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-",
        None,
        123456,
        b"123456",
        ["123456"],
        "12345",
        "1234567",
        "12345a",
        "+12345",
        "12_345",
        "1234.5",
        "123456\x00",
        "\uff11\uff12\uff13\uff14\uff15\uff16",
        "\u0661\u0662\u0663\u0664\u0665\u0666",
        "12345\u00b2",
        "123\u00a0456",
        "123\u2013456",
        "\ud800",
        "123456" + " " * 15,
        "1" * 1_000_000,
    ],
)
def test_what_cannot_be_a_code_is_none_and_nothing_is_computed(text: object) -> None:
    assert totp.parse_code(text) is None
    assert not calls_in(lambda: totp.parse_code(text))


@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=30) | st.text("0123456789- ", max_size=22))
def test_what_is_parsed_is_that_many_ascii_digits_in_their_order(text: str) -> None:
    code = totp.parse_code(text)
    if code is not None:
        assert code.isascii()
        assert code.isdigit()
        assert len(code) == 6
        assert code == "".join(letter for letter in text if letter in "0123456789")


def test_a_code_has_the_digits_of_its_parameters() -> None:
    assert totp.parse_code("1234 5678", 8) == "12345678"
    assert totp.parse_code("123456", 8) is None


# --- secrets --------------------------------------------------------------------------------------------------------


@given(random=st.binary(min_size=20, max_size=20))
def test_a_new_secret_is_160_bits_in_32_characters(random: bytes) -> None:
    text = totp.new_secret(random).reveal()
    assert len(text) == 32
    assert base64.b32decode(text) == random


@pytest.mark.parametrize("count", [0, 10, 15, 19, 21, 24])
def test_a_new_secret_is_never_short_or_padded(count: int) -> None:
    with pytest.raises(InputInvalid):
        totp.new_secret(bytes(count))


@pytest.mark.parametrize("text", ["", "not base32!", "JBSWY3DP", "\uff21" * 32, "A" * 25, "A" * 27, "01" * 16])
def test_a_secret_that_is_none_is_refused_without_showing_it(text: str) -> None:
    for call in (
        lambda: totp.code_at(Secret(text), 1),
        lambda: totp.match(Secret(text), "000000", NOW, after=None),
    ):
        with pytest.raises(InputInvalid) as refusal:
            call()
        assert refusal.value.__context__ is None
        assert not text or text not in str(refusal.value)


@pytest.mark.parametrize("step", [-1, 1 << 64])
def test_a_step_of_no_eight_bytes_has_no_code(step: int) -> None:
    with pytest.raises(InputInvalid, match="eight bytes"):
        totp.code_at(SECRET, step)


def test_a_secret_has_at_least_128_bits() -> None:
    enough, short = (Secret(base64.b32encode(bytes(count)).decode()) for count in (16, 15))
    assert totp.code_at(enough, 1) == pyotp.HOTP(enough.reveal()).at(1)
    with pytest.raises(InputInvalid, match="128 bits"):
        totp.code_at(short, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"digits": digits} for digits in (-6, 0, 1, 5, 9, 10)),
        *({"period": period} for period in (-30, 0, 1, 9, 121, 30.5)),
        *({"algorithm": algorithm} for algorithm in ("", "sha1", "MD5", "SHA3")),
    ],
)
def test_absurd_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid):
        Parameters(**wrong)


# --- what an authenticator app is given -----------------------------------------------------------------------------


def test_the_address_of_a_default_secret() -> None:
    uri = totp.provisioning_uri(Secret("Z" * 32), issuer="Example Host", account="admin@localhost")
    assert uri == f"otpauth://totp/Example%20Host:admin%40localhost?issuer=Example%20Host&secret={'Z' * 32}"


def test_every_sign_with_a_meaning_is_encoded() -> None:
    uri = totp.provisioning_uri(Secret("Z" * 32), issuer="a/b:c?d", account="e&f=g#h+i%j")
    label, issuer = "a%2Fb%3Ac%3Fd:e%26f%3Dg%23h%2Bi%25j", "a%2Fb%3Ac%3Fd"
    assert uri == f"otpauth://totp/{label}?issuer={issuer}&secret={'Z' * 32}"


def test_the_address_names_what_is_not_default() -> None:
    chosen = Parameters(digits=8, period=60, algorithm="SHA256")
    uri = totp.provisioning_uri(Secret("Z" * 32), issuer="x", account="y", parameters=chosen)
    assert uri == f"otpauth://totp/x:y?issuer=x&secret={'Z' * 32}&digits=8&period=60&algorithm=SHA256"


@given(issuer=st.text(min_size=1), account=st.text(min_size=1), chosen=parameters)
def test_an_app_reads_back_what_was_put_in(issuer: str, account: str, chosen: Parameters) -> None:
    assume(issuer.strip() and account.strip())
    uri = totp.provisioning_uri(SECRET, issuer=issuer, account=account, parameters=chosen)
    parts = urlsplit(uri)
    fields = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    assert uri.isascii()
    assert [unquote(half) for half in parts.path.removeprefix("/").split(":")] == [issuer, account]
    assert fields.pop("issuer") == issuer
    assert fields.pop("secret") == SECRET.reveal()
    read = Parameters(
        digits=int(fields.pop("digits", 6)),
        period=int(fields.pop("period", 30)),
        algorithm=fields.pop("algorithm", "SHA1"),  # type: ignore[arg-type]
    )
    assert (read, fields) == (chosen, {})


def test_pyotp_reads_the_address() -> None:
    chosen = Parameters(digits=8, algorithm="SHA512")
    uri = totp.provisioning_uri(SECRET, issuer="Example", account="ada@example.org", parameters=chosen)
    app = pyotp.parse_uri(uri)
    assert isinstance(app, pyotp.TOTP)
    assert app.at(NOW) == totp.code_at(SECRET, PRESENT, chosen)


def test_a_lone_surrogate_in_a_label_is_no_failure() -> None:
    assert "/x:%3F?" in totp.provisioning_uri(SECRET, issuer="x", account="\ud800")


@pytest.mark.parametrize(("issuer", "account"), [("", "y"), (" ", "y"), ("x", ""), ("x", "\t")])
def test_a_blank_label_is_refused(issuer: str, account: str) -> None:
    with pytest.raises(InputInvalid):
        totp.provisioning_uri(SECRET, issuer=issuer, account=account)


def test_the_secret_for_typing_comes_in_fours() -> None:
    assert totp.grouped(Secret("ABCDEFGH" * 4)) == " ".join(["ABCD", "EFGH"] * 4)


def test_digests_are_those_of_hashlib() -> None:
    assert {name: digest().name for name, digest in totp.DIGESTS.items()} == {
        name: hashlib.new(name).name for name in get_args(Algorithm)
    }
