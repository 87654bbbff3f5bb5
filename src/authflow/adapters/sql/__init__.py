"""SQLAlchemy Core on SQLite and PostgreSQL: tables, repositories, unit of work, migrations. Extra ``sql``."""
