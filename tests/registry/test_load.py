"""Twenty clients ask the real app while releases are swapped: none is refused, no answer is wrong."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest
from support.bundles import EMBEDDED, make_bundle, publish
from support.clock import until
from support.processes import Server, smartbreed

from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.imaging.photo import encode_jpeg, read_photo
from smartbreed.inference.pipeline import Identifier

CLIENTS = 20
SECRET = "quite-a-secret"


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    noise = np.random.default_rng(3).integers(0, 256, (12, 16, 3), np.uint8)
    return encode_jpeg(noise.repeat(20, 0).repeat(20, 1))


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return smartbreed(folder, "models", *words)


def version_of(running: Server) -> str:
    return str(httpx.get(running.url + "api/health", timeout=60).json()["model"]["version"])


@pytest.mark.slow
def test_swaps_under_load(tmp_path: Path, jpeg: bytes) -> None:
    """Two releases with heads of their own come in turn; each answer is held against the version it names."""
    folders = {f"7.{turn}.0": make_bundle(tmp_path / str(turn), f"7.{turn}.0", turn=turn) for turn in (1, 2)}
    photo = read_photo(jpeg)
    models = {EMBEDDED: EMBEDDED_BUNDLE, **folders}
    expected = {
        version: [guess.as_dict() for guess in answer.pets[0].breeds]
        for version, answer in (
            (version, Identifier.load(folder, threads=1).identify(photo, whole=True))
            for version, folder in models.items()
        )
    }
    assert len({str(breeds) for breeds in expected.values()}) == 3, "the three differ"
    running = Server(tmp_path, SMARTBREED_WEBHOOK_SECRET=SECRET)
    settings = load_settings(home=running.home)
    stop = threading.Event()
    answers: list[dict] = []
    failures: list[str] = []

    def client() -> None:
        with httpx.Client(timeout=120) as http:
            while not stop.is_set():
                try:
                    reply = http.post(
                        running.url + "api/identify?whole=true",
                        content=jpeg,
                        headers={"Content-Type": "image/jpeg"},
                    )
                    reply.raise_for_status()
                    answers.append(reply.json())
                except Exception as error:
                    failures.append(repr(error))

    running.wait_until_ready()
    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    try:
        until(lambda: len(answers) > 2 * CLIENTS)
        for version, folder in folders.items():
            publish(settings, folder)  # another process: the app has to find out by itself
            until(lambda version=version: version_of(running) == version)
            seen = len(answers)
            until(lambda seen=seen: len(answers) > seen + 2 * CLIENTS)
        assert command(tmp_path, "rollback").returncode == 0
        until(lambda: version_of(running) == "7.1.0")
        assert command(tmp_path, "use", "latest").returncode == 0
        until(lambda: version_of(running) == "7.2.0")
    finally:
        stop.set()
        for thread in clients:
            thread.join()
    assert running.stop() == 0
    assert failures == []
    for answer in answers:
        assert answer["pets"][0]["breeds"] == expected[answer["model"]["version"]]
    assert {answer["model"]["version"] for answer in answers} == set(models)
    assert "Traceback" not in running.log()


@pytest.mark.slow
def test_a_broken_release_and_the_interfaces_to_choose(tmp_path: Path, jpeg: bytes) -> None:
    running = Server(tmp_path, SMARTBREED_WEBHOOK_SECRET=SECRET, SMARTBREED_WATCH="0")
    settings = load_settings(home=running.home)
    running.wait_until_ready()
    hook = running.url + "api/webhooks/model"
    message = {"event": {"action": "update"}, "repo": {"type": "model", "name": "smartbreed/pets"}}
    for headers, body, status in (
        ({}, message, 403),
        ({"X-Webhook-Secret": "wrong"}, message, 403),
        ({"X-Webhook-Secret": "ü".encode()}, message, 403),
        ({"X-Webhook-Secret": SECRET}, {"repo": "?"}, 422),
        ({"X-Webhook-Secret": SECRET}, {"repo": {"type": "dataset", "name": "smartbreed/pets"}}, 200),
    ):
        assert httpx.post(hook, json=body, headers=headers, timeout=60).status_code == status
    assert httpx.get(hook, timeout=60).status_code in (404, 405)

    broken = make_bundle(tmp_path / "broken", "7.1.0")
    (broken / "classifier.tflite").write_bytes(b"nothing")
    publish(settings, broken)
    call = {"X-Webhook-Secret": SECRET}
    assert httpx.post(hook, json=message, headers=call, timeout=60).status_code == 202
    until(lambda: "does not match its sha256" in command(tmp_path, "list").stdout)
    assert version_of(running) == EMBEDDED

    publish(settings, make_bundle(tmp_path / "good", "7.2.0", turn=1))
    assert httpx.post(hook, json=message, headers=call, timeout=60).status_code == 202
    until(lambda: version_of(running) == "7.2.0")

    done = command(tmp_path, "use", "7.1.0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "does not match its sha256" in done.stderr
    assert command(tmp_path, "use", "embedded").returncode == 0
    until(lambda: version_of(running) == EMBEDDED)
    table = command(tmp_path, "list")
    assert table.returncode == 0
    assert "pinned" in table.stdout
    reported = command(tmp_path, "status", "--json")
    assert f'"version": "{EMBEDDED}"' in reported.stdout
    assert command(tmp_path, "use", "3.3.3").returncode == 2
    assert command(tmp_path, "use", "7.2.0").returncode == 0
    assert running.stop() == 0
    again = Server(tmp_path / "again", SMARTBREED_HOME=str(running.home))
    again.wait_until_ready()
    assert version_of(again) == "7.2.0", "a choice outlives the app"
    assert again.stop() == 0
