"""What Django's sessions leave for the key that a browser had before: the value that was replaced, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest
from django.contrib.sessions.backends.db import SessionStore as Stored
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from authflow import NOBODY, Context, Method, Proof, Secret, UserId
from authflow.testing.browsers import Phone
from tests.integrations.django_host import CLOCK, FILE, DjangoDriver, flows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest

    from authflow.integrations.django.browser import DjangoBrowser

    View = Callable[[HttpRequest, DjangoBrowser], object]

ENGINES = ("db", "cache", "cached_db", "file")
ONCE = Context(ip="192.0.2.7", idempotency_key="0d8f6a52-4d0c-4a05-9a3c-0e8d6fdd9a53")
AGAIN = attrs.evolve(ONCE, idempotency_key="another")


@attrs.define
class Tab:
    """A browser's tab: what it sends is a cookie, and what it gets back are cookies."""

    key: str | None = None

    def serve(self, view: View) -> HttpResponse:
        """Serve one request, which leaves with the key as it stands now, whatever happens meanwhile."""
        from authflow.integrations.django.browser import AuthflowMiddleware, browser

        def viewed(request: HttpRequest) -> HttpResponse:
            view(request, browser(request))
            return HttpResponse()

        request = RequestFactory().post("/", secure=True)
        if self.key is not None:
            request.COOKIES["sessionid"] = self.key
        response = SessionMiddleware(AuthflowMiddleware(viewed))(request)
        if "sessionid" in response.cookies:
            self.key = response.cookies["sessionid"].value or None
        return response


def stored(key: str | None) -> SessionBase:
    return SessionMiddleware(lambda _: HttpResponse()).SessionStore(key)


def sign_in(user: str = "1") -> View:
    proof = Proof(method=Method.PASSWORD, at=CLOCK.now())
    return lambda _, here: here.keep(flows().sessions.establish(NOBODY, ONCE, user=UserId(user), proof=proof))


def renew(context: Context = ONCE) -> View:
    """End the other sessions of the person, which gives this one its next value."""
    return lambda _, here: here.keep(flows().sessions.end_others(here.session, context))


def put(name: str) -> View:
    return lambda request, _: request.session.update({name: "hers"})


def asked(tab: Tab) -> Any:
    said = []
    tab.serve(lambda _, here: said.append(flows().sessions.identify(here.session)))
    return said[0]


@pytest.fixture(params=ENGINES)
def tab(request: pytest.FixtureRequest) -> Iterator[Tab]:
    """A browser in which Ada is signed in, under each of the stores that Django has."""
    driver = DjangoDriver()
    with override_settings(
        SESSION_ENGINE=f"django.contrib.sessions.backends.{request.param}", SESSION_FILE_PATH=str(FILE.parent)
    ):
        made = Tab()
        made.serve(sign_in())
        made.serve(put("cart"))
        yield made
    driver.close()


# --- the old key ----------------------------------------------------------------------------------------------------


def test_under_the_old_key_is_nothing_and_what_is_left_is_the_replaced_value_for_a_while(tab: Tab):
    from authflow.integrations.django.browser import _key_of_left  # where it lies is nobody else's business

    before = tab.key
    assert before is not None
    tab.serve(renew())
    assert dict(stored(before).items()) == {}
    left = stored(_key_of_left(before))
    assert set(left.keys()) == {"authflow.replaced", "authflow.successor", "_session_expiry"}
    assert left["authflow.successor"] == tab.key
    assert timedelta(minutes=9) < timedelta(seconds=left.get_expiry_age()) <= timedelta(minutes=10)


def test_a_request_under_way_brings_nothing_back_under_the_old_key(tab: Tab):
    before, slow = tab.key, Tab(tab.key)

    def view(request: HttpRequest, _: DjangoBrowser) -> None:
        assert request.session["cart"] == "hers"
        tab.serve(renew())
        request.session["late"] = "lost"

    with pytest.raises(SessionInterrupted):
        slow.serve(view)
    assert dict(stored(before).items()) == {}
    assert asked(tab).user == "1"


def test_a_key_made_of_an_old_one_is_no_session_of_ours(tab: Tab):
    from authflow.integrations.django.browser import _key_of_left  # as above

    before = tab.key
    assert before is not None
    tab.serve(renew())
    assert asked(Tab(_key_of_left(before))).why_not == "session.required"


# --- a request that was overtaken -----------------------------------------------------------------------------------


def test_a_request_that_was_overtaken_is_told_so_and_changes_no_cookie(tab: Tab):
    overtaken = Tab(tab.key)
    tab.serve(renew())
    assert asked(overtaken).why_not == "session.superseded"
    for view in (renew(AGAIN), lambda request, _: request.session.get("cart"), lambda _, here: here.session):
        assert "sessionid" not in overtaken.serve(view).cookies
    assert asked(tab).user == "1"


def test_of_two_second_factors_the_later_changes_no_cookie(tab: Tab):
    """The value that was replaced had named nobody yet."""
    begun, done, owed = [], [], []
    tab.serve(lambda _, here: begun.append(here.keep(flows().mfa.begin_totp(here.session, ONCE, account="ada"))))
    phone = Phone(Secret(begun[0].secret.reveal()))

    def complete(_: HttpRequest, here: DjangoBrowser) -> None:
        done.append(
            here.keep(flows().mfa.complete_totp(here.session, ONCE, begun[0].flow, code=phone.code(CLOCK.now())))
        )

    tab.serve(complete)
    CLOCK.advance(seconds=30)
    tab.serve(sign_in())
    second = Tab(tab.key)

    def verify(_: HttpRequest, here: DjangoBrowser) -> None:
        context = Context(ip="192.0.2.7")
        owed.append(here.keep(flows().mfa.verify(here.session, context, "totp", phone.code(CLOCK.now()))))

    tab.serve(verify)
    assert asked(tab).user == "1"
    assert "sessionid" not in second.serve(verify).cookies
    assert owed[1].code == "session.no_pending_login"


def test_a_cookie_of_no_session_is_taken_away_as_django_does(tab: Tab):
    stored(tab.key).delete()
    response = tab.serve(lambda _, here: here.session)
    assert response.cookies["sessionid"].value == ""


def test_a_logout_takes_the_cookie_away_also_where_something_was_left(tab: Tab):
    overtaken = Tab(tab.key)
    tab.serve(renew())
    assert overtaken.serve(lambda request, _: request.session.flush()).cookies["sessionid"].value == ""


# --- a repeat -------------------------------------------------------------------------------------------------------


def test_a_repeat_goes_on_in_the_new_session_and_stores_nothing_again(tab: Tab):
    repeated = Tab(tab.key)
    tab.serve(renew())

    def view(request: HttpRequest, here: DjangoBrowser) -> None:
        renew()(request, here)
        tab.serve(put("meanwhile"))

    cookie = repeated.serve(view).cookies["sessionid"]
    assert repeated.key == tab.key
    assert cookie["httponly"]
    assert cookie["max-age"] == 14 * 24 * 3600
    assert stored(tab.key)["meanwhile"] == "hers"


def test_a_repeat_that_was_overtaken_itself_sends_no_key_and_stores_nothing(tab: Tab):
    repeated = Tab(tab.key)
    tab.serve(renew())
    first = tab.key

    def view(request: HttpRequest, here: DjangoBrowser) -> None:
        renew()(request, here)
        tab.serve(renew(AGAIN))

    assert "sessionid" not in repeated.serve(view).cookies
    assert dict(stored(first).items()) == {}
    assert asked(tab).user == "1"


def test_two_of_the_same_at_once_both_go_on(tab: Tab):
    """Both had loaded the old session before either of them changed its key."""
    second = Tab(tab.key)

    def view(request: HttpRequest, here: DjangoBrowser) -> None:
        assert request.session["cart"] == "hers"
        tab.serve(renew())
        renew()(request, here)

    second.serve(view)
    assert second.key == tab.key
    assert asked(second).user == "1"


class SessionStore(Stored):
    """A store in which something happens right before a session changes its key."""

    meanwhile: ClassVar[list[Callable[[], object]]] = []

    def cycle_key(self) -> None:
        while self.meanwhile:
            self.meanwhile.pop()()
        super().cycle_key()


def test_two_of_the_same_that_change_the_key_at_once_both_are_answered():
    """Neither found yet what the other one leaves for the key that both had."""
    driver = DjangoDriver()
    with override_settings(SESSION_ENGINE=__name__):
        tab = Tab()
        tab.serve(sign_in())
        second = Tab(tab.key)
        SessionStore.meanwhile.append(lambda: tab.serve(renew()))
        second.serve(renew())
        assert asked(second).user == asked(tab).user == "1"
    driver.close()


# --- what may live on -----------------------------------------------------------------------------------------------


def test_a_value_that_another_person_took_the_place_of_is_not_left(tab: Tab):
    """A host that signs somebody else in as a new browser leaves the former session alive."""
    from django.contrib.auth.models import User

    User.objects.create_user("bob", "bob@example.com", "x", id=2)
    before = Tab(tab.key)
    tab.serve(sign_in("2"))
    assert asked(tab).user == "2"
    assert asked(before).why_not == "session.required"


def test_where_the_cookie_is_the_session_nothing_is_left_and_an_older_one_opens_nothing():
    driver = DjangoDriver()
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies"):
        tab = Tab()
        tab.serve(sign_in())
        before = Tab(tab.key)
        tab.serve(renew())
        assert asked(tab).user == "1"
        assert asked(before).why_not == "session.superseded"
        assert "sessionid" not in before.serve(renew(AGAIN)).cookies
        before.serve(renew())
        assert asked(before).user == "1"
    driver.close()
