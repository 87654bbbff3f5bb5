"""SQLAlchemy Core on SQLite, PostgreSQL and MariaDB: tables, repositories, unit of work, migrations. Extra ``sql``."""
