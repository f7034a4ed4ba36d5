"""The end of the app: Docker kills after ten seconds, and by then what was flagged has to be published."""

from __future__ import annotations

from pathlib import Path

from support.clock import until
from support.flags import flag
from support.processes import SUPPORT, WITH_FAKE_TRAINER, Server, start

from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import open_feedback
from smartbreed.training_jobs.jobs import Jobs


def test_the_last_publish_waits_for_no_retraining(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = load_settings(home=home, hub="embedded")
    with start(SUPPORT / "app_process.py", home, "stubborn") as killed:  # a trainer that is deaf to SIGTERM
        assert killed.stdout is not None
        job_id = killed.stdout.readline().strip()
        killed.kill()  # so that the next app adopts it
    jobs = Jobs(settings)
    app = Server(
        tmp_path,
        command=[*WITH_FAKE_TRAINER, "serve"],
        SMARTBREED_HUB="embedded",
        SMARTBREED_PUBLISH_EVERY="3600",
    )
    feedback = open_feedback(settings)
    try:
        app.wait_until_ready()
        until((home / "upkeep/daily.json").exists)  # its first look is over, and found nothing
        flag(feedback)
        assert feedback.count("published") == 0
        app.process.terminate()
        until(lambda: feedback.count("published") == 1)
        assert app.process.poll() is None, "it still waits for its trainer"
    finally:
        feedback.close()
        jobs.cancel(0.1)
        until(lambda: (job := jobs.get(job_id)) is not None and not job.running)
        assert app.stop() == 0
