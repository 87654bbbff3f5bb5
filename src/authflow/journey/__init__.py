"""The only place where slices meet: tables that compose them, and the services that drive the tables."""
