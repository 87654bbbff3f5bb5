"""Signing in through an organization's provider, and everything that hangs on the link it leaves.

In the order of a sign-on; what decides is pure, and stands in `authflow.sso`:

1. `signing_on` holds the commands. ``start`` sends the browser away: `authflow.sso.service.travelling` mints the
   pipeline and lets the kind make its request, outside of any transaction; `authflow.sso.service.pipelines` stores
   the row, sealed.
2. ``resume`` reads who is back (`authflow.sso.service.travelling`), lets the kind check the answer outside of any
   transaction, holds the accounts that the subject leads to, and takes the answer once.
3. `concluding` goes on in that same transaction, as ``choose`` does in its own: `holding` returns the pipeline as
   it stands, `circumstances` reads all that is known, and the machine of `authflow.sso.login` steps. Within it the
   ordered table of `authflow.sso.finishing` makes of a `authflow.sso.case.Case` one decision.
4. `admitting` carries out the decisions that let somebody in: link (`authflow.sso.linking`), session, membership.
   `proving` mails the links that prove a mailbox, and uses them.

What a decision (`authflow.sso.case`) becomes in the answer of the login (`authflow.sso.progress`), and in the answer to
the host (`answers`):

- ``Enter, TakeOver, LinkTo, Register``: ``Finish``; then ``SignedOn``, or ``AccountLinked`` for a link.
- ``Challenge``: ``FactorAsked``; then ``SecondFactorOwed`` or ``EnrollmentOwed``.
- ``ProveAddress``: ``AddressAsked``; then ``MailSent``.
- ``Ask``: ``Asked``; then ``ChoiceOwed``.
- ``Deny``: ``Refused``, all the way.

Beside it: `arriving` and `confirming` take sign-ins that begin at the provider, `departing` ends sessions on both
sides. Afterwards: `accessing` and `entrances` say at every request what single sign-on means for a session,
`own_links` shows and ends links, `rechecking` asks providers again, `severing` ends what goes with a membership or
an account, `resealing` changes keys. `single_sign_on` is ``flows.sso`` in one class, put together by `composing`.
"""
