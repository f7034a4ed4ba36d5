"""The interfaces beside the page: the command line and the Hub's webhook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from support.processes import ROOT, WITH_FAKE_TRAINER, start

from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.training_jobs.jobs import Jobs
from smartbreed.web.api.rest import rest_app
from smartbreed.web.api.webhooks import build_webhook_router


def command(home: Path, what: str, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    """``smartbreed retrain`` with the fake trainer."""
    home.mkdir(exist_ok=True)
    (home / "fake-trainer").write_text(what)
    env = {**os.environ, "SMARTBREED_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return start(*WITH_FAKE_TRAINER[1:], "retrain", *arguments, env=env, cwd=cwd)


@pytest.mark.parametrize(
    ("what", "arguments", "status", "said"),
    [
        ("ok", [], 0, "Version 1.1.0 is published."),
        ("ok", ["--no-publish"], 0, "not published"),
        ("refused", [], 0, "Cats got worse"),
        ("refused", [], 0, "not good enough"),
        ("nothing_new", [], 0, "No new model was made: the current one has already learnt"),
        ("too_few", [], 0, "No new model was made: too few new photos"),
        ("error", [], 1, "no accepted photos"),
        ("ok", ["--mode", "sideways"], 2, ""),
    ],
)
def test_data_on_stdout_talk_on_stderr(
    tmp_path: Path, what: str, arguments: list[str], status: int, said: str
) -> None:
    out, err = (process := command(tmp_path / "home", what, *arguments)).communicate(timeout=120)
    assert process.returncode == status
    assert said in out
    assert ("Learn …" in err) == (status != 2 and what not in ("nothing_new", "too_few"))
    assert "Traceback" not in err


def test_json_for_programs(tmp_path: Path) -> None:
    out, _ = command(tmp_path / "home", "ok", "--json", "--mode", "full").communicate(timeout=120)
    values = json.loads(out)
    assert (values["state"], values["version"], values["learnt"]) == ("released", "1.1.0", ["pug"])
    assert values["mode"] == "full"


def test_the_base_dataset_reaches_the_trainer(tmp_path: Path) -> None:
    """A folder as seen from here, although the trainer works elsewhere; what is none is left to it."""
    (tmp_path / "pets").mkdir()
    for given, expected in (("pets", str(tmp_path / "pets")), ("me/pets@v1", "me/pets@v1")):
        out, _ = command(
            tmp_path / "home", "ok", "--json", "--mode", "full", "--data", given, cwd=tmp_path
        ).communicate(timeout=120)
        assert json.loads(out)["learnt"] == ["pug", expected]


def test_ctrl_c_stops_the_trainer(tmp_path: Path) -> None:
    process = command(tmp_path / "home", "hang")
    assert process.stderr is not None
    for line in process.stderr:
        if "Learn" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    job = Jobs(load_settings(home=tmp_path / "home")).latest()
    assert job is not None
    assert job.state == "cancelled"


def message(kind: str, repo: str) -> dict[str, object]:
    return {"event": {"action": "update", "scope": "repo.content"}, "repo": {"type": kind, "name": repo}}


def test_the_dataset_webhook_makes_the_app_count(tmp_path: Path) -> None:
    services = Services(load_settings(home=tmp_path, webhook_secret="hush hush", retrain_after=5))
    client, right = TestClient(rest_app(build_webhook_router(services))), {"x-webhook-secret": "hush hush"}
    services.triggers.start()
    try:
        reported = message("dataset", services.settings.dataset)
        assert client.post("/api/webhooks/dataset", json=reported).status_code == 403
        assert client.post("/api/webhooks/dataset", json=reported, headers=right).json() == {"heard": True}
        other = client.post("/api/webhooks/dataset", json=message("dataset", "some/body"), headers=right)
        assert other.json() == {"heard": False}
        assert services.retraining.latest() is None  # nothing was accepted
    finally:
        services.triggers.stop()
        services.flags.close()
