"""The only place where slices meet: tables that compose them, and the services that drive the tables.

Tables (``MACHINE``): `post_flow`, `sign_in`, `removal`, `replay`. They are pure, and have no rows of their own.

What a host calls, a class for each name of the facade:

=============== =================== ===================================================================
``sessions``    `signing_in`        signing in, step by step, and out
``mfa``         `protecting`        second factors; it drives `post_flow`, `sign_in` and `removal`
``invitations`` `joining`           invitations, asked for, given and used
``members``     `joining`           memberships
``accounts``    `people`            addresses, exports, merges and deletions
``sso``         `authflow.journey.sso`
``providers``   `authflow.journey.providers`
``audit``       `audit`             reading the log
``upkeep``      `upkeep`            what a timer calls
=============== =================== ===================================================================

What they share: `door` is how every command begins and ends, and how a helper of it declines; `arguments` refuses what
is of another type; `gates` says who may act on a whole account; `waiting` is the invitation that waits in a browser;
`liveness` tells whether a mail is still wanted; `answers` is what a host is answered.

A command under an idempotency key: `keyed` is the request, `replay` decides, `replaying` drives it, `replies` writes
answers down and reads them back.
"""
