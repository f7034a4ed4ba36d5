"""Starting and stopping: what is imported, what is refused, what is left behind."""

from __future__ import annotations

import errno
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from support.processes import Server, environment, free_port, run

from smartbreed.core.errors import SettingError
from smartbreed.web.address import Address, check_free

#: Runs the server and says, once it has stopped, what it imported and whom it looked for.
WATCHED = """
import json, socket, sys
hosts, resolve = [], socket.getaddrinfo
def watched(host, *args, **kwargs):
    hosts.append(str(host))
    return resolve(host, *args, **kwargs)
socket.getaddrinfo = watched
connect = socket.socket.connect
def watched_connect(self, address):
    hosts.append(str(address[0]))
    return connect(self, address)
socket.socket.connect = watched_connect
from smartbreed.web.server import main
status = main()
heavy = {"tensorflow", "keras", "datasets", "matplotlib", "tf_keras_vis", "training"}
print(json.dumps({"status": status, "hosts": sorted(set(hosts)), "heavy": sorted(heavy & set(sys.modules))}))
"""


def test_a_whole_life(tmp_path: Path, photo: Path) -> None:
    (tmp_path / "tmp").mkdir()
    running = Server(
        tmp_path, command=[sys.executable, "-c", WATCHED], GRADIO_TEMP_DIR="", TMPDIR=str(tmp_path / "tmp")
    )
    running.wait_until_ready()
    answer = httpx.post(running.url + "api/identify", files={"photo": photo.read_bytes()}, timeout=30)
    assert answer.json()["pets"]
    httpx.post(running.url + "gradio_api/upload", files={"files": photo.read_bytes()})
    [folder] = (tmp_path / "tmp").glob("smartbreed-*")
    assert folder.stat().st_mode & 0o077 == 0, "other users cannot read uploads"
    assert running.stop() == 0
    reported = json.loads(running.stdout.read_text())
    assert reported["status"] == 0
    assert reported["heavy"] == []
    assert set(reported["hosts"]) <= {"127.0.0.1", "localhost", "None"}, "no host is called"
    assert not folder.exists()
    assert "Traceback" not in running.log()
    # The database was closed properly: no journal is left to be recovered.
    assert not list(running.home.glob("*.db-journal"))


def start(folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    return run("app.py", env=environment(folder, **changes))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMARTBREED_MAX_BYTES", "lots"),
        ("SMARTBREED_TOP_K", "0"),
        ("SMARTBREED_LOG_LEVEL", "loud"),
        ("SMARTBREED_DATABASE_URL", "nonsense"),
        ("SMARTBREED_MODEL", "/no/such/bundle"),
        ("GRADIO_SERVER_PORT", "http"),
        ("GRADIO_SERVER_PORT", "70000"),
        ("GRADIO_SERVER_NAME", "203.0.113.77"),
    ],
)
def test_wrong_settings_stop_the_start(tmp_path: Path, name: str, value: str) -> None:
    done = start(tmp_path, **{name: value})
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("smartbreed: ")
    if name == "SMARTBREED_MODEL":
        assert value in line
    elif name == "SMARTBREED_DATABASE_URL":
        assert name in line
    else:
        assert name in line
        assert "Received" in line
        assert value in line


def test_a_broken_model_stops_the_start(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "config.json").write_text("{}")
    done = start(tmp_path, SMARTBREED_MODEL=str(bundle))
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "config.json" in line


def test_a_taken_port_stops_the_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = start(tmp_path, GRADIO_SERVER_PORT=port)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "GRADIO_SERVER_PORT" in line
    assert port in line


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine_is_not_called_a_taken_port(host: str) -> None:
    with pytest.raises(SettingError, match="GRADIO_SERVER_NAME: no address of this machine") as caught:
        check_free(Address(host, free_port()))
    assert "GRADIO_SERVER_PORT" not in caught.value.message
    assert repr(host) in caught.value.message


def test_a_machine_without_ipv6_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(SettingError, match="no address of this machine"):
        check_free(Address("::1", 7860))


def test_a_home_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = start(tmp_path, SMARTBREED_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("smartbreed: ")


def test_ctrl_c_while_starting(tmp_path: Path) -> None:
    running = Server(tmp_path, command=[sys.executable, "-u", "app.py"])  # no fork: it must import
    while not running.home.exists():  # settings are read, gradio is being imported
        assert running.process.poll() is None
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 130
    assert "Traceback" not in running.log()


def test_signals_in_quick_succession(tmp_path: Path) -> None:
    """Ctrl-C pressed twice; `timeout` and others signal a process and then its whole group."""
    running = Server(tmp_path)
    running.wait_until_ready()
    begun = time.monotonic()
    while "stopping" not in running.log() and time.monotonic() - begun < 60:
        for _ in range(500):
            running.process.send_signal(signal.SIGTERM)
            running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0
    assert "Traceback" not in running.log()


#: Gets a signal in another thread than the one that waits for it, which nothing wakes.
IN_ANOTHER_THREAD = """
import logging, signal, sys, threading
from smartbreed.web import server
def end():
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
class Serving(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith("serving on"):
            threading.Timer(2, end).start()
server.log.addHandler(Serving())
sys.exit(server.main())
"""


def test_a_signal_that_interrupts_nothing(tmp_path: Path) -> None:
    running = Server(tmp_path, command=[sys.executable, "-c", IN_ANOTHER_THREAD])
    assert running.process.wait(120) == 0
    assert "stopping" in running.log()


#: Ends itself where Python ignores what a signal's handler raises.
IGNORED = """
import os, signal, sys
from smartbreed.web import server
class Ending:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass
prepare = server._prepare
def prepared(settings):
    prepare(settings)
    Ending()
    print("went on", flush=True)
server._prepare = prepared
sys.exit(server.main())
"""


def test_a_signal_while_starting_is_not_lost_in_a_destructor(tmp_path: Path) -> None:
    running = Server(tmp_path, command=[sys.executable, "-c", IGNORED])
    assert running.process.wait(120) == 143
    assert running.stdout.read_text().splitlines()[0] == "went on"
    assert "stopping" in running.log()


def test_a_space_is_reached_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    from smartbreed.web.server import Address, read_address

    for name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    assert read_address() == Address("127.0.0.1", 7860)
    monkeypatch.setenv("SPACE_ID", "someone/smartbreed")
    assert read_address() == Address("0.0.0.0", 7860)
    assert read_address("127.0.0.2", 80) == Address("127.0.0.2", 80)
