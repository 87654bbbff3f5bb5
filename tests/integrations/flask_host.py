"""A Flask app with Flask-SQLAlchemy, whose tables are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa
from cachelib import SimpleCache
from flask import Flask, request, session
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy

from authflow import Authflow, KeyRing, Method, OrganizationId, Proof, Refused, UserId
from authflow.adapters.sql.hosted import AddressColumn, OrganizationTable, RowsOf, UserTable
from authflow.integrations.flask import browser, install, problem
from authflow.testing import ManualClock, SeededEntropy
from tests.integrations.driven import ERRORS, Driver, Reply, migrated, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from werkzeug.test import Client


class FlaskDriver(Driver):
    cookie_name, log = "session", "host"

    def __init__(self, folder: Path, *, stored: bool) -> None:
        self.stored, self.remembers, self.clock, self.cache = stored, not stored, ManualClock(), SimpleCache()
        self.app = app = Flask("host")
        self.file = folder / "app.db"
        self.file.write_bytes(migrated())
        url = f"sqlite:///{self.file}"
        app.config.update(SECRET_KEY="of-the-test", SQLALCHEMY_DATABASE_URI=url)
        if stored:
            app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=self.cache)
            Session(app)
        self.db = db = SQLAlchemy(app)
        self.flows = self.opened(db, url)
        install(app)
        routes(app, db, self.flows)
        self.client: Client = app.test_client()

    def opened(self, db: Any, url: str) -> Authflow:
        class Person(db.Model):
            id = db.Column(sa.Integer, primary_key=True)
            email = db.Column(sa.String(100))

        class Team(db.Model):
            id = db.Column(sa.Integer, primary_key=True)

        db.Table("note", sa.Column("id", sa.Integer, primary_key=True))

        with self.app.app_context():
            db.create_all()
            db.session.add_all([Person(email="ada@example.com"), Team()])
            db.session.commit()
        return Authflow.open(
            url,
            keys=KeyRing.ephemeral(SeededEntropy()),
            clock=self.clock,
            users=UserTable(
                id=Person.id,
                label=Person.email,
                addresses=AddressColumn(address=Person.email, verified=True),
                drop_password_resets=lambda _connection, _person: 0,
                remove=RowsOf(Person.id),
            ),
            organizations=OrganizationTable(id=Team.id, regions=("eu",)),
        )

    def close(self) -> None:
        self.flows.uow.engine.dispose()
        with self.app.app_context():
            self.db.engine.dispose()

    def send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Reply:
        kind = {"content_type": "application/json"} if body is not None else {}
        got = self.client.open(path, method=method, data=body, headers=dict(headers), **kind)
        return Reply(
            status=got.status_code, body=got.json, headers=got.headers, cookies=got.headers.getlist("Set-Cookie")
        )

    def cookie(self, name: str) -> str | None:
        found = self.client.get_cookie(name)
        return None if found is None else found.value

    def set_cookie(self, name: str, value: str) -> None:
        self.client.set_cookie(name, value)

    def ids(self) -> set[str]:
        return {str(key).removeprefix("session:") for key in self.cache._cache}


def routes(app: Flask, db: Any, flows: Authflow) -> None:
    def answered(answer: Any) -> Any:
        kept = browser().keep(answer)
        return problem(kept) if isinstance(kept, Refused) else shown(kept)

    @app.post("/sign-in")
    def sign_in():
        here, proof = browser(), Proof(method=Method.PASSWORD, at=flows.clock.now())
        user = UserId(request.json["user"])
        return answered(flows.sessions.establish(here.session, here.context, user=user, proof=proof))

    @app.post("/begin")
    def begin():
        here = browser()
        return answered(flows.mfa.begin_totp(here.session, here.context, account="ada@example.com"))

    @app.post("/complete")
    def complete():
        here, given = browser(), request.json
        return answered(flows.mfa.complete_totp(here.session, here.context, given.get("flow"), code=given.get("code")))

    @app.post("/verify")
    def verify():
        here, given = browser(), request.json
        device = here.device
        return answered(
            flows.mfa.verify(here.session, here.context, given.get("kind"), given.get("code"), device=device)
        )

    @app.post("/sign-out")
    def sign_out():
        here = browser()
        return answered(flows.sessions.sign_out(here.session, here.context))

    @app.get("/me")
    def me():
        asker = flows.sessions.identify(browser().session)
        return {"user": asker.user, "why_not": asker.why_not}

    @app.get("/context")
    def context():
        return attrs.asdict(browser().context)

    @app.post("/store")
    def store():
        session["authflow"] = request.json["value"]
        return {}

    @app.post("/join")
    def join():
        with flows.within(db.session):
            db.session.execute(sa.text("INSERT INTO note DEFAULT VALUES"))
            added = flows.members.add(browser().context, organization=OrganizationId("1"), user=UserId("1"))
        if request.json["commit"]:
            db.session.commit()
        else:
            db.session.rollback()
        return shown(added)

    @app.post("/guess-within")
    def guess_within():
        here = browser()
        with flows.within(db.session):
            return answered(flows.mfa.verify(here.session, here.context, "totp", "000000"))

    @app.get("/raise/<name>")
    def fail(name: str):
        raise ERRORS[name]
