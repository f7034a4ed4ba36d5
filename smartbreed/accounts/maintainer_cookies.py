"""The two cookies of maintainers: which session a browser has, and that it signed in before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

COOKIE = "smartbreed_maintainer"
#: Names a browser that signed in before, so that others' wrong passwords cannot delay it.
DEVICE_COOKIE = "smartbreed_device"
#: How long a sign-in lasts, in seconds.
LASTS_S = 12 * 3600
#: How long a browser is remembered for `DEVICE_COOKIE`, in seconds.
DEVICE_LASTS_S = 180 * 86_400


def cookie_header(value: str, *, secure: bool) -> str:
    """``Set-Cookie`` that keeps a sign-in, or ends it when ``value`` is empty.

    Args:
        value: from `Maintainers.log_in`.
        secure: whether the page came over HTTPS.
    """
    return _set_cookie(COOKIE, value, LASTS_S if value else 0, secure)


def device_header(value: str, *, secure: bool) -> str:
    """``Set-Cookie`` that lets this browser be known at its next sign-in.

    Args:
        value: from `Maintainers.new_device`.
        secure: whether the page came over HTTPS.
    """
    return _set_cookie(DEVICE_COOKIE, value, DEVICE_LASTS_S, secure)


def _set_cookie(name: str, value: str, age: int, secure: bool) -> str:
    # A Space is shown inside a page of huggingface.co, where a strict cookie is never sent;
    # `from_other_site` refuses what other websites ask for either way.
    framed = "SameSite=None; Secure; Partitioned" if os.environ.get("SPACE_ID") else "SameSite=Strict"
    ends = "; Secure" if secure and "Secure" not in framed else ""
    return f"{name}={value}; Path=/; Max-Age={age}; HttpOnly; {framed}{ends}"


def read_cookie(headers: Mapping[str, str], name: str) -> str:
    """The value of a cookie; empty when it is missing or nonsense."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
