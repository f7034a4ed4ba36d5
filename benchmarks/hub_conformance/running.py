"""Run a suite: create its environment, start localhub on a free port, and run pytest with time limits."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hub_conformance.suites import ConformanceError, Suite, pip

#: Packages that only the suites need; they share all others with this environment.
_PACKAGES = ("jedi", "pytest-asyncio", "pytest-mock", "zstandard")
_REPOSITORY = Path(__file__).parents[2]
#: Callers of the Hub. The suites' constants define the other names and secrets; names that localhub accepts
#: begin with a letter.
_USER, _TOKEN = "conformance", "hf_conformance_token"
_TOKENS = (
    {"name": _USER, "role": "write", "secret": _TOKEN},
    {"name": "DVUser", "role": "write", "secret": "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"},
    {"name": "EnterpriseAdmin", "role": "write", "secret": "hf_enterprise_admin_token"},
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a test: passed, failed or skipped; ``why`` is the message if it did not pass."""

    test: str
    outcome: str
    why: str


@dataclass(frozen=True)
class Ran:
    """All outcomes of a suite, and whether it was stopped before its end."""

    suite: Suite
    outcomes: list[Outcome]
    seconds: float
    stopped: bool


def make_environment(folder: Path, limit_s: float = 180) -> Path:
    """Create a virtual environment with the packages of this one and those of the suites.

    Returns:
        The path of its interpreter.

    Raises:
        ConformanceError: a package cannot be installed.
    """
    venv.create(folder, with_pip=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(packages, "installed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = folder / "bin" / "python"
    constraints = ["--constraint", str(_REPOSITORY / "constraints.txt")]
    pip(python, ["install", "--quiet", *constraints, *_PACKAGES], limit_s)
    return python


@contextmanager
def localhub(folder: Path, limit_s: float = 60) -> Iterator[str]:
    """Run ``python -m localhub`` in its own process during the block, and yield its endpoint.

    Raises:
        ConformanceError: localhub does not answer in time.
    """
    folder.mkdir()
    tokens = folder / "tokens.jsonl"
    tokens.touch(mode=0o600)
    tokens.write_text("".join(json.dumps(token) + "\n" for token in _TOKENS))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--root", str(folder / "hub"), "--port", str(port), "--token-file", str(tokens)]
    endpoint = f"http://127.0.0.1:{port}"
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "localhub", *words], cwd=_REPOSITORY, stdout=log, stderr=log
        )
        try:
            _wait(server, endpoint, limit_s)
            yield endpoint
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def run_suite(
    suite: Suite, root: Path, python: Path, endpoint: str, *, limit_s: float, test_limit_s: float
) -> Ran:
    """Run an unpacked suite against a Hub.

    Args:
        suite: the suite to run.
        root: root of the unpacked sdist.
        python: interpreter of the suite's environment.
        endpoint: address of the Hub.
        limit_s: seconds after which the suite is stopped; tests that have run by then count.
        test_limit_s: seconds after which a single test fails.
    """
    record, home = root / "record.jsonl", root / "home"
    home.mkdir()
    shutil.copyfile(Path(__file__).parent / "fixtures" / "recorder.py", root / "conformance_recorder.py")
    # Only time the test function: a timeout within pytest's own code would end the whole suite.
    (root / "pytest.ini").write_text("[pytest]\ntimeout_func_only = true\n")
    command = [
        *(str(python), "-m", "pytest", "-p", "conformance_recorder", "-p", "no:cacheprovider"),
        *("--quiet", "--tb=short", f"--timeout={test_limit_s:g}", "--continue-on-collection-errors"),
        *(f"tests/{file}" for file in suite.files or ("",)),
        *(f"--ignore=tests/{file}" for file in suite.left_out),
    ]
    began = time.monotonic()
    with (root / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=_variables(root, home, record, endpoint),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            # Status 0: all passed; 1: some failed; anything else: pytest itself failed.
            stopped = process.wait(limit_s) not in (0, 1)
        except subprocess.TimeoutExpired:
            stopped = True
        finally:
            _end(process)
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    return Ran(suite, outcomes, time.monotonic() - began, stopped)


def _variables(root: Path, home: Path, record: Path, endpoint: str) -> dict[str, str]:
    """Return environment variables that hide the user's tokens and caches, and the network.

    Requests to other hosts fail at once.
    """
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TZ")}
    nowhere = "http://127.0.0.1:9"
    return kept | {
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "TMPDIR": str(home),
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "NO_PROXY": "127.0.0.1,localhost,::1",
        "DISABLE_SYMLINKS_IN_WINDOWS_TESTS": "1",
        "CONFORMANCE_RECORD": str(record),
        "CONFORMANCE_USER": _USER,
        "CONFORMANCE_TOKEN": _TOKEN,
    }


def _wait(server: subprocess.Popen[bytes], endpoint: str, limit_s: float) -> None:
    give_up, opener = time.monotonic() + limit_s, urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < give_up and server.poll() is None:
        try:
            with opener.open(f"{endpoint}/healthz", timeout=5):
                return
        except urllib.error.HTTPError:
            return  # any HTTP status means that it is running
        except OSError:
            time.sleep(0.1)
    raise ConformanceError("localhub did not start; its log says why.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and everything it started; they share a session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()
