"""What every service of single sign-on has: the ports of the slice, how it mints, and where providers answer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import BrokenPromise, ConfigInvalid
from authflow.sso.kinds import Trip
from authflow.sso.sealing import Vault
from authflow.values import Secret, new_identifier

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.ports import Cipher, Clock, Entropy, UnitOfWork
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Kind, Kinds
    from authflow.sso.ports import SsoTransaction
    from authflow.values import OrganizationId


@attrs.frozen(kw_only=True)
class Desk:
    """The ports of the slice. *endpoints* is none where the host configured no address to come back to."""

    uow: UnitOfWork[SsoTransaction]
    clock: Clock
    entropy: Entropy
    cipher: Cipher
    kinds: Kinds
    endpoints: Endpoints | None

    @property
    def vault(self) -> Vault:
        """What seals."""
        return Vault(self.cipher)

    # --- minting --------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """Return 128 new random bits, as an id."""
        return new_identifier(self.entropy.random_bytes(16))

    def new_secret(self) -> Secret:
        """Return 256 new random bits."""
        return Secret(new_identifier(self.entropy.random_bytes(32)))

    def new_steps(self) -> bytes:
        """Return the mark of new settings of a provider: what began under others, or under the same before, is over."""
        return self.entropy.random_bytes(32)

    def new_handle_secret(self, key: str) -> Secret:
        """Return 256 new random bits behind the *key* of the row that they lead to: at most 80 bytes in all.

        So long SAML's ``RelayState`` may be (SAML Bindings 3.4.3).
        """
        return Secret(f"{key}.{self.new_secret().reveal()}")

    # --- asking providers -----------------------------------------------------------------------------------------

    def kind(self, key: str) -> Kind:
        """Return the kind called *key*, which whoever asks has seen to be known.

        Raises:
            BrokenPromise: It is not.
        """
        found = self.kinds.get(key)
        if found is None:
            raise BrokenPromise(answer=key)
        return found

    def require_endpoints(self) -> Endpoints:
        """Return the host's addresses.

        Raises:
            ConfigInvalid: There are none.
        """
        if self.endpoints is None:
            raise ConfigInvalid(setting="endpoints", problem="are missing: providers need an address to answer to")
        return self.endpoints

    def trip(self, organization: OrganizationId, state: Secret, now: datetime, *, logout: bool = False) -> Trip:
        """Return one request to the provider of *organization*: about a sign-in, or about a *logout*.

        Raises:
            ConfigInvalid: The host configured no address to come back to.
        """
        place = self.require_endpoints().of(organization)
        return Trip(
            organization=organization,
            callback=place.logout if logout else place.callback,
            metadata=place.metadata,
            state=state,
            now=now,
        )
