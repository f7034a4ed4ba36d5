"""A program that tests start as a fork sees nothing else than one that is started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import forks
from support.clock import until
from support.processes import ROOT, Server, environment, run, start

pytestmark = pytest.mark.skipif(
    "COVERAGE_PROCESS_CONFIG" in os.environ, reason="a fork would be counted as its parent: none is made"
)

TELL = """
import json, os, sys
print(json.dumps({
    "argv": sys.argv, "path": sys.path, "environ": dict(os.environ), "cwd": os.getcwd(), "name": __name__,
    "umask": os.umask(0), "session": os.getsid(0) == os.getpid(), "stdin": sys.stdin.read(), "file": __file__,
}))
print("and this", file=sys.stderr)
sys.exit(7)
"""


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A program that says what it sees of itself."""
    path = tmp_path / "tell.py"
    path.write_text(TELL)
    monkeypatch.setattr(forks, "_PROGRAMS", (*forks._PROGRAMS, (str(path),)))
    return str(path)


def test_a_fork_sees_what_a_new_interpreter_sees(tell: str, tmp_path: Path) -> None:
    env = environment(tmp_path, SMARTBREED_TOP_K="4")
    options = {"cwd": ROOT, "env": env, "text": True, "start_new_session": True, **dict.fromkeys(
        ("stdin", "stdout", "stderr"), subprocess.PIPE)}  # fmt: skip
    assert forks.may_fork([tell, "a b", "c"], options)
    before = os.umask(0o027)
    forked = forks.Fork([tell, "a b", "c"], **options)
    started = subprocess.Popen([sys.executable, tell, "a b", "c"], **options)
    os.umask(before)
    answers = [process.communicate("wörds") for process in (forked, started)]
    assert answers[0] == answers[1]
    assert "wörds" in answers[0][0].encode().decode("unicode_escape")
    assert (forked.returncode, started.returncode) == (7, 7)


def test_its_end_is_known_as_of_any_child(tmp_path: Path) -> None:
    env = environment(tmp_path)
    assert forks.may_fork(["-m", "smartbreed", "version"], {"env": env, "cwd": ROOT})
    done = run("-m", "smartbreed", "version", env=env)
    assert (done.returncode, done.stdout.strip()) == (0, __import__("smartbreed").__version__)
    with pytest.raises(subprocess.CalledProcessError):
        run("-m", "smartbreed", "nonsense", env=env, check=True)
    waiting = start("-m", "smartbreed", "serve", env=environment(tmp_path, SMARTBREED_HUB="embedded"))
    assert isinstance(waiting, forks.Fork)
    os.killpg(waiting.pid, signal.SIGKILL)
    assert waiting.wait(60) == -signal.SIGKILL
    assert waiting.poll() == -signal.SIGKILL


def test_a_server_is_forked_and_ends_by_signals(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        assert isinstance(server.process, forks.Fork)
        assert server.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.01)
        assert server.stop(signal.SIGTERM) == 0
        until(lambda: not Path(f"/proc/{server.process.pid}").exists())


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["-c", "pass"], {}),
        (["app.py"], {"HF_HUB_OFFLINE": "1"}),
        (["app.py"], {"HTTPS_PROXY": "http://127.0.0.1:9"}),
        (["app.py"], {"GRADIO_TEMP_DIR": ""}),
        (["app.py"], {"PYTHONPATH": ""}),
    ],
)
def test_what_is_read_while_importing_takes_a_new_interpreter(
    tmp_path: Path, words: list[str], changes: dict[str, str]
) -> None:
    assert not forks.may_fork(words, {"env": environment(tmp_path, **changes), "cwd": ROOT})
