"""Signing in through an organization's provider, and everything that hangs on the link it leaves.

Every command is a method of `single_sign_on.SingleSignOn`, which is ``flows.sso``: there it is documented, and what a
host hands in is checked. It is done by one of five parts, which know nothing of each other (`authflow.assembly`
puts all of it together):

- `sign_on`: signing in and linking, from the first redirect to the last;
- `idp_initiated`: the same for whoever the provider sends of itself (`confirming` is what follows);
- `logout`: ending sessions on both sides;
- `links`: showing links, and ending them;
- `accessing`: whether a session may act in an organization (`entrances` reads the facts).

In the order of a sign-on; what decides is pure, and stands in `authflow.sso`:

1. ``start`` sends the browser away: `authflow.sso.service.requests` mints the pipeline and lets the kind make its
   request, outside of any transaction; `authflow.sso.service.pipelines` stores the row, sealed.
2. ``resume`` reads what came back (`authflow.sso.service.responses`), lets the kind check it outside of any
   transaction, holds the accounts that the subject leads to (`comers`), and takes it once.
3. `finishing` goes on in that same transaction, as ``choose`` does in its own: `standing` is the pipeline as it
   stands, `circumstances` reads all that is known, and the machine of `authflow.sso.login` steps. Within it the
   ordered table of `authflow.sso.finishing` makes of a `authflow.sso.case.Case` one decision.
4. `admitting` carries out the decisions that let somebody in: link (`authflow.sso.linking`), session, membership.
   `mailed_proofs` mails the links that prove a mailbox, and uses them. `refusals` tells the organization's log.

What a decision (`authflow.sso.case`) becomes in the answer of the login (`authflow.sso.progress`), and in the answer to
the host (`answers`):

- ``Enter, TakeOver, LinkTo, Register``: ``Finish``; then ``SignedOn``, or ``AccountLinked`` for a link.
- ``Challenge``: ``FactorAsked``; then ``SecondFactorOwed`` or ``EnrollmentOwed``.
- ``ProveAddress``: ``AddressAsked``; then ``MailSent``.
- ``Ask``: ``Asked``; then ``ChoiceOwed``.
- ``Deny``: ``Refused``, all the way.

``mail_proof`` and ``open_link`` decide nothing: they are the commands ``MailProof`` and ``OpenLink`` of the login. It
answers ``Mailed`` (``MailSent`` to the host; the state is ``ProofMailed``, and so is the fact) and ``Opened``.

Other commands come in elsewhere: ``upkeep`` asks providers again by `rechecking`, and changes keys by `resealing`;
removing, deleting and merging people has its `aftermath`.
"""
