"""The peer ``joserfc``: the signature of an ID token and its claims, checked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.protocol import Watch, Work, World


def rows(_world: World) -> Mapping[str, Work]:
    """Offer a token by RSA and one by ECDSA."""
    return {
        "id_token_rs256": _checked("RS256", RSAKey.generate_key(2048)),
        "id_token_es256": _checked("ES256", ECKey.generate_key("P-256")),
    }


def _checked(algorithm: str, key: RSAKey | ECKey) -> Work:
    at = int(time.time())
    said = {
        "iss": "https://idp.example",
        "aud": "client",
        "sub": "alice",
        "nonce": "n" * 43,
        "iat": at,
        "exp": at + 300,
    }
    token = jwt.encode({"alg": algorithm, "kid": "key-1"}, said, key)
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": said["iss"]},
        aud={"essential": True, "value": "client"},
        nonce={"essential": True, "value": said["nonce"]},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )

    def checked(operations: int, watch: Watch) -> None:
        with watch:
            for _ in range(operations):
                claims.validate(jwt.decode(token, key, algorithms=[algorithm]).claims)

    return checked


if __name__ == "__main__":
    serve(rows, versions=("joserfc",))
