"""Kinds of provider that speak OpenID Connect and OAuth 2, and HTTP to reach them; the extra ``oidc``."""
