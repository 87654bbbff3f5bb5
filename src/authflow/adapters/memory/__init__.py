"""Dictionaries that keep every promise of the ports: rollback, savepoints, uniqueness, serial isolation."""
