"""Whose page a request comes from, judged by headers that no page can set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.accounts.origin import from_other_site, over_https, passed_on, public_origin

PUBLIC = "https://pets.example.org"


@pytest.mark.parametrize(
    ("headers", "public", "other"),
    [
        ({}, "", False),  # no browser
        ({"host": "a", "origin": "http://a"}, "", False),
        ({"host": "A:80", "origin": "http://a"}, "", False),
        ({"host": "a:443", "origin": "https://a"}, "", False),
        ({"host": "[::1]:7860", "origin": "http://[::1]:7860"}, "", False),
        ({"host": "a:7860", "origin": "http://a"}, "", True),
        ({"host": "a", "origin": "http://b"}, "", True),
        ({"host": "a", "origin": "http://b", "x-forwarded-host": "b"}, "", True),
        ({"host": "a", "origin": "http://b", "x-forwarded-host": "b"}, PUBLIC, True),
        ({"host": "a", "origin": "http://sub.a"}, "", True),
        ({"host": "a", "origin": "null"}, "", True),
        ({"host": "", "origin": "http://"}, "", True),
        ({"host": "a", "origin": "http://[bad"}, "", True),
        ({"host": "a", "origin": "http://a:99999"}, "", True),
        ({"host": "a", "origin": "file://a"}, "", True),
        ({"host": "a", "origin": "http://a@b"}, "", True),
        ({"host": "upstream:7860", "origin": PUBLIC}, PUBLIC, False),
        ({"host": "pets.example.org", "origin": "http://pets.example.org"}, PUBLIC, True),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:7860"}, PUBLIC, False),
        ({"host": "a", "sec-fetch-site": "same-origin", "origin": "http://a"}, "", False),
        ({"host": "a", "sec-fetch-site": "none"}, "", False),
        ({"host": "a", "sec-fetch-site": "same-site"}, "", True),
        ({"host": "a", "sec-fetch-site": "cross-site", "origin": "http://a"}, "", True),
        ({"host": "a", "sec-fetch-site": "what-may-come"}, "", True),
    ],
)
def test_whose_page(headers: dict[str, str], public: str, other: bool) -> None:
    assert from_other_site(headers, public) is other


@given(origin=st.text(max_size=40), host=st.text(max_size=40), public=st.sampled_from(["", PUBLIC]))
def test_no_text_is_taken_for_ours_or_raises(origin: str, host: str, public: str) -> None:
    ours = not from_other_site({"origin": origin, "host": host}, public)
    assert not ours or not origin or origin.lower().startswith(("http://", "https://"))


def test_proxies_and_https(monkeypatch: pytest.MonkeyPatch) -> None:
    assert passed_on({"x-forwarded-whatever": ""})
    assert passed_on({"via": "1.1 a"})
    assert not passed_on({"host": "a", "x-requested-with": "b"})
    assert over_https("https", {})
    assert over_https("http", {"x-forwarded-proto": "https, http"})
    assert over_https("http", {"via": "1.1 a"}, PUBLIC)
    assert not over_https("http", {}, PUBLIC)
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv("SPACE_HOST", "me-app.hf.space")
    assert public_origin("") == ""
    monkeypatch.setenv("SPACE_ID", "me/app")
    assert public_origin("") == "https://me-app.hf.space"
    assert public_origin("HTTPS://Pets.example.org:443/") == PUBLIC
