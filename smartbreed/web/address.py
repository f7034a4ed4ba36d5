"""The address the server listens on, and the URL prefix under which a proxy serves it."""

from __future__ import annotations

import errno
import os
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from smartbreed.core.errors import SettingError

PORT = 7860


@dataclass(frozen=True)
class Address:
    """The host and port to listen on."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The URL at which this machine reaches the server."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        return f"http://{host}:{self.port}"


def root() -> str:
    """Return the path of the front page as browsers see it, with a trailing slash.

    It is ``/`` unless a proxy serves the app under a prefix (``GRADIO_ROOT_PATH``).
    """
    return urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).path.rstrip("/") + "/"


def below_root(base: str) -> str:
    """Append the proxy's prefix to the app's base URL, unless it already ends with it.

    Args:
        base: URL without a trailing slash.
    """
    prefix = root().rstrip("/")
    return base if prefix and base.endswith(prefix) else base + prefix


def prefixed(path: str) -> str:
    """Put the proxy's prefix before one of the app's paths, unless it is already there."""
    return path if path.startswith(root()) else root() + path.lstrip("/")


#: Matches the attributes in markup that hold a path of this app.
_LINK = re.compile(r'(?<=\s)((?:href|src|action|formaction|poster|data-[a-z-]+)=")(/(?!/)[^"]*)')


def prefixed_links(markup: str) -> str:
    """Put the proxy's prefix before every path of this app in markup."""
    if root() == "/":
        return markup
    return _LINK.sub(lambda found: found[1] + prefixed(found[2]), markup)


def read_address(host: str | None = None, port: int | None = None) -> Address:
    """Read the address to listen on from ``GRADIO_SERVER_NAME`` and ``GRADIO_SERVER_PORT``.

    Arguments take precedence over these variables. The default host is 127.0.0.1, or every interface on a
    Hugging Face Space, which is reached from outside its container.

    Raises:
        SettingError: the port is not a number from 1 to 65535.
    """
    text = os.environ.get("GRADIO_SERVER_PORT", str(PORT)) if port is None else str(port)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise SettingError(f"GRADIO_SERVER_PORT: a port is a number from 1 to 65535. Received: {text!r}")
    # Gradio itself reads this variable when it is imported.
    os.environ["GRADIO_SERVER_PORT"] = text
    host = (
        host
        or os.environ.get("GRADIO_SERVER_NAME")
        or ("0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1")
    )
    return Address(host, int(text))


def check_free(address: Address) -> None:
    """Check that the address can be used.

    Without this check `launch` would fail, but only after seconds of importing.

    Raises:
        SettingError: the port is taken, or this machine or user cannot listen on the address.
    """
    try:
        for family, kind, _, _, where in socket.getaddrinfo(
            address.host.strip("[]"), address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
    except OSError as error:
        raise unusable(address, error) from None


def unusable(address: Address, error: OSError) -> SettingError:
    """Return the error that says why an address cannot be used.

    A host name that does not resolve counts as no address of this machine.
    """
    if error.errno == errno.EADDRINUSE:
        return SettingError(f"GRADIO_SERVER_PORT: the port is taken. Received: {address.port}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return SettingError(f"GRADIO_SERVER_PORT: this user may not use the port. Received: {address.port}")
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) or isinstance(error, socket.gaierror):
        return SettingError(f"GRADIO_SERVER_NAME: no address of this machine. Received: {address.host!r}")
    return SettingError(
        "GRADIO_SERVER_NAME, GRADIO_SERVER_PORT: cannot listen there; the port may be taken. "
        f"Received: {address.host!r}, {address.port}"
    )
