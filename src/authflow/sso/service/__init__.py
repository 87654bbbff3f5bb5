"""Where single sign-on asks the world: the way to a provider and back, pipelines, and links.

What decides is pure, and stands beside this package. What is in which file:

=============== ====================================================================================================
`desk`          The ports of the slice; ids and secrets are minted here.
`connected`     The provider that an organization has connected, and its settings.
`requests`      ``mint`` a pipeline, and ``make`` the kind's request.
`pipelines`     Pipelines as rows: ``begin``, ``load``, hold against what stands now (``present``), ``step``.
`kept`          Responses that came without our cookies, until their browser goes on.
`responses`     ``read`` what came back, let the kind ``check`` it, ``take`` it once.
`identities`    What a provider asserted, read as an identity.
`roads`         What the two machines that go this way go by: a connected provider, or a proposed one.
`travelling`    The services above side by side, once for sign-ins and once for setups.
`exchange`      The values that go from one of them to the next.
`asking`        Every call of a kind, guarded: a kind may be anybody's code.
`unasked`       Responses that nobody asked for: ``tickets`` carry them to their browser.
`departures`    Single logout; ``names`` are by what a provider calls sessions.
`withdrawals`   Answers that wait on a page, and that the provider takes back.
`linking`       Links as rows.
=============== ====================================================================================================

The way of one pipeline: ``connected.find`` and ``connected.purpose`` say where to and what for; ``requests.mint``, then
``requests.make`` with no transaction open, then ``pipelines.begin``. When the browser is back ``responses.read`` finds
what came (or what ``kept.keep`` stored of it), ``responses.check`` lets the kind look at it with no transaction open,
and ``responses.take`` steps the machine. From there `authflow.journey` loads, steps and acts on what is answered.
"""

from authflow.sso.service.linking import Links
from authflow.sso.service.travelling import SetupTravelling, SignInPipelines, SignInTravelling, Travelling

__all__ = ["Links", "SetupTravelling", "SignInPipelines", "SignInTravelling", "Travelling"]
