"""A TLS proxy as it stands in front of a server: takes HTTPS, passes the bytes on as plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate made for the occasion; skips where openssl is missing."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    key, found = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=*.test",
         "-keyout", key, "-out", found],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found, key)
    return context


@contextlib.contextmanager
def tls_proxy(context: ssl.SSLContext, port: int, seen: list[tuple[str, int]] | None = None) -> Iterator[int]:
    """Passes HTTPS on to ``127.0.0.1:port``; yields the port it listens on.

    Args:
        seen: gets the request line and the status of all that passes, also of what a browser keeps
            back from the page that asked.
    """
    seen = [] if seen is None else seen
    loop = asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    bound: list[int] = []
    open_now: list[asyncio.StreamWriter] = []

    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[str], answers: bool
    ) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                first = data.partition(b"\r\n")[0].decode("latin-1")
                if answers and first.startswith("HTTP/1.1 ") and asked:
                    seen.append((asked.pop(0), int(first.split()[1])))
                elif not answers and first.endswith(" HTTP/1.1"):
                    asked.append(first.removesuffix(" HTTP/1.1"))
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        open_now.extend((writer, to_writer))
        asked: list[str] = []
        await asyncio.gather(
            pump(reader, to_writer, asked, answers=False), pump(to_reader, writer, asked, answers=True)
        )

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        bound.append(server.sockets[0].getsockname()[1])
        ready.set()

    def hang_up() -> None:
        for writer in open_now:
            writer.transport.abort()
        loop.call_later(0.2, loop.stop)

    def run() -> None:
        loop.run_until_complete(main())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield bound[0]
    finally:
        loop.call_soon_threadsafe(hang_up)
        thread.join(20)
