"""Signing in through an organization's provider, and everything that hangs on the link it leaves."""
