"""Response headers that tell browsers what a page may do, and who may show it in a frame.

Scripts run only if they come from this server or were in the page when it was sent: the policy lists the
hash of each inline script. Text that reaches a page later (a note, a file name, a label) cannot run as a
script or an event attribute. ``'unsafe-eval'`` is needed because gradio compiles the ``js=`` of events.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smartbreed.accounts.origin import over_https, public_origin
from smartbreed.core.settings import Settings

#: Sites that may show a page in a frame. huggingface.co does so with a Space.
_FRAMES = ("'self'", "https://huggingface.co")
_OPENS = re.compile(rb"<script([^>]*)>", re.IGNORECASE)
_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "accelerometer=(), browsing-topics=(), camera=(self), clipboard-read=(self), "
    "clipboard-write=(self), display-capture=(), fullscreen=(self), geolocation=(), gyroscope=(), "
    "hid=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), "
    "screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()",
    "X-Permitted-Cross-Domain-Policies": "none",
}
#: Policy of pictures and data: nothing in them may run, wherever they are opened.
_INERT = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
#: gradio's scripts get no policy, because a worker takes its policy from its own script.
_SCRIPTS = ("/assets/", "/static/", "/svelte/")
_HSTS = "max-age=31536000"


class SecurityHeadersMiddleware:
    """Adds the headers that do not depend on an answer's content.

    Args:
        app: the wrapped app.
        settings: only the public address is used.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._public = public_origin(settings.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        secure = over_https(scope["scheme"], Headers(scope=scope), self._public)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(MutableHeaders(scope=message), scope["path"], secure)
            await send(message)

        await self._app(scope, receive, sending)


def _add(headers: MutableHeaders, path: str, secure: bool) -> None:
    headers.update(_FIXED)
    for name in ("server", "x-powered-by"):
        if name in headers:
            del headers[name]
    if "access-control-allow-origin" not in headers:
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if secure:
        headers["Strict-Transport-Security"] = _HSTS
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if not path.startswith(_SCRIPTS):
        headers.setdefault("Content-Security-Policy", _INERT)


class PagePolicyMiddleware:
    """Gives each HTML page the Content-Security-Policy that fits its scripts.

    It must be inside the middleware that compresses answers, because it reads the page.

    Args:
        app: the wrapped app.
        settings: only the sites that may show a page in a frame are used.
        head: takes a page and the request's scope, and returns the page with the app's own head.
        scripts: texts of inline scripts that the pages insert themselves.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        head: Callable[[bytes, Scope], bytes],
        scripts: Iterable[str] = (),
    ) -> None:
        self._app, self._head = app, head
        self._frames = " ".join([*_FRAMES, *settings.frame_ancestors.split()])
        self._scripts = tuple(_hash(script.encode()) for script in scripts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                    start = message  # held back, because its policy lists the scripts in the body
                    return
            elif start is not None:
                body.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                page, held, start = self._head(bytes(body), scope), start, None
                headers = MutableHeaders(scope=held)
                headers["Content-Security-Policy"] = self._policy(page)
                if page and "content-length" in headers:
                    headers["Content-Length"] = str(len(page))
                await send(held)
                message = {"type": "http.response.body", "body": page}
            await send(message)

        await self._app(scope, receive, sending)

    def _policy(self, page: bytes) -> str:
        hashes = " ".join(dict.fromkeys([*map(_hash, _inline(page)), *self._scripts]))
        hub = " https://huggingface.co" if os.environ.get("SPACE_ID") else ""
        return "; ".join(
            (
                "default-src 'none'",
                f"script-src 'self' 'unsafe-eval' {hashes}".rstrip(),
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data: blob:",
                "media-src 'self' data: blob:",
                "font-src 'self' data:",
                f"connect-src 'self' data: blob:{hub}",
                "worker-src 'self' blob:",
                "manifest-src 'self'",
                "base-uri 'self'",
                "form-action 'self'",
                "object-src 'none'",
                "frame-src 'none'",
                f"frame-ancestors {self._frames}",
            )
        )


def _inline(page: bytes) -> Iterator[bytes]:
    """Yield the inline scripts of a page. One of them is most of the page, where a lazy pattern is slow."""
    at = 0
    while opened := _OPENS.search(page, at):
        at = page.find(b"</script>", opened.end())
        if at < 0:
            return
        if b"src=" not in opened[1]:
            yield page[opened.end() : at]


def _hash(script: bytes) -> str:
    # Browsers normalise line ends to \n before they hash.
    text = script.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in script else script
    return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
