"""An embedded Hub for each test, over a port and in this process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi
from support.embedded_hub import Hub
from support.processes import ROOT, kill
from support.processes import start as start_process

from localhub.embedded import environment, serving
from localhub.server import HubApp
from localhub.store import HubStore
from smartbreed.hub import session
from smartbreed.hub.embedded import mount_in_process, unmount_in_process

SERVE = """
import sys
from pathlib import Path
from localhub.embedded import serving
from localhub.store import HubStore
with serving(HubStore(Path(sys.argv[1]))) as endpoint:
    print(endpoint, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the caches and tokens of the person who runs it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[HubStore]:
    store = HubStore(tmp_path / "hub")
    yield store
    store.close()


@pytest.fixture(params=["port", "in_process"])
def hub(request: pytest.FixtureRequest, store: HubStore) -> Iterator[Hub]:
    if request.param == "port":
        with serving(store) as endpoint, httpx2.Client(base_url=endpoint) as http:
            yield Hub(store, endpoint, HfApi(endpoint=endpoint, token=False), http)
        return
    endpoint = mount_in_process(HubApp(store), "test.hub.smartbreed.invalid")
    with session.make_client() as http:
        http.base_url = endpoint
        yield Hub(store, endpoint, HfApi(endpoint=endpoint, token=False), http)
    unmount_in_process("test.hub.smartbreed.invalid")


@pytest.fixture
def start_server() -> Iterator[Callable[[Path], tuple[str, subprocess.Popen[str]]]]:
    """Start a Hub in a process of its own; it is killed when the test ends."""
    running = []

    def start(root: Path) -> tuple[str, subprocess.Popen[str]]:
        process = start_process("-c", SERVE, root, stdin=subprocess.PIPE, stderr=None)
        running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip(), process

    yield start
    for process in running:
        kill(process)


@pytest.fixture
def run_client(tmp_path: Path) -> Callable[..., str]:
    """Run a program with every Hugging Face tool led to an endpoint; its output."""

    def run(endpoint: str, *command: str, token: str = "", timeout: float = 120) -> str:
        variables = {
            **os.environ,
            **environment(endpoint, token),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run
