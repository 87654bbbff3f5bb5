"""Three hosts with tables of people and organizations that this project did not define, and how they map them.

Flask-SQLAlchemy's usual model with whole numbers; Django's real ``auth_user`` with a table of addresses; and an async
service's UUIDs with soft deletion.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from authflow.adapters.sql.hosted import (
    UNDATED,
    AddressColumn,
    AddressTable,
    OrganizationTable,
    RowsOf,
    UserTable,
)
from authflow.ports import Organization, User
from authflow.values import Role, UserId

if TYPE_CHECKING:
    from collections.abc import Mapping

UTF8 = {"mariadb_charset": "utf8mb4"}
"""Where MariaDB, as Debian sets it up, keeps text of any language, and compares it without case or accents."""


class Host:
    """What a test asks of a host: to stand empty, to register people, to say what it keeps of them."""

    users: UserTable
    organizations: OrganizationTable
    metadata: sa.MetaData

    def __init__(self, engine: sa.Engine) -> None:
        self._keys: dict[str, int] = {}
        self._whole_seconds = engine.dialect.name == "mariadb"  # what DATETIME keeps there
        self.prepare(engine)
        with engine.begin() as connection:
            for table in reversed(self.metadata.sorted_tables):
                connection.execute(sa.delete(table))

    def prepare(self, engine: sa.Engine) -> None:
        self.metadata.create_all(engine)

    def key(self, name: str) -> str:
        return str(self._keys.setdefault(name, len(self._keys) + 7))

    def add_user(self, tx: Any, user: User) -> None:
        raise NotImplementedError

    def add_organization(self, tx: Any, organization: Organization) -> None:
        raise NotImplementedError

    def add_password_reset(self, tx: Any, user: UserId) -> None:
        raise NotImplementedError

    def kept(self, user: User) -> User:
        """Return *user* as the host keeps them."""
        if not self._whole_seconds:
            return user
        cut = [
            attrs.evolve(a, verified_at=a.verified_at and a.verified_at.replace(microsecond=0)) for a in user.addresses
        ]
        return attrs.evolve(user, addresses=tuple(cut))

    def kept_organization(self, organization: Organization) -> Organization:
        return organization

    def insert(self, tx: Any, table: Any, values: Mapping[str, Any]) -> None:
        tx.connection.run(sa.insert(table), values)


# --- Flask: one address per person, naive instants, whole numbers ---------------------------------------------------


class Model(DeclarativeBase):
    """What ``db.Model`` is under Flask-SQLAlchemy."""


class Person(Model):
    __tablename__ = "users"
    __table_args__ = UTF8
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(255), index=True)
    email_confirmed_at: Mapped[datetime | None]
    password: Mapped[str] = mapped_column(sa.String(255), default="")
    first_name: Mapped[str | None] = mapped_column(sa.String(100))
    enabled: Mapped[bool | None] = mapped_column("is_enabled", default=True)
    is_admin: Mapped[bool | None]


class PasswordReset(Model):
    __tablename__ = "password_resets"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))


class Team(Model):
    __tablename__ = "teams"
    __table_args__ = UTF8
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(64), unique=True)
    title: Mapped[str] = mapped_column(sa.String(200))
    plan: Mapped[str] = mapped_column(sa.String(20))
    mfa_required: Mapped[bool | None]


class FlaskHost(Host):
    metadata = Model.metadata
    users = UserTable(
        id=Person.id,
        label=Person.email,
        name=Person.first_name,
        active=Person.enabled,
        administrator=Person.is_admin,
        addresses=AddressColumn(address=Person.email, verified=Person.email_confirmed_at),
        drop_password_resets=RowsOf(PasswordReset.user_id),
        remove=RowsOf(Person.id),
    )
    organizations = OrganizationTable(
        id=Team.id,
        slug=Team.slug,
        name=Team.title,
        can_invite=Team.plan != "free",
        require_second_factor=Team.mfa_required,
        default_role="member",
        regions=("eu",),
    )

    def add_user(self, tx: Any, user: User) -> None:
        kept = self.kept(user)
        verified = kept.addresses[0].verified_at if kept.addresses else None
        row = {
            "id": int(user.id),
            "email": kept.label,
            "email_confirmed_at": verified and verified.replace(tzinfo=None),
            "password": "",
            "first_name": user.name or None,
            "is_enabled": user.active,
            "is_admin": user.administrator or None,
        }
        self.insert(tx, Person.__table__, row)

    def kept(self, user: User) -> User:
        addresses = super().kept(user).addresses[:1]
        return attrs.evolve(user, label=addresses[0].address if addresses else "", addresses=addresses)

    def add_password_reset(self, tx: Any, user: UserId) -> None:
        self.insert(tx, PasswordReset.__table__, {"user_id": int(user)})

    def add_organization(self, tx: Any, organization: Organization) -> None:
        row = {
            "id": int(organization.id),
            "slug": organization.slug,
            "title": organization.name,
            "plan": "paid" if organization.can_invite else "free",
            "mfa_required": organization.require_second_factor or None,
        }
        self.insert(tx, Team.__table__, row)

    def kept_organization(self, organization: Organization) -> Organization:
        return Organization(
            id=organization.id,
            slug=organization.slug,
            name=organization.name,
            can_invite=organization.can_invite,
            require_second_factor=organization.require_second_factor,
            default_role=Role("member"),
            regions=("eu",),
        )


# --- Django: auth_user as its own migrations make it, addresses with flags ------------------------------------------

MIGRATE = """
import sys, django
from django.conf import settings
from django.core.management import call_command
engine, name, user, host = sys.argv[1:]
database = {"ENGINE": engine, "NAME": name, "USER": user, "HOST": host}
settings.configure(
    DATABASES={"default": database}, INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"], USE_TZ=True
)
django.setup()
call_command("migrate", verbosity=0)
"""
ENGINES = {"sqlite": "sqlite3", "postgresql": "postgresql"}
DJANGO = ("auth_user", "auth_user_groups")


def migrate(url: sa.URL) -> None:
    """Let Django make its tables, in a process of its own: its settings are global."""
    host, backend = url.host or url.query.get("host", ""), ENGINES[url.get_backend_name()]
    told = [f"django.db.backends.{backend}", str(url.database), url.username or "", str(host)]
    subprocess.run([sys.executable, "-c", MIGRATE, *told], check=True)


class DjangoHost(Host):
    def prepare(self, engine: sa.Engine) -> None:
        self.metadata = sa.MetaData()
        self.metadata.reflect(engine, only=DJANGO)
        self.user = self.metadata.tables["auth_user"]
        self.address = sa.Table(
            "account_emailaddress",
            self.metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("email", sa.String(254), nullable=False),
            sa.Column("verified", sa.Boolean, nullable=False),
            sa.Column("primary", sa.Boolean, nullable=False),
            sa.Column("user_id", sa.Integer, sa.ForeignKey(self.user.c.id), nullable=False),
        )
        self.token = sa.Table(
            "accounts_token",
            self.metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("user_id", sa.Integer, nullable=False),
            sa.Column("used", sa.Boolean, nullable=False),
        )
        self.organization = sa.Table(
            "orgs_organization",
            self.metadata,
            sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
            sa.Column("name", sa.String(200), nullable=False),
            sa.Column("is_active", sa.Boolean, nullable=False),
            sa.Column("region", sa.String(20), nullable=True),
        )
        self.metadata.create_all(engine)
        u, a = self.user.c, self.address.c
        self.users = UserTable(
            id=u.id,
            label=u.username,
            name=sa.func.trim(u.first_name + " " + u.last_name),
            active=u.is_active,
            administrator=u.is_superuser,
            addresses=AddressTable(user=a.user_id, address=a.email, verified=a.verified, primary=a.primary),
            drop_password_resets=self.use_tokens,
            remove=RowsOf(a.user_id, self.metadata.tables["auth_user_groups"].c.user_id, u.id),
        )
        o = self.organization.c
        self.organizations = OrganizationTable(id=o.id, name=o.name, active=o.is_active, regions=o.region)

    def use_tokens(self, connection: Any, user: int) -> int:
        token = self.token
        unused = sa.update(token).where(token.c.user_id == user, token.c.used.is_(sa.false()))
        return int(connection.changed(unused.values(used=True)))

    def add_user(self, tx: Any, user: User) -> None:
        row = {
            "id": int(user.id),
            "username": user.label,
            "first_name": user.name,
            "last_name": "",
            "email": "somebody@else.example",
            "password": "!",
            "is_active": user.active,
            "is_staff": True,
            "is_superuser": user.administrator,
            "date_joined": datetime(2026, 1, 1, tzinfo=UTC),
        }
        self.insert(tx, self.user, row)
        for own in user.addresses:
            flags = {"verified": own.verified_at is not None, "primary": own.primary}
            self.insert(tx, self.address, {"user_id": int(user.id), "email": own.address, **flags})

    def kept(self, user: User) -> User:
        dated = [attrs.evolve(a, verified_at=None if a.verified_at is None else UNDATED) for a in user.addresses]
        return attrs.evolve(user, addresses=tuple(dated))

    def add_password_reset(self, tx: Any, user: UserId) -> None:
        self.insert(tx, self.token, {"user_id": int(user), "used": False})

    def add_organization(self, tx: Any, organization: Organization) -> None:
        row = {
            "id": int(organization.id),
            "name": organization.name,
            "is_active": organization.active,
            "region": next(iter(organization.regions), None),
        }
        self.insert(tx, self.organization, row)

    def kept_organization(self, organization: Organization) -> Organization:
        return Organization(
            id=organization.id,
            slug=organization.id,
            name=organization.name,
            active=organization.active,
            default_role=Role("member"),
            regions=organization.regions[:1],
        )


# --- an async service: UUIDs, aware instants, a pointer to the primary address, soft deletion -----------------------


class Base(DeclarativeBase):
    """What a FastAPI service calls its own."""


class Account(Base):
    __tablename__ = "svc_account"
    __table_args__ = UTF8
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(100))
    display_name: Mapped[str] = mapped_column(sa.String(200))
    status: Mapped[str] = mapped_column(sa.String(20))
    is_superuser: Mapped[bool]
    primary_mailbox_id: Mapped[uuid.UUID | None]
    deleted_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))


class Mailbox(Base):
    __tablename__ = "svc_mailbox"
    __table_args__ = UTF8
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    account_id: Mapped[uuid.UUID]
    email: Mapped[str] = mapped_column(sa.String(254))
    confirmed_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))


class Recovery(Base):
    __tablename__ = "svc_recovery"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID]


class Tenant(Base):
    __tablename__ = "svc_tenant"
    __table_args__ = UTF8
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str] = mapped_column(sa.String(200))
    disabled: Mapped[bool]
    default_role: Mapped[str | None] = mapped_column(sa.String(20))
    regions: Mapped[list[str]] = mapped_column(sa.JSON)
    flags: Mapped[int] = mapped_column()
    bound: Mapped[bool | None]
    security_project: Mapped[str | None] = mapped_column(sa.String(64))


BITS = (
    "require_second_factor",
    "require_verified_address",
    "can_invite",
    "join_requests",
    "member_limit_restricted",
)


def bury(connection: Any, account: uuid.UUID) -> bool:
    """Delete softly, as the service does: the name stays taken."""
    table: Any = Account.__table__
    connection.run(sa.delete(Mailbox.__table__).where(Mailbox.__table__.c.account_id == account))
    living = sa.update(table).where(table.c.id == account, table.c.deleted_at.is_(None))
    return bool(connection.changed(living.values(deleted_at=datetime(2026, 1, 1, tzinfo=UTC))))


class ServiceHost(Host):
    metadata = Base.metadata
    users = UserTable(
        id=Account.id,
        label=Account.username,
        name=Account.display_name,
        active=Account.status == "active",
        administrator=Account.is_superuser,
        where=Account.deleted_at.is_(None),
        addresses=AddressTable(
            user=Mailbox.account_id,
            address=Mailbox.email,
            verified=Mailbox.confirmed_at,
            primary=Mailbox.id == Account.primary_mailbox_id,
        ),
        drop_password_resets=RowsOf(Recovery.account_id),
        remove=bury,
    )
    organizations = OrganizationTable(
        id=Tenant.id,
        slug=Tenant.slug,
        name=Tenant.name,
        active=sa.not_(Tenant.disabled),
        default_role=Tenant.default_role,
        regions=Tenant.regions,
        security_project=Tenant.security_project,
        invites_bound_to_address=Tenant.bound,
        **{name: Tenant.flags.op("&")(1 << place) != 0 for place, name in enumerate(BITS)},
    )

    def key(self, name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))

    def add_user(self, tx: Any, user: User) -> None:
        boxes = [(uuid.uuid5(uuid.NAMESPACE_DNS, f"{user.id}{own.address}"), own) for own in user.addresses]
        row = {
            "id": uuid.UUID(user.id),
            "username": user.label,
            "display_name": user.name,
            "status": "active" if user.active else "blocked",
            "is_superuser": user.administrator,
            "primary_mailbox_id": next((key for key, own in boxes if own.primary), None),
            "deleted_at": None,
        }
        self.insert(tx, Account.__table__, row)
        for key, own in boxes:
            held = {"id": key, "account_id": row["id"], "email": own.address, "confirmed_at": own.verified_at}
            self.insert(tx, Mailbox.__table__, held)

    def add_password_reset(self, tx: Any, user: UserId) -> None:
        self.insert(tx, Recovery.__table__, {"account_id": uuid.UUID(user)})

    def add_organization(self, tx: Any, organization: Organization) -> None:
        row = {
            "id": uuid.UUID(organization.id),
            "slug": organization.slug,
            "name": organization.name,
            "disabled": not organization.active,
            "default_role": None if organization.default_role == "member" else organization.default_role,
            "regions": list(organization.regions),
            "flags": sum(getattr(organization, name) << place for place, name in enumerate(BITS)),
            "bound": None if organization.invites_bound_to_address else False,
            "security_project": organization.security_project,
        }
        self.insert(tx, Tenant.__table__, row)


HOSTS: dict[str, type[Host]] = {"flask": FlaskHost, "django": DjangoHost, "service": ServiceHost}
