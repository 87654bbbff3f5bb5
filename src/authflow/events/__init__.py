"""Saving events of the host's projects: normalized, once per key, the latest ingested wins."""
