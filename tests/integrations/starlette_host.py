"""A FastAPI app on an asynchronous engine, whose tables are its own. FastAPI reads annotations: they are no strings."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import sqlalchemy as sa
from fastapi import Body, Depends, FastAPI, Request
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from starlette.middleware.sessions import SessionMiddleware
from starlette.testclient import TestClient

from authflow import AsyncAuthflow, KeyRing, Method, OrganizationId, Proof, Refused, UserId
from authflow.adapters.sql.engine import prepare
from authflow.adapters.sql.hosted import AddressColumn, OrganizationTable, RowsOf, UserTable
from authflow.integrations.starlette import StarletteBrowser, browser, install, problem
from authflow.testing import ManualClock, SeededEntropy
from tests.integrations.driven import ERRORS, Driver, Reply, migrated, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

METADATA = sa.MetaData()
ACCOUNT = sa.Table(
    "account",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("email", sa.String(100)),
    sa.Column("alive", sa.Boolean),
)
TENANT = sa.Table("tenant", METADATA, sa.Column("id", sa.Integer, primary_key=True))
NOTE = sa.Table("note", METADATA, sa.Column("id", sa.Integer, primary_key=True))

Here = Annotated[StarletteBrowser, Depends(browser)]
Given = Annotated[dict[str, Any], Body()]


async def opened(engine: Any, clock: ManualClock) -> AsyncAuthflow:
    """Return the flows on the app's own engine, where authflow's tables stand already and the app's do afterwards."""
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        await connection.execute(ACCOUNT.insert().values(email="ada@example.com", alive=True))
        await connection.execute(TENANT.insert())
    return await AsyncAuthflow.open(
        engine,
        keys=KeyRing.ephemeral(SeededEntropy()),
        clock=clock,
        users=UserTable(
            id=ACCOUNT.c.id,
            label=ACCOUNT.c.email,
            active=ACCOUNT.c.alive,
            addresses=AddressColumn(address=ACCOUNT.c.email, verified=True),
            drop_password_resets=lambda _connection, _person: 0,
            remove=RowsOf(ACCOUNT.c.id),
        ),
        organizations=OrganizationTable(id=TENANT.c.id, regions=("eu",)),
    )


class StarletteDriver(Driver):
    cookie_name, stored, remembers, log = "session", False, True, "uvicorn.error"

    def __init__(self, folder: "Path") -> None:
        self.clock, self.file = ManualClock(), folder / "app.db"
        self.app = application(self.file, self.clock)
        self.client = TestClient(self.app, base_url="https://testserver")
        self.client.__enter__()

    def close(self) -> None:
        self.client.__exit__(None, None, None)

    def send(self, method: str, path: str, body: str | None, headers: "Mapping[str, str]") -> Reply:
        kind = {} if body is None else {"Content-Type": "application/json"}
        given = {name: value.encode("latin-1") for name, value in {**headers, **kind}.items()}
        got = self.client.request(method, path, content=body, headers=given)
        told = got.headers.get("content-type", "") == "application/json"
        cookies = got.headers.get_list("set-cookie")
        return Reply(status=got.status_code, body=got.json() if told else None, headers=got.headers, cookies=cookies)

    def cookie(self, name: str) -> str | None:
        return self.client.cookies.get(name)

    def set_cookie(self, name: str, value: str) -> None:
        self.client.cookies.delete(name)
        self.client.cookies.set(name, value, domain="testserver.local")


def application(file: "Path", clock: ManualClock) -> FastAPI:
    """Return the app; its engine is opened and closed with it."""
    file.write_bytes(migrated())
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    prepare(engine.sync_engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        app.state.flows = await opened(engine, clock)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    install(app)
    app.add_middleware(SessionMiddleware, secret_key="of-the-test", https_only=True)
    views(app, engine)
    return app


def views(app: FastAPI, engine: Any) -> None:
    def flows_of(request: Request) -> AsyncAuthflow:
        flows: AsyncAuthflow = request.app.state.flows
        return flows

    Flows = Annotated[AsyncAuthflow, Depends(flows_of)]  # noqa: N806  # a type

    def answered(here: StarletteBrowser, answer: Any) -> Any:
        kept = here.keep(answer)
        return problem(kept) if isinstance(kept, Refused) else shown(kept)

    @app.post("/sign-in")
    async def sign_in(here: Here, flows: Flows, given: Given):
        proof = Proof(method=Method.PASSWORD, at=flows.clock.now())
        user = UserId(given["user"])
        return answered(here, await flows.sessions.establish(here.session, here.context, user=user, proof=proof))

    @app.post("/begin")
    async def begin(here: Here, flows: Flows):
        return answered(here, await flows.mfa.begin_totp(here.session, here.context, account="ada@example.com"))

    @app.post("/complete")
    async def complete(here: Here, flows: Flows, given: Given):
        flow, code = given.get("flow"), given.get("code")
        return answered(here, await flows.mfa.complete_totp(here.session, here.context, flow, code=code))

    @app.post("/verify")
    async def verify(here: Here, flows: Flows, given: Given):
        kind, code = given.get("kind"), given.get("code")
        return answered(here, await flows.mfa.verify(here.session, here.context, kind, code, device=here.device))

    @app.post("/sign-out")
    async def sign_out(here: Here, flows: Flows):
        return answered(here, await flows.sessions.sign_out(here.session, here.context))

    @app.get("/me")
    async def me(here: Here, flows: Flows):
        asker = await flows.sessions.identify(here.session)
        return {"user": asker.user, "why_not": asker.why_not}

    @app.get("/context")
    async def context(here: Here):
        return attrs.asdict(here.context)

    @app.post("/store")
    async def store(request: Request, given: Given):
        request.session["authflow"] = given["value"]
        return {}

    @app.post("/join")
    async def join(here: Here, flows: Flows, given: Given):
        async with AsyncSession(engine) as db:
            with flows.within(db):
                await db.execute(NOTE.insert())
                added = await flows.members.add(here.context, organization=OrganizationId("1"), user=UserId("1"))
            await (db.commit() if given["commit"] else db.rollback())
        return shown(added)

    @app.post("/guess-within")
    async def guess_within(here: Here, flows: Flows):
        async with AsyncSession(engine) as db:
            with flows.within(db):
                return answered(here, await flows.mfa.verify(here.session, here.context, "totp", "000000"))

    @app.get("/raise/{name}")
    async def fail(name: str):
        raise ERRORS[name]
