"""``smartbreed hub serve``, ``check`` and ``gc``, used with the real client."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import HfApi
from support.clock import until
from support.processes import free_port, kill, start
from typer.testing import CliRunner

import localhub.__main__ as own_command
from localhub.access import read_tokens
from localhub.errors import SettingError, StorageError
from localhub.store import HubStore
from smartbreed.cli.main import app

TOKENS = """# who may do what
{"name": "ada", "role": "write", "secret": "hf_long_secret"}

{"name": "rob", "role": "read", "secret": "hf_other_one"}
"""


@contextmanager
def serving_command(home: Path, *words: str, **environment: str) -> Iterator[tuple[int, list[str]]]:
    """The command while the block runs: its port, and what it said in the end."""
    port, said = free_port(), list[str]()
    process = start(
        "-m", "smartbreed", "hub", "serve", "--port", str(port), *words,
        env={**os.environ, "SMARTBREED_HOME": str(home), **environment}, stdout=None,
    )  # fmt: skip

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens)
        yield port, said
    finally:
        process.send_signal(signal.SIGINT)
        said.append(process.communicate(timeout=30)[1])


def test_the_command_serves_and_keeps_what_was_pushed(tmp_path: Path) -> None:
    for turn in range(2):
        with serving_command(tmp_path) as (port, said):
            api = HfApi(endpoint=f"http://127.0.0.1:{port}", token="anything")
            if turn == 0:
                api.create_repo("me/flags", repo_type="dataset")
                api.upload_file(
                    path_or_fileobj=b"{}", path_in_repo="a.json", repo_id="me/flags", repo_type="dataset"
                )
            assert "a.json" in api.list_repo_files("me/flags", repo_type="dataset")
        assert "HF_ENDPOINT=" in said[0]
        assert "Traceback" not in said[0]


@contextmanager
def receiving(call: Callable[[str | None, Any], object]) -> Iterator[str]:
    """The address of a server that calls this with the secret and the body of each webhook."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            call(self.headers["x-webhook-secret"], body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{receiver.server_port}/"
    finally:
        receiver.shutdown()
        receiver.server_close()


def test_tokens_and_webhooks(tmp_path: Path) -> None:
    calls: list[tuple[str | None, dict[str, object]]] = []
    file = tmp_path / "tokens"
    file.write_text(TOKENS)
    file.chmod(0o600)
    with (
        receiving(lambda *call: calls.append(call)) as hook,
        serving_command(
            tmp_path / "home", "--no-anonymous", "--webhook", hook, "--webhook-secret-env", "HOOK",
            HOOK="s3cret", SMARTBREED_HUB_TOKEN_FILE=str(file),
        ) as (port, said),
    ):  # fmt: skip
        ada, rob, anonymous = (
            HfApi(endpoint=f"http://127.0.0.1:{port}", token=token)
            for token in ("hf_long_secret", "hf_other_one", False)
        )
        ada.create_repo("ada/pets")
        assert ada.whoami()["name"] == "ada"
        assert rob.list_repo_files("ada/pets") == [".gitattributes"]
        with pytest.raises(Exception, match="403"):
            rob.create_repo("rob/pets")
        assert not anonymous.repo_exists("ada/pets")
        until(lambda: calls)
    ((secret, body),) = calls
    assert secret == "s3cret"
    assert body["repo"]["name"] == "ada/pets"  # type: ignore[index]
    assert "hf_long_secret" not in said[0]
    assert "s3cret" not in said[0]


@pytest.mark.parametrize(
    "command", [["localhub", "--root"], ["smartbreed", "hub", "serve"]], ids=["own", "app"]
)
def test_waiting_webhooks_are_still_sent_after_sigterm(tmp_path: Path, command: list[str]) -> None:
    calls, free, port = list[str](), threading.Event(), free_port()
    root = [str(tmp_path / "hub")] if "--root" in command else []

    def call(secret: str | None, body: Any) -> None:
        calls.append(body["repo"]["name"])
        free.wait(30)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with receiving(call) as hook:
        process = start(
            "-m", *command, *root, "--port", str(port), "--webhook", hook,
            env={**os.environ, "SMARTBREED_HOME": str(tmp_path)},
        )  # fmt: skip
        try:
            until(listens)
            names = [f"r{number}" for number in range(20)]
            for name in names:
                sent = httpx2.post(f"http://127.0.0.1:{port}/api/repos/create", json={"name": name})
                assert sent.status_code == 200
            until(lambda: calls)
            process.terminate()
            until(lambda: not listens())
            free.set()
            said = process.communicate(timeout=30)[1]
        finally:
            kill(process)
    assert calls == [f"local/{name}" for name in names]
    assert (process.returncode, "Traceback" in said) == (143, False), said


def test_a_fault_ends_no_daily_collection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults, third = [OSError(5, "Input/output error"), StorageError("The disk is full.")], threading.Event()

    def collect(store: HubStore) -> None:
        if faults:
            raise faults.pop(0)
        third.set()
        threading.Event().wait()  # the thread ends with the test run

    monkeypatch.setattr(own_command, "collect_garbage", collect)
    monkeypatch.setattr(own_command, "GRACE", 0.0)
    monkeypatch.setattr(own_command, "serve_folder", lambda *_, **__: until(third.is_set))
    assert own_command.main(["--root", str(tmp_path)]) == 0
    assert "Input/output error" in caplog.text
    assert "The disk is full." in caplog.text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--port", "70000"], "Port 70000"),
        (["--webhook", "http://[x"], "http or https"),
        (["--webhook", "http://x:99999"], "http or https"),
    ],
)
def test_unusable_options_of_the_own_command_are_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert own_command.main(["--root", str(tmp_path), *words]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [
        ("", 0o600, "no token"),
        (TOKENS, 0o644, "chmod 600"),
        ("nonsense\n", 0o600, "Line 1"),
        ('\n{"name": "ada", "role": "write"}\n', 0o600, "Line 2"),
        ('{"name": "ada", "role": "king", "secret": "hf_long_secret"}', 0o600, "read or write"),
        ('{"name": "ada", "role": "write", "secret": "short"}', 0o600, "8 characters"),
        (TOKENS + '{"name": "eve", "role": "read", "secret": "hf_other_one"}', 0o600, "same secret"),
    ],
)
def test_a_token_file_that_makes_no_sense(tmp_path: Path, text: str, mode: int, sentence: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(SettingError, match=sentence) as caught:
        read_tokens(file)
    assert "hf_" not in caught.value.message


def test_nonsense_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTBREED_HOME", str(tmp_path))
    for words, sentence in (
        (["serve", "--token-file", str(tmp_path / "none")], "token file"),
        (["serve", "--host", "0.0.0.0"], "without tokens"),
        (["serve", "--webhook", "ftp://x"], "http"),
        (["serve", "--webhook", "http://[x"], "http"),
        (["serve", "--webhook", "http://x", "--webhook-secret-env", "NOT_SET"], "NOT_SET"),
    ):
        done = CliRunner().invoke(app, ["hub", *words])
        assert (done.exit_code, sentence in done.stderr) == (2, True), done.output


def test_check_and_gc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["hub", *words])
        return done.exit_code, done.output

    monkeypatch.setenv("SMARTBREED_HOME", str(tmp_path))
    assert run("check")[0] == run("gc")[0] == 2
    assert not (tmp_path / "hub").exists()
    store = HubStore(tmp_path / "hub")
    store.create_repo("me/pets")
    kept = next(store.files.older_than(-1))
    stray = store.files.put(b"an upload whose commit never came")
    assert run("check") == (0, "all is well\n")
    assert run("gc") == (0, "removed 0 commits and 0 files, 0 bytes\n")
    assert run("gc", "--grace", "0") == (0, "removed 0 commits and 1 files, 33 bytes\n")
    assert store.files.size(stray) is None
    store.files.path(kept).write_bytes(store.files.read(kept)[::-1])
    assert run("check")[0] == 0
    status, said = run("check", "--contents")
    assert (status, kept in said) == (1, True)
    store.close()
