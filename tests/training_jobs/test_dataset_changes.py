"""The Hub's webhook as a trigger of its own: what others publish to the dataset repo starts a retraining."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from support.processes import FAKE_TRAINER

from smartbreed.core.errors import UnavailableError
from smartbreed.core.settings import load_settings
from smartbreed.dataset.schema import arrow_schema, shard_path
from smartbreed.hub.client import commit_files, connect, ensure_repo
from smartbreed.services import Services
from smartbreed.training_jobs.jobs import Jobs
from smartbreed.web.api.rest import rest_app
from smartbreed.web.api.webhooks import build_webhook_router

MOMENT = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
SECRET = {"x-webhook-secret": "hush hush"}
Push = Callable[[str], str]
Report = Callable[[], dict[str, bool]]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = load_settings(
        home=tmp_path / "home", hub="embedded", webhook_secret="hush hush", retrain_on_push=True
    )
    made = Services(settings)
    made.__dict__["retraining"] = Jobs(settings, [*FAKE_TRAINER, "refused"])
    yield made
    made.triggers.stop()
    made.retraining.close(0.5)
    made.flags.close()


@pytest.fixture
def push(services: Services) -> Push:
    """Another writer publishes one decision; the new head of the dataset repo."""
    number = [0]

    def publish(decision: str) -> str:
        import pyarrow as pa
        import pyarrow.parquet as pq

        number[0] += 1
        row = dict.fromkeys(arrow_schema("reviews").names) | {
            "decision_id": f"d{number[0]}", "flag_id": f"f{number[0]}", "sample_id": "s",
            "decision": decision, "label": "pug", "decided_at": MOMENT,
        }  # fmt: skip
        sink, api, repo = io.BytesIO(), connect(services.settings), services.settings.dataset
        pq.write_table(pa.Table.from_pylist([row], schema=arrow_schema("reviews")), sink)
        ensure_repo(api, repo, "dataset")
        path = shard_path("reviews", f"{MOMENT:%Y%m%dT%H%M%SZ}", f"{number[0]:012x}")
        return commit_files(api, repo, "dataset", {path: sink.getvalue()}, title="a decision")

    return publish


@pytest.fixture
def report(services: Services) -> Report:
    client = TestClient(rest_app(build_webhook_router(services)))
    reported = {"event": {}, "repo": {"type": "dataset", "name": services.settings.dataset}}

    def call() -> dict[str, bool]:
        heard: dict[str, bool] = client.post("/api/webhooks/dataset", json=reported, headers=SECRET).json()
        return heard

    return call


def runs(services: Services) -> int:
    jobs = services.retraining.recent()
    for job in jobs:
        services.retraining.wait(job.spec.id, 60)
    return len(jobs)


def read(services: Services, revision: str) -> None:
    """The last attempt read the dataset at this revision."""
    folder = services.settings.home_dir / "retraining" / "20261121T120000Z"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps({"dataset_revision": revision}))


def test_a_push_with_newly_accepted_photos_starts_one(services: Services, push: Push, report: Report) -> None:
    triggers = services.triggers
    triggers.start(on_push=services.settings.retrain_on_push)
    triggers.stop()  # the thread; this test looks by hand
    push("reject")
    assert triggers.check() is None, "no webhook came"
    assert report() == {"heard": True}
    assert triggers.check() is None, "nothing was accepted"
    head = push("accept")
    report()
    job = triggers.check()
    assert job is not None
    assert (job.spec.trigger, job.spec.mode) == ("webhook", "head")
    assert runs(services) == 1
    read(services, head)
    report()
    assert triggers.check() is None, "the last attempt had those"
    push("undo")
    report()
    assert triggers.check() is None
    push("relabel")
    assert triggers.check() is None, "no webhook came"
    report()
    assert triggers.check() is not None
    assert runs(services) == 2


def test_by_default_a_push_starts_nothing(services: Services, push: Push, report: Report) -> None:
    push("accept")
    services.triggers.start()
    assert report() == {"heard": True}
    assert not services.triggers.check_soon()
    assert services.triggers.check() is None


def test_a_hub_that_fails_is_asked_again(
    services: Services, push: Push, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smartbreed.core.errors import HubCallError
    from smartbreed.hub import client

    triggers = services.triggers
    triggers.start(on_push=True)
    triggers.stop()
    push("accept")
    report()

    def refuse(*_: object) -> None:
        raise HubCallError("retry", "The Hub does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(client, "repo_state", refuse)
        assert triggers.check() is None
    assert triggers.check() is not None
    assert runs(services) == 1


def test_a_push_is_remembered_until_a_retraining_has_started(
    services: Services, push: Push, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retraining may not start at this moment: another app was faster, or the disk is full."""
    triggers = services.triggers
    triggers.start(on_push=True)
    triggers.stop()
    push("accept")
    report()
    for error in (UnavailableError("retraining_running", "One is running.", status=409), OSError("broken")):

        def refuse(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(services.retraining, "start", refuse)
            assert triggers.check() is None
    assert triggers.check() is not None
    assert runs(services) == 1
