"""What every service of single sign-on has: its ports, and how it mints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.sso.sealing import Vault
from authflow.values import Secret, new_identifier

if TYPE_CHECKING:
    from authflow.ports import Cipher, Clock, Entropy, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sso.kinds import Kinds
    from authflow.sso.ports import SsoTransaction


@attrs.frozen(kw_only=True)
class Desk:
    """The ports of the slice."""

    uow: UnitOfWork[SsoTransaction]
    clock: Clock
    entropy: Entropy
    cipher: Cipher
    recorder: Recorder
    kinds: Kinds

    @property
    def vault(self) -> Vault:
        """What seals."""
        return Vault(self.cipher)

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
