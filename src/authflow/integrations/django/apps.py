"""The app's configuration. A project that wants other names makes a subclass, and names that in INSTALLED_APPS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from authflow.adapters.sql.tables import Tables


class AuthflowConfig(AppConfig):
    """Our tables as a Django app without models, under the label ``authflow``.

    Attributes:
        prefix: What the names of the tables begin with; give `Authflow.open` the same.
        schema: Which PostgreSQL schema holds them, or none for the first of the search path.
    """

    name = "authflow.integrations.django"
    label = "authflow"
    verbose_name = "authflow"
    prefix: str = "authflow_"
    schema: str | None = None

    def tables(self) -> Tables:
        """Return our tables under the names that this project chose.

        Raises:
            ConfigInvalid: The prefix is no beginning of a name.
        """
        from authflow.adapters.sql.tables import build

        return build(prefix=self.prefix, schema=self.schema)
