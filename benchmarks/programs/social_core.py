"""The peer ``social-core`` on Django's storage, asked through Django's test client, sessions in the database.

Its rows hold Django's share of a request as well; ``empty_request`` shows that share. The provider is faked where a
backend of it asks over HTTP: in ``get_json``. The pipeline is as shipped.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from django.urls import include, path
from social_core.backends.oauth import BaseOAuth2

from benchmarks.django_world import EMPTY, PASSWORDS, SignOns, database_of, empty, empty_request, migrate, start
from benchmarks.imports import importing
from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.test import Client

    from benchmarks.protocol import Work, World

IDP: Final = "https://idp.example"

SETTINGS: Final[dict[str, Any]] = {
    "SECRET_KEY": "benchmark",
    "ROOT_URLCONF": __name__,
    "ALLOWED_HOSTS": ["testserver"],
    "USE_TZ": True,
    "INSTALLED_APPS": [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "social_django",
    ],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    "AUTHENTICATION_BACKENDS": [f"{__name__}.Faked", PASSWORDS],
    "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
    "LOGIN_REDIRECT_URL": EMPTY,
    "SOCIAL_AUTH_NEW_ASSOCIATION_REDIRECT_URL": EMPTY,
    "SOCIAL_AUTH_FAKED_KEY": "client",
    "SOCIAL_AUTH_FAKED_SECRET": "secret",
}


class Faked(BaseOAuth2):  # type: ignore[misc]  # not installed where types are checked
    """A provider whose codes, access tokens and subjects are addresses."""

    name = "faked"
    AUTHORIZATION_URL = f"{IDP}/authorize"
    ACCESS_TOKEN_URL = f"{IDP}/token"
    ID_KEY = "sub"

    def get_json(self, url: str, *_: object, **asked: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever a request takes
        """Answer at once what the two endpoints would."""
        if url == self.ACCESS_TOKEN_URL:
            return {"access_token": asked["data"]["code"], "token_type": "Bearer"}
        subject = asked["headers"]["Authorization"].removeprefix("Bearer ")
        return {"sub": subject, "email": subject, "email_verified": True}

    def user_data(self, access_token: str, *_: object, **_more: object) -> dict[str, Any]:
        """Ask who came."""
        return self.get_json(f"{IDP}/userinfo", headers={"Authorization": f"Bearer {access_token}"})

    def get_user_details(self, response: dict[str, Any]) -> dict[str, Any]:
        """Return what a new account is given."""
        return {"username": response["sub"], "email": response["email"]}


def leave(browser: Client, _link: bool) -> str:  # noqa: FBT001  # whoever is signed in links
    """Send *browser* to the provider."""
    return str(browser.post("/login/faked/").url)


def rows(world: World) -> Mapping[str, Work]:
    """Offer every row that it has."""
    if world.setting.database == "none":
        return {"import": importing("import social_core.actions, social_core.backends.oauth")}
    start(database_of(world), SETTINGS)
    routes = [path(EMPTY[1:], empty), path("", include("social_django.urls"))]
    sys.modules[__name__].urlpatterns = routes  # type: ignore[attr-defined]  # the routes of this module
    migrate(world)
    return {**SignOns(leave, "/complete/faked/").rows(), "empty_request": empty_request}


if __name__ == "__main__":
    serve(rows, versions=("social-auth-core", "social-auth-app-django", "Django"))
