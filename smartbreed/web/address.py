"""Where the server listens, and under which prefix a proxy serves it."""

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
    """Where to listen."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """How it is reached on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        return f"http://{host}:{self.port}"


def root() -> str:
    """Where the front page is for a browser, with a slash at its end: a proxy may serve us under a prefix."""
    return urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).path.rstrip("/") + "/"


def below_root(base: str) -> str:
    """An address of this app as browsers know it: with the prefix, unless it has it already.

    Args:
        base: without a slash at its end.
    """
    prefix = root().rstrip("/")
    return base if prefix and base.endswith(prefix) else base + prefix


def prefixed(path: str) -> str:
    """A path of ours, as a browser behind the proxy asks for it; one that has the prefix stays."""
    return path if path.startswith(root()) else root() + path.lstrip("/")


#: Where markup names an address of ours.
_LINK = re.compile(r'(?<=\s)((?:href|src|action|formaction|poster|data-[a-z-]+)=")(/(?!/)[^"]*)')


def prefixed_links(markup: str) -> str:
    """Markup whose addresses keep the prefix."""
    if root() == "/":
        return markup
    return _LINK.sub(lambda found: found[1] + prefixed(found[2]), markup)


def read_address(host: str | None = None, port: int | None = None) -> Address:
    """The address that ``GRADIO_SERVER_NAME`` and ``GRADIO_SERVER_PORT`` ask for.

    A Hugging Face Space is reached from outside its container, so there the default
    is every interface. What is given goes before both.

    Raises:
        SettingError: the port is no port.
    """
    text = os.environ.get("GRADIO_SERVER_PORT", str(PORT)) if port is None else str(port)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise SettingError(f"GRADIO_SERVER_PORT: a port is a number from 1 to 65535. Received: {text!r}")
    # Gradio reads the variable itself when it is imported.
    os.environ["GRADIO_SERVER_PORT"] = text
    host = (
        host
        or os.environ.get("GRADIO_SERVER_NAME")
        or ("0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1")
    )
    return Address(host, int(text))


def check_free(address: Address) -> None:
    """Fail at once where `launch` would fail too, but only after seconds of importing.

    Raises:
        SettingError: the address is taken or not ours.
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
    """What is wrong with an address, in a sentence; a name that is not found is no address of ours either."""
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
