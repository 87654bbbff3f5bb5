"""Connecting an organization's provider, and keeping it; what decides is pure (`authflow.sso.provider`, ``setup``).

Every command is a method of `providing.Providers`, which is ``flows.providers``: there it is documented, and what a
host hands in is checked. It is done by one of four parts, which know nothing of each other (`authflow.assembly` puts
all of it together):

- `setting_up`: an owner proposes a provider, signs in through it, and connects it;
- `partnering`: an installation's administrator connects one for a partner, untried, and takes it away;
- `keeping`: showing the provider that stands, editing it, saying what it means for members, taking it away;
- `describing`: what a provider has to be told of this app.

The first three give an order (`orders`) to `connecting`, which reads who may, asks the table, and does what follows:
rows, links, members' flags, mails. `telling` writes the mails to all members, when the relay comes to it. `answers` is
what a host is answered.
"""
