"""What Alembic runs for every command: `authflow.adapters.sql.schema` has opened the transaction and says the rest."""

from __future__ import annotations

from alembic import context

context.configure(**context.config.attributes["options"])
with context.begin_transaction():
    context.run_migrations()
