"""The account-security core of a multi-tenant web app, as pure state machines behind ports."""

__version__ = "0.1.0"
