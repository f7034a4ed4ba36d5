"""The interfaces of the running server, each as one function."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from gradio_client import Client
from support.processes import Server, smartbreed


@pytest.fixture(autouse=True)
def _log_stays_clean(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test sends, the log holds no traceback and no path of an upload."""
    yield
    if "server" in request.fixturenames:
        running: Server = request.getfixturevalue("server")
        log = running.log()
        assert "Traceback" not in log
        assert str(running.uploads) not in log
        assert running.process.poll() is None


@pytest.fixture(scope="session")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


Curl = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="session")
def curl(server: Server) -> Curl:
    """``curl`` with some arguments and a path: status and JSON."""

    def run(path: str, *arguments: str, stdin: bytes | None = None) -> tuple[int, Any]:
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "30", "-w", "\n%{http_code}", *arguments, server.url + path],
            input=stdin,
            capture_output=True,
            check=True,
        )
        body, _, status = done.stdout.decode().rpartition("\n")
        return int(status), json.loads(body)

    return run


@pytest.fixture(scope="session")
def mcp(server: Server) -> Callable[..., Any]:
    """Call one MCP tool; answers the `CallToolResult`. Without a name: the list of tools."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def ask(name: str | None, arguments: dict[str, Any]) -> Any:
        async with (
            streamable_http_client(server.url + "gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await (session.list_tools() if name is None else session.call_tool(name, arguments))

    return lambda name=None, **arguments: anyio.run(ask, name, arguments)


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("cli")

    return partial(smartbreed, folder)


def as_base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@pytest.fixture(scope="session")
def encode() -> Callable[[Path], str]:
    return as_base64
