"""The peer ``django-allauth``: its headless API, asked through Django's test client, sessions in the database.

It has no services to call, so its rows hold Django's share of a request as well; ``empty_request`` shows that share.
Its rate limits are off, because everybody here has one address; its limits on guesses are as shipped. The OpenID
provider is faked where allauth asks over HTTP: in the session that its adapter makes.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Self

from django.test import Client
from django.urls import include, path

from benchmarks.django_world import EMPTY, PASSWORDS, SignOns, database_of, empty, empty_request, migrate, start
from benchmarks.imports import importing
from benchmarks.phone import shown
from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.protocol import Watch, Work, World

API: Final = "/_allauth/browser/v1/"
PASSWORD: Final = "correct horse battery staple"  # noqa: S105  # everybody's, here

SETTINGS: Final[dict[str, Any]] = {
    "SECRET_KEY": "benchmark",
    "ROOT_URLCONF": __name__,
    "ALLOWED_HOSTS": ["testserver"],
    "USE_TZ": True,
    "INSTALLED_APPS": [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "allauth",
        "allauth.account",
        "allauth.mfa",
        "allauth.headless",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
    ],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    "AUTHENTICATION_BACKENDS": [PASSWORDS, "allauth.account.auth_backends.AuthenticationBackend"],
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],  # signing in is not measured
    "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
    "ACCOUNT_RATE_LIMITS": False,
    "ACCOUNT_EMAIL_VERIFICATION": "none",
    "MFA_TOTP_TOLERANCE": 1,  # a step to each side, like everybody here, or a run would end when a step does
    "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
    "SOCIALACCOUNT_ADAPTER": f"{__name__}.adapter",
    "SOCIALACCOUNT_PROVIDERS": {
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": "faked",
                    "name": "Faked",
                    "client_id": "client",
                    "secret": "secret",
                    "settings": {"server_url": "https://idp.example", "token_auth_method": "client_secret_post"},
                }
            ]
        }
    },
}


def urls() -> list[Any]:
    """Return the routes; allauth's can be imported only when Django stands."""
    names = {"accounts/": "allauth.urls", "_allauth/": "allauth.headless.urls"}
    return [path(EMPTY[1:], empty), *(path(prefix, include(routes)) for prefix, routes in names.items())]


# --- single sign-on ---------------------------------------------------------------------------------------------------


class Wire(contextlib.nullcontext[Any]):
    """A session of ``requests`` in which an OpenID provider answers at once; codes and tokens are addresses."""

    def __enter__(self) -> Self:
        """Connect to nobody."""
        return self

    def request(self, _method: str, _url: str, **asked: Any) -> SimpleNamespace:  # noqa: ANN401  # whatever a request takes
        """Answer as the token's endpoint."""
        return _answered({"access_token": asked["data"]["code"], "token_type": "Bearer"})

    def get(self, url: str, **asked: Any) -> SimpleNamespace:  # noqa: ANN401  # as above
        """Answer as discovery, or about whose access token it is."""
        if not url.endswith("/userinfo"):
            return _answered({f"{name}_endpoint": f"https://idp.example/{name}" for name in ENDPOINTS})
        subject = asked["headers"]["Authorization"].removeprefix("Bearer ")
        return _answered({"sub": subject, "email": subject, "email_verified": True})


ENDPOINTS: Final = ("authorization", "token", "userinfo")


def _answered(document: dict[str, Any]) -> SimpleNamespace:
    headers = {"content-type": "application/json"}
    return SimpleNamespace(status_code=200, headers=headers, json=lambda: document, raise_for_status=lambda: None)


def adapter(request: Any = None) -> Any:  # noqa: ANN401  # Django's request, allauth's adapter
    """Return what allauth ships, but for the session; the class can be imported only when Django stands."""
    from allauth.socialaccount.adapter import DefaultSocialAccountAdapter

    made = DefaultSocialAccountAdapter(request)
    made.get_requests_session = Wire
    return made


def leave(browser: Client, link: bool) -> str:  # noqa: FBT001  # as the rows ask
    """Send *browser* to the provider."""
    asked = {"provider": "faked", "callback_url": EMPTY, "process": "connect" if link else "login"}
    return str(browser.post(API + "auth/provider/redirect", asked).url)


# --- the second factor ------------------------------------------------------------------------------------------------


class Person:
    """Somebody signed in with a password, with a browser of their own."""

    def __init__(self, number: int) -> None:
        from django.contrib.auth import get_user_model

        name = f"person-{number}"
        get_user_model().objects.create_user(name, f"{name}@example.com", PASSWORD)
        self.name, self.secret = name, ""
        self.codes: list[str] = []
        self.sign_in()

    def sign_in(self) -> None:
        """Prove the password in a new browser."""
        self.browser = Client()
        self.post("auth/login", {"username": self.name, "password": PASSWORD}, 200 if not self.codes else 401)

    def get(self, where: str, status: int) -> Any:  # noqa: ANN401  # JSON
        """Ask, and expect *status*."""
        return self._expect(self.browser.get(API + where), status)

    def post(self, where: str, document: dict[str, str], status: int = 200) -> Any:  # noqa: ANN401  # JSON
        """Send, and expect *status*."""
        return self._expect(self.browser.post(API + where, document, content_type="application/json"), status)

    @staticmethod
    def _expect(answer: Any, status: int) -> Any:  # noqa: ANN401  # Django's response, its JSON
        if answer.status_code != status:
            raise AssertionError(answer.content)
        return answer.json()

    def enroll(self, watch: Any) -> None:  # noqa: ANN401  # any context
        """Ask for a secret, prove it, ask for the codes; the password was given once more before."""
        self.post("auth/reauthenticate", {"password": PASSWORD})
        with watch:
            self.secret = self.get("account/authenticators/totp", 404)["meta"]["secret"]
        code = shown(self.secret)
        with watch:
            self.post("account/authenticators/totp", {"code": code})
            codes = self.get("account/authenticators/recovery-codes", 200)
        self.codes = codes["data"]["unused_codes"]

    def answer(self, code: str, watch: Watch) -> None:
        """Finish a sign-in."""
        with watch:
            self.post("auth/2fa/authenticate", {"code": code})


class Flows:
    """The installation, and what its people do."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def newcomers(self, operations: int) -> Iterator[Person]:
        """Yield people who have no second factor."""
        return (Person(next(self._numbers)) for _ in range(operations))

    def enroll(self, operations: int, watch: Watch) -> None:
        """Enroll newcomers."""
        for person in self.newcomers(operations):
            person.enroll(watch)

    def verifying(self, typed: Callable[[Person], str]) -> Work:
        """Return the row in which people, each once, finish a sign-in with what they have *typed*."""

        def verified(operations: int, watch: Watch) -> None:
            from django.core.cache import cache

            for person in self.newcomers(operations):
                person.secret, person.codes = enrolled(person.name)
                cache.clear()  # a code is good once: the cache remembers it
                person.sign_in()
                person.answer(typed(person), watch)

        return verified


def enrolled(name: str) -> tuple[str, list[str]]:
    """Give somebody both factors without the views; return the secret and the codes."""
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.get(username=name)
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret, RecoveryCodes.activate(user).get_unused_codes()


def _pure() -> Mapping[str, Work]:
    """Return the rows of its recovery codes. There is no public door to them without a database."""
    _start({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"})
    from allauth.mfa.models import Authenticator
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    kept = Authenticator(
        type=Authenticator.Type.RECOVERY_CODES, data={"seed": RecoveryCodes.generate_seed(), "used_mask": 0}
    )
    codes = RecoveryCodes(kept)

    def made(operations: int, watch: Watch) -> None:
        with watch:
            for _ in range(operations):
                codes.generate_codes()

    def checked(operations: int, watch: Watch) -> None:
        with watch:
            for _ in range(operations):
                codes.validate_code("no code!")  # a right one would be stored as used

    return {
        "codes_made": made,
        "code_checked": checked,
        "import": importing(
            f"import django\nfrom django.conf import settings\nsettings.configure(**{SETTINGS!r})\ndjango.setup()"
        ),
    }


def _start(database: dict[str, Any]) -> None:
    start(database, SETTINGS)
    sys.modules[SETTINGS["ROOT_URLCONF"]].urlpatterns = urls()  # type: ignore[attr-defined]  # the routes of this module


def rows(world: World) -> Mapping[str, Work]:
    """Offer every row that it has."""
    if world.setting.database == "none":
        return _pure()
    _start(database_of(world))
    migrate(world)
    flows = Flows()
    return {
        "enroll": flows.enroll,
        "verify_totp": flows.verifying(lambda person: shown(person.secret)),
        "verify_recovery": flows.verifying(lambda person: person.codes[0]),
        **SignOns(leave, "/accounts/oidc/faked/login/callback/").rows(),
        "empty_request": empty_request,
    }


if __name__ == "__main__":
    serve(rows, versions=("django-allauth", "Django"))
