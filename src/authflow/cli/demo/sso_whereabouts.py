"""Where the providers, the sign-ins and the links of the demo stand, read from the database as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.cli.demo import sso_cast as cast
from authflow.sso import documents
from authflow.sso.pipeline import PipelineId
from authflow.sso.sealing import state_binding

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import UnitOfWork
    from authflow.sso.ports import SealedPipeline
    from authflow.sso.sealing import Vault
    from authflow.values import Secret, UserId


class SsoWhereabouts:
    """Reads the states, of what it was told to follow. Those of sign-ins are sealed: it opens them."""

    def __init__(self, uow: UnitOfWork[JourneyTransaction], vault: Vault) -> None:
        self._uow, self._vault = uow, vault
        self._pipelines: dict[str, PipelineId] = {}
        self._people: dict[str, UserId] = {"Olga": cast.OLGA, "Ada": cast.ADA}

    def follow(self, name: str, pipeline: Secret) -> None:
        """Follow a sign-in, under *name*; its row's key is the part before the dot."""
        self._pipelines[name] = PipelineId(pipeline.reveal().partition(".")[0])

    def meet(self, name: str, user: UserId) -> None:
        """Follow somebody who was made in the story."""
        self._people[name] = user

    def read(self) -> dict[str, str]:
        """Return the name of the state of each machine."""
        with self._uow.begin() as tx:
            return {
                "sso.provider (Acme)": type(tx.providers.load(cast.ACME).state).__name__,
                **self._sign_ins(tx),
                **{f"sso.linking ({name})": self._link(tx, user) for name, user in self._people.items()},
                **{f"membership.member ({name})": self._member(tx, user) for name, user in self._people.items()},
            }

    def _sign_ins(self, tx: JourneyTransaction) -> dict[str, str]:
        rows = {name: tx.pipelines.load(key) for name, key in self._pipelines.items()}
        return {name: self._state(row.state) for name, row in rows.items() if row is not None}

    def _state(self, row: SealedPipeline) -> str:
        document = self._vault.open(row.state, state_binding(row.handle.id))
        return type(documents.read(row.handle, document)).__name__

    @staticmethod
    def _link(tx: JourneyTransaction, user: UserId) -> str:
        return "Linked" if tx.links.all_of_user(user) else "Unlinked"

    @staticmethod
    def _member(tx: JourneyTransaction, user: UserId) -> str:
        return type(tx.members.load(cast.ACME, user).state).__name__
