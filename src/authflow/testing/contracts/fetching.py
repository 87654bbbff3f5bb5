"""The laws of `authflow.sso.fetching.Fetcher` that hold without anybody to fetch from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from authflow.sso.fetching import URL_MAX, Failure, Request, Unfetched

if TYPE_CHECKING:
    from authflow.sso.fetching import Fetcher

GOOD: Final = (
    "https://provider.example",
    "https://provider.example:8443/path?query=1",
    "HTTPS://PROVIDER.example/",
    "https://[2606:4700:4700::1111]/",
    "https://xn--bcher-kva.example/",
    "https://provider.example/" + "x" * (URL_MAX - 25),
)

BAD: Final = (
    "",
    "provider.example",
    "//provider.example",
    "https:provider.example",
    "https:///path",
    "https://",
    "http://provider.example",
    "ftp://provider.example",
    "file:///etc/passwd",
    "gopher://provider.example:11211/x",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://user@provider.example",
    "https://user:secret@provider.example",
    "https://@provider.example",
    "https://provider.example#fragment",
    "https://provider.example/#",
    "https://provider.example:0/",
    "https://provider.example:99999/",
    "https://provider.example:x/",
    "https://[::1",
    "https://provider.example/a b",
    " https://provider.example",
    "https://provider.example\n",
    "https://provider.example\\@evil.example",
    "https://provider.example\t.evil.example",
    "https://b\u00fccher.example",
    "https://provider.example/\u202e",
    "https://provider\u3002example",
    "https://provider.example/" + "x" * URL_MAX,
)


class FetcherContract:
    """Subclass this, override the fixture `fetcher`, and pytest checks your ``Fetcher``."""

    @pytest.fixture
    def fetcher(self) -> Fetcher:
        """Return the fetcher under test, as an installation has it."""
        raise NotImplementedError

    def test_what_may_be_set_is_https_and_names_a_host(self, fetcher: Fetcher) -> None:
        assert [url for url in GOOD if not fetcher.permits(url)] == []
        assert [url for url in BAD if fetcher.permits(url)] == []

    @pytest.mark.parametrize("url", BAD)
    def test_what_may_not_be_set_is_not_fetched(self, fetcher: Fetcher, url: str) -> None:
        fetched = fetcher.errand().fetch(Request(url=url))
        assert isinstance(fetched, Unfetched)
        assert fetched.failure is Failure.FORBIDDEN
