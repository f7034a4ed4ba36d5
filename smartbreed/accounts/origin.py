"""Where a request came from, judged only by headers that a web page cannot forge.

A web page can set any ``X-Forwarded-…`` header on its requests, so none of them decides which site is
ours. ``Origin`` is compared with ``Host`` and the configured public address only, and ``Sec-Fetch-Site``,
which no page can set, has to agree.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

#: Headers that proxies add to a forwarded request, besides those that begin with `_PREFIX`.
_FORWARDING = (
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-host",
    "x-original-forwarded-for", "x-host", "x-proxyuser-ip", "x-envoy-external-address",
    "x-azure-clientip", "x-appengine-user-ip", "true-client-ip", "cf-connecting-ip", "cf-connecting-ipv6",
    "cf-ray", "cdn-loop", "fastly-client-ip", "fly-client-ip",
)  # fmt: skip
_PREFIX = "x-forwarded"
_PORTS = {"http": 80, "https": 443}

Headers = Mapping[str, str]


def passed_on(headers: Any) -> bool:
    """True when a header shows that a proxy forwarded this request.

    Args:
        headers: a mapping with lower-case names, or Starlette's case-insensitive one.
    """
    return any(headers.get(name) is not None for name in _FORWARDING) or any(
        name.lower().startswith(_PREFIX)
        for name in headers.keys()  # noqa: SIM118 - not every kind iterates
    )


def public_origin(configured: str) -> str:
    """Return the origin under which browsers reach this app; empty if unknown.

    Args:
        configured: ``SMARTBREED_PUBLIC_URL``. If it is empty, a Space's own address is taken from
            ``SPACE_HOST``, which the platform sets.
    """
    if configured:
        return _origin(configured)
    host = os.environ.get("SPACE_HOST", "")
    return f"https://{host.lower()}" if host and os.environ.get("SPACE_ID") else ""


def from_other_site(headers: Headers, public: str = "") -> bool:
    """True when a browser sent this request on behalf of a page of another site.

    A sibling subdomain, a sandboxed frame and a local file count as other sites. Clients that are not
    browsers send neither header, and they do not act for another website.

    Args:
        headers: of the request.
        public: from `public_origin`.
    """
    if headers.get("sec-fetch-site") not in (None, "", "same-origin", "none"):
        return True
    origin = headers.get("origin")
    return bool(origin) and not _ours(str(origin), headers.get("host") or "", public)


def over_https(scheme: str, headers: Headers, public: str = "") -> bool:
    """True when the browser appears to use HTTPS.

    ``X-Forwarded-Proto`` is trusted here, because a forged value only affects the sender's own answer.
    """
    if scheme == "https":
        return True
    proto = (headers.get("x-forwarded-proto") or "").partition(",")[0].strip().lower()
    return proto == "https" or (public.startswith("https:") and passed_on(headers))


def is_loopback(host: str) -> bool:
    """True for ``localhost`` and loopback addresses, which only this machine can reach."""
    name = host.strip("[]").casefold()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """Return the host name or address of a Host header; empty if it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _ours(origin: str, host: str, public: str) -> bool:
    known = _origin(origin)
    if not known:
        return False
    # With the same host and port as the public origin, the scheme has to match too: HTTP is not HTTPS.
    if public and _split(public)[1:] == _split(known)[1:]:
        return known == public
    scheme = known.partition(":")[0]
    return bool(host) and known == _origin(f"{scheme}://{host}")


def _origin(url: str) -> str:
    """Return ``scheme://host[:port]`` in lower case, without a default port; empty if it is not HTTP(S)."""
    scheme, host, port = _split(url)
    if scheme not in _PORTS or not host:
        return ""
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" if port in (None, _PORTS[scheme]) else f"{scheme}://{name}:{port}"


def _split(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", "", None
