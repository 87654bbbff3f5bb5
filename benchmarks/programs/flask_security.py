"""The peer ``Flask-Security``: its JSON API, asked through Flask's test client, sessions in signed cookies.

It has no services to call, so its rows hold Flask's share of a request as well; ``empty_request`` shows that share.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from flask import Flask
from flask_security import Security, SQLAlchemyUserDatastore, hash_password
from flask_security.models import fsqla_v3 as fsqla
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

from benchmarks.imports import importing
from benchmarks.phone import shown
from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.protocol import Watch, Work, World

PASSWORD: Final = "correct horse battery staple"  # noqa: S105  # everybody's, here

CONFIG: Final = {
    "SECRET_KEY": "benchmark-benchmark-benchmark-benchmark",
    "SECURITY_PASSWORD_SALT": "146585145368132386173505678016728509634",
    "SECURITY_PASSWORD_HASH": "pbkdf2_sha512",
    "SECURITY_HASHING_SCHEMES": ["sha256_crypt", "hex_md5"],
    "SECURITY_PASSWORD_SINGLE_HASH": False,
    "SECURITY_TWO_FACTOR": True,
    "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
    "SECURITY_TOTP_SECRETS": {"1": "TjQ9Qa31VOrfEzuPy4VHQWPCTmRzCnFzMKLxXYiZu9B"},
    "SECURITY_TOTP_ISSUER": "benchmark",
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES_N": 10,
    "SECURITY_SEND_REGISTER_EMAIL": False,
    "WTF_CSRF_ENABLED": False,
}


class Person:
    """Somebody signed in with a password, with a browser of their own."""

    def __init__(self, app: Flask, email: str) -> None:
        self._app, self._email = app, email
        self.secret = ""
        self.codes: list[str] = []
        self.sign_in()

    def sign_in(self) -> None:
        """Prove the password in a new browser."""
        self.browser = self._app.test_client()
        self.post("/login", {"email": self._email, "password": PASSWORD})

    def post(self, where: str, document: dict[str, str]) -> Any:  # noqa: ANN401  # JSON
        """Send, and expect success."""
        answer = self.browser.post(where, json=document, headers={"Accept": "application/json"})
        if answer.status_code != 200:  # noqa: PLR2004  # HTTP's "OK"
            raise AssertionError(answer.data)
        return answer.json["response"]

    def enroll(self, watch: Any) -> None:  # noqa: ANN401  # any context
        """Ask for a secret, prove it, ask for codes."""
        with watch:
            begun = self.post("/tf-setup", {"setup": "authenticator"})
        self.secret = begun["tf_authr_b32key"] if "tf_authr_b32key" in begun else begun["tf_authr_key"].replace("-", "")
        code = shown(self.secret)
        with watch:
            self.post(f"/tf-setup/{begun['tf_state_token']}", {"code": code})
            made = self.post("/mf-recovery-codes", {})
        self.codes = made["recovery_codes"]


class Flows:
    """The installation, and what its people do."""

    def __init__(self, world: World) -> None:
        app = Flask(__name__)
        url = (
            f"sqlite:///{world.target}" if world.sqlite else world.target.replace("postgresql:", "postgresql+psycopg:")
        )
        app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI=url)
        database = SQLAlchemy(app)
        fsqla.FsModels.set_db_info(database)
        role = type("Role", (database.Model, fsqla.FsRoleMixin), {})
        user = type("User", (database.Model, fsqla.FsUserMixin), {})
        self._named_by_the_user = type("WebAuthn", (database.Model, fsqla.FsWebAuthnMixin), {})
        self._users = SQLAlchemyUserDatastore(database, user, role)
        app.security = Security(app, self._users)
        app.add_url_rule("/empty", view_func=dict, endpoint="empty")
        with app.app_context():
            if world.sqlite:
                event.listen(database.engine, "connect", lambda connection, _record: world.opened(connection))
            database.create_all()
            self._password = hash_password(PASSWORD)
        self._app, self._database, self._numbers = app, database, itertools.count()

    def newcomer(self) -> Person:
        """Return somebody who has no second factor."""
        email = f"person-{next(self._numbers)}@example.com"
        with self._app.app_context():
            self._users.create_user(email=email, password=self._password)
            self._database.session.commit()
        return Person(self._app, email)

    def enroll(self, operations: int, watch: Watch) -> None:
        """Enroll newcomers."""
        for _ in range(operations):
            self.newcomer().enroll(watch)

    def verifying(self, where: str, typed: Callable[[Person], str]) -> Work:
        """Return the row in which people, each once, finish a sign-in with what they have *typed*."""

        def verified(operations: int, watch: Watch) -> None:
            for _ in range(operations):
                person = self.newcomer()
                person.enroll(Nothing())
                person.sign_in()
                code = typed(person)
                with watch:
                    person.post(where, {"code": code})

        return verified

    def empty_request(self, operations: int, watch: Watch) -> None:
        """Ask for nothing."""
        browser = self._app.test_client()
        for _ in range(operations):
            with watch:
                browser.get("/empty")


class Nothing:
    """A watch that nobody reads."""

    def __enter__(self) -> None:
        """Measure nothing."""

    def __exit__(self, *_error: object) -> None:
        """Keep nothing."""


def rows(world: World) -> Mapping[str, Work]:
    """Offer every row that it has."""
    if world.setting.database == "none":
        return {"import": importing("import flask_security")}
    flows = Flows(world)
    return {
        "enroll": flows.enroll,
        "verify_totp": flows.verifying("/tf-validate", lambda person: shown(person.secret)),
        "verify_recovery": flows.verifying("/mf-recovery", lambda person: person.codes[0]),
        "empty_request": flows.empty_request,
    }


if __name__ == "__main__":
    serve(rows, versions=("Flask-Security", "Flask", "SQLAlchemy"))
