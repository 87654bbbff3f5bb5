"""Providers, links, subjects whose link ended, pipelines, what was accepted once, and names of sessions."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.sso.identity import SUBJECT_BYTES


@attrs.frozen(kw_only=True)
class SsoTables:
    """The tables of single sign-on."""

    provider: sa.Table
    link: sa.Table
    former_subject: sa.Table
    pipeline: sa.Table
    single_use: sa.Table
    provider_session: sa.Table


def sso_tables(metadata: sa.MetaData, prefix: str) -> SsoTables:
    """Define the tables in *metadata*, each name behind *prefix*."""
    return SsoTables(
        provider=_provider(metadata, prefix),
        link=_link(metadata, prefix),
        former_subject=_former_subject(metadata, prefix),
        pipeline=_pipeline(metadata, prefix),
        single_use=_single_use(metadata, prefix),
        provider_session=_provider_session(metadata, prefix),
    )


def _provider(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """*config* is sealed, in base64."""
    return sa.Table(
        f"{prefix}sso_provider",
        metadata,
        c.identifier("id", primary_key=True),
        c.number("version"),
        c.identifier("organization_id"),
        c.word("kind"),
        c.text("name"),
        c.flag("required"),
        c.flag("scim"),
        c.flag("newcomers"),
        c.flag("confirms"),
        c.word("default_role", nullable=True),
        c.word("sealing_key"),
        c.text("config"),
        c.digest("steps"),
        c.flag("partner"),
        c.flag("lifted"),
        c.instant("connected_at"),
        c.unique(prefix, "sso_provider.organization", "organization_id"),
        sa.Index(f"{prefix}ix_sso_provider_kind", "kind", "organization_id"),
    )


def _link(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """*memory* is sealed, in base64."""
    return sa.Table(
        f"{prefix}sso_link",
        metadata,
        c.identifier("id", primary_key=True),
        c.identifier("organization_id"),
        c.identifier("provider_id"),
        _subject(),
        c.identifier("user_id"),
        c.instant("linked_at"),
        c.instant("verified_at"),
        c.instant("synced_at"),
        c.number("failures"),
        c.word("sealing_key", nullable=True),
        c.text("memory", nullable=True),
        c.unique(prefix, "sso_link.subject", "provider_id", "subject"),
        c.unique(prefix, "sso_link.user", "provider_id", "user_id"),
        sa.Index(f"{prefix}ix_sso_link_user_id", "user_id"),
        sa.Index(f"{prefix}ix_sso_link_due", "provider_id", "synced_at"),
    )


def _former_subject(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}former_subject",
        metadata,
        c.identifier("organization_id", primary_key=True),
        c.identifier("provider_id", primary_key=True),
        _subject(primary_key=True),
        c.identifier("user_id", nullable=True),
        c.instant("removed_at", nullable=True),
        sa.Index(f"{prefix}ix_former_subject_user_id", "user_id"),
    )


def _pipeline(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """From *digest* to *expires_at* it is written once. *state*, and *answer*, which came cross-site, are sealed.

    *away* says that its browser is at the provider, *user_id* whose proof it waits for, or who gave it, and *named* is
    a digest of what the provider calls whom it spoke of, by which it may take that back.
    """
    return sa.Table(
        f"{prefix}sso_pipeline",
        metadata,
        c.identifier("id", primary_key=True),
        c.digest("digest"),
        c.identifier("session_id"),
        c.word("flow"),
        c.identifier("organization_id"),
        c.identifier("provider_id"),
        c.word("kind"),
        c.digest("steps"),
        c.identifier("started_by", nullable=True),
        c.instant("started_at"),
        c.instant("expires_at"),
        c.number("version"),
        c.flag("away"),
        c.identifier("user_id", nullable=True),
        c.digest("named", nullable=True),
        c.word("sealing_key"),
        c.text("state"),
        c.word("answer_key", nullable=True),
        c.text("answer", nullable=True),
        sa.Index(f"{prefix}ix_sso_pipeline_session_id", "session_id"),
        sa.Index(f"{prefix}ix_sso_pipeline_started_by", "started_by"),
        sa.Index(f"{prefix}ix_sso_pipeline_user_id", "user_id"),
        sa.Index(f"{prefix}ix_sso_pipeline_named", "provider_id", "named"),
        sa.Index(f"{prefix}ix_sso_pipeline_expires_at", "expires_at"),
    )


def _single_use(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}single_use",
        metadata,
        c.digest("digest", primary_key=True),
        c.instant("expires_at"),
        sa.Index(f"{prefix}ix_single_use_expires_at", "expires_at"),
    )


def _provider_session(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """*memory* is sealed, in base64."""
    return sa.Table(
        f"{prefix}provider_session",
        metadata,
        c.identifier("session_id", primary_key=True),
        c.identifier("provider_id", primary_key=True),
        c.identifier("link_id"),
        c.identifier("user_id"),
        c.digest("name"),
        c.digest("session_index"),
        c.word("sealing_key"),
        c.text("memory"),
        c.instant("expires_at"),
        sa.Index(f"{prefix}ix_provider_session_name", "provider_id", "name"),
        sa.Index(f"{prefix}ix_provider_session_user_id", "user_id"),
        sa.Index(f"{prefix}ix_provider_session_expires_at", "expires_at"),
    )


def _subject(*, primary_key: bool = False) -> sa.Column[bytes]:
    """Return the column of whom a provider means: UTF-8 that no database compares as text (decision 10)."""
    kind = sa.LargeBinary(SUBJECT_BYTES).with_variant(sa.VARBINARY(SUBJECT_BYTES), "mariadb")
    return sa.Column("subject", kind, nullable=False, primary_key=primary_key)
