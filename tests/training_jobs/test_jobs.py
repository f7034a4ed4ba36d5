"""A retraining from the button's point of view: whatever dies, the state says so and another can start."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.clock import until
from support.processes import FAKE_TRAINER, SUPPORT, start

from smartbreed.core.errors import RequestError, SmartBreedError, StorageError
from smartbreed.core.settings import Settings, load_settings
from smartbreed.training_jobs.job import Job, process_group
from smartbreed.training_jobs.jobs import Jobs
from smartbreed.training_jobs.process import environment

Trainer = Callable[[str], Jobs]


def end_of(jobs: Jobs, job: Job) -> Job:
    found = jobs.wait(job.spec.id, 30)
    assert found is not None
    assert not found.running
    return found


def folder_of(settings: Settings, job: Job) -> Path:
    return settings.home_dir / "retraining" / "jobs" / job.spec.id


def published(settings: Settings) -> bool:
    return (settings.home_dir / "published").exists()


def fits(jobs: Jobs) -> bool:
    job = jobs.current()
    return job is not None and job.progress.stage == "fit"


def test_a_run_from_start_to_release(
    trainer: Trainer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTBREED_MAINTAINER_PASSWORD", "hush")
    jobs, reported = trainer("ok"), []
    jobs.on_end.append(lambda job: reported.append(job.state))
    job = jobs.start("full", trigger="count", accepted=7)
    assert job.running
    ended = end_of(jobs, job)
    assert (ended.state, reported) == ("released", ["released"])
    assert ended.progress.result is not None
    assert (ended.progress.result.version, ended.progress.result.learnt) == ("1.1.0", ("pug",))
    assert {step.state for step in ended.progress.steps(ended=True)} == {"done"}
    assert (settings.home_dir / "published").read_text() == "full"
    assert jobs.current() is None
    again = jobs.latest()
    assert again is not None
    assert (again.spec.trigger, again.spec.accepted, again.state) == ("count", 7, "released")


def test_the_trainer_gets_no_secret_of_the_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = (
        "maintainer_password", "secret", "salt", "database_url", "smtp_url", "webhook_secret",
        "metrics_token", "google_client_secret", "github_client_secret", "oidc_client_secret",
    )  # fmt: skip
    for name in secret:
        monkeypatch.setenv(f"SMARTBREED_{name.upper()}", "hush hush")
    monkeypatch.setenv("smartbreed_smtp_url", "hush hush")  # settings are read in any case
    monkeypatch.setenv("HF_TOKEN", "for the Hub")
    settings = load_settings(home=tmp_path, dataset="me/flags")
    assert "hush hush" not in repr(settings)
    passed = environment(settings)
    assert "hush hush" not in passed.values()
    assert (passed["HF_TOKEN"], passed["SMARTBREED_DATASET"]) == ("for the Hub", "me/flags")


@pytest.mark.parametrize(
    ("what", "state", "said"),
    [
        ("refused", "refused", "not good enough"),
        ("error", "failed", "no accepted photos"),
        ("crash", "lost", "signal 9"),
        ("quits", "lost", "exit status 3"),
        ("full", "lost", "exit status 1"),
    ],
)
def test_what_did_not_end_well_says_so_publishes_nothing_and_makes_room(
    trainer: Trainer, settings: Settings, what: str, state: str, said: str
) -> None:
    jobs = trainer(what)
    ended = end_of(jobs, jobs.start())
    assert ended.state == state
    assert said in ended.sentence
    assert "published" in ended.sentence
    assert not published(settings)
    assert "active" not in {step.state for step in ended.progress.steps(ended=True)}
    if what in ("crash", "quits", "full"):
        assert ended.stderr_tail
    fresh = trainer("ok")
    assert end_of(fresh, fresh.start()).state == "released"


@pytest.mark.parametrize(
    ("what", "said"),
    [("nothing_new", "already learnt everything that was accepted"), ("too_few", "too few new photos")],
)
def test_without_a_new_model_none_is_called_bad(
    trainer: Trainer, settings: Settings, what: str, said: str
) -> None:
    ended = end_of(jobs := trainer(what), jobs.start())
    assert ended.state == what
    assert "No new model was made" in ended.sentence
    assert said in ended.sentence
    assert "good enough" not in ended.sentence
    assert not published(settings)


def test_no_publish_is_passed_on(trainer: Trainer, settings: Settings) -> None:
    jobs = trainer("ok")
    assert end_of(jobs, jobs.start(publish=False)).state == "passed"
    assert not published(settings)


@pytest.mark.parametrize(("what", "grace"), [("hang", 20.0), ("stubborn", 0.3)])
def test_cancel_stops_it_politely_or_not(
    trainer: Trainer, settings: Settings, what: str, grace: float
) -> None:
    jobs = trainer(what)
    job = jobs.start()
    until(lambda: fits(jobs))
    assert trainer("ok").cancel(grace)  # from another process's point of view
    ended = end_of(jobs, job)
    assert ended.state == "cancelled"
    assert [step.state for step in ended.progress.steps(ended=True)][:4] == [
        "done", "done", "stopped", "waiting",
    ]  # fmt: skip
    assert not published(settings)
    assert not jobs.cancel()


def test_a_release_on_its_way_is_not_cut_off(trainer: Trainer, settings: Settings) -> None:
    jobs = trainer("publishing")
    job = jobs.start()
    until(lambda: (now := jobs.get(job.spec.id)) is not None and now.progress.stage == "publish")
    jobs.cancel(0.1)
    assert end_of(jobs, job).state == "released"
    assert published(settings)


def test_garbage_and_unknown_stages_do_no_harm(trainer: Trainer) -> None:
    jobs = trainer("garbage")
    ended = end_of(jobs, jobs.start())
    assert ended.state == "released"
    assert ended.progress.stray
    jobs = trainer("unknown")
    names = [step.name for step in end_of(jobs, jobs.start()).progress.steps()]
    assert names.index("polish") == names.index("calibrate") + 1


def test_a_flood_is_stopped(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartbreed.training_jobs.jobs._FLOOD", 1_000_000)
    jobs = trainer("flood")
    assert end_of(jobs, jobs.start()).state == "lost"


def test_what_the_trainer_leaves_behind_is_cleared_away(trainer: Trainer) -> None:
    jobs = trainer("helper")
    assert end_of(jobs, jobs.start()).state == "released"
    assert jobs.current() is None


def test_only_one_at_a_time_from_any_process(trainer: Trainer) -> None:
    started, refused = [], []

    def start(jobs: Jobs) -> None:
        try:
            started.append(jobs.start())
        except SmartBreedError as error:
            refused.append(error)

    many = [threading.Thread(target=start, args=[trainer("hang")]) for _ in range(8)]
    for thread in many:
        thread.start()
    for thread in many:
        thread.join()
    assert len(started) == 1
    assert {(error.code, error.status) for error in refused} == {("retraining_running", 409)}
    assert len(trainer("ok").recent()) == 1


def test_a_killed_app_leaves_a_trainer_that_the_next_app_finds(trainer: Trainer, settings: Settings) -> None:
    with start(SUPPORT / "app_process.py", settings.home_dir, "slow:0.1") as app:
        assert app.stdout is not None
        job_id = app.stdout.readline().strip()
        app.kill()
    jobs, reported = trainer("ok"), []
    jobs.on_end.append(lambda job: reported.append(job.state))
    found = jobs.adopt()
    assert found is not None
    assert found.spec.id == job_id
    with pytest.raises(SmartBreedError, match="already running"):
        jobs.start()
    ended = end_of(jobs, found)
    assert ended.state == "released"
    assert reported == ["released"]


def test_app_and_trainer_killed_together(trainer: Trainer, settings: Settings) -> None:
    jobs = trainer("hang")
    job = jobs.start()
    until(lambda: fits(jobs))
    group = process_group(folder_of(settings, job))
    assert group is not None
    ended_file = folder_of(settings, job) / "ended.json"
    os.killpg(group, signal.SIGKILL)
    jobs.wait(job.spec.id, 20)
    ended_file.unlink()  # as if no parent had seen it
    seen = trainer("ok").latest()
    assert seen is not None
    assert seen.state == "lost"
    assert "disappeared without a result" in seen.sentence


def test_stopping_the_app_stops_its_trainer(trainer: Trainer, settings: Settings) -> None:
    jobs = trainer("hang")
    job = jobs.start()
    until(lambda: fits(jobs))
    jobs.close()
    ended = jobs.get(job.spec.id)
    assert ended is not None
    assert ended.state == "cancelled"


def test_stopping_a_replica_leaves_the_trainer_of_another_alone(trainer: Trainer) -> None:
    starter, other = trainer("hang"), trainer("ok")
    job = starter.start()
    until(lambda: fits(starter))
    assert other.adopt() is not None
    other.close()
    current = other.current()
    assert current is not None
    assert (current.spec.id, current.running) == (job.spec.id, True)
    starter.close()
    assert end_of(starter, job).state == "cancelled"


def test_stopping_the_app_stops_the_trainer_of_one_that_was_killed(
    trainer: Trainer, settings: Settings
) -> None:
    with start(SUPPORT / "app_process.py", settings.home_dir, "hang") as app:
        assert app.stdout is not None
        app.stdout.readline()
        app.kill()
    jobs = trainer("ok")
    found = jobs.adopt()
    assert found is not None
    jobs.close()
    assert end_of(jobs, found).state == "cancelled"


def test_nothing_starts_on_a_disk_that_refuses(trainer: Trainer, settings: Settings) -> None:
    settings.home_dir.parent.mkdir(exist_ok=True)
    settings.home_dir.write_text("a file where the folder should be")
    with pytest.raises(StorageError):
        trainer("ok").start()


def test_a_disk_that_fills_up_while_it_runs(tiny_disk: Path) -> None:
    settings = load_settings(home=tiny_disk / "home")
    jobs = Jobs(settings, [*FAKE_TRAINER, "flood"])
    job = jobs.start()
    ended = end_of(jobs, job)
    assert ended.state == "lost"
    assert "disk is full" in ended.sentence
    refused = []
    for _ in range(100):  # the last bytes go to the first of them
        try:
            end_of(jobs, jobs.start())
        except StorageError as error:
            refused.append(error.message)
            break
    assert "disk is full" in refused[0]
    (folder_of(settings, job) / "progress.jsonl").unlink()
    fine = Jobs(settings, [*FAKE_TRAINER, "ok"])
    assert end_of(fine, fine.start()).state == "released"


def test_a_trainer_that_does_not_exist(settings: Settings) -> None:
    jobs = Jobs(settings, ["/nowhere/python"])
    ended = end_of(jobs, jobs.start())
    assert ended.state == "lost"
    assert "127" in ended.sentence


def test_misuse(trainer: Trainer) -> None:
    with pytest.raises(RequestError, match="head, full"):
        trainer("ok").start("sideways")
    for name in ("", "..", "../../etc", "a" * 100, "20260101T000000Z-ffffff"):
        assert trainer("ok").get(name) is None
