"""Stands in for `training.retrain`: speaks its lines, learns nothing. Its first argument says what to do."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STAGES = ("read", "embed", "fit", "calibrate", "gate", "export", "publish")


def say(stage: str, **values: object) -> None:
    print(json.dumps({"stage": stage, **values}), flush=True)


def release() -> tuple[str, str]:
    """Publish the model that ships once more as its next patch, so that an app can take it.

    Returns:
        Version and revision.
    """
    from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
    from smartbreed.hub import client

    settings = load_settings()
    config = json.loads((EMBEDDED_BUNDLE / "config.json").read_bytes())
    major, minor, patch = config["version"].split(".")
    version = f"{major}.{minor}.{int(patch) + 1}"
    files: dict[str, bytes | Path] = {path.name: path for path in EMBEDDED_BUNDLE.iterdir()}
    files["config.json"] = json.dumps({**config, "version": version}).encode()
    api = client.connect(settings)
    client.ensure_repo(api, settings.model_repo, "model")
    sha = client.commit_files(api, settings.model_repo, "model", files, title=f"Release {version}")
    client.tag(api, settings.model_repo, "model", f"v{version}", sha)
    return version, sha


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what")
    parser.add_argument("--mode", required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--publish", action=argparse.BooleanOptionalAction, required=True)
    parser.add_argument("--progress", choices=["json"], required=True)
    asked = parser.parse_args()
    what, _, pause = asked.what.partition(":")
    report = asked.home / "retraining" / "20261121T120000Z"

    if what in ("stubborn", "publishing"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if what == "helper":  # leaves a process behind that keeps its files open
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    for stage in STAGES:
        if what == "garbage":
            print('tensorflow says hello\n[1, 2]\n{"stage": 7}\n' + "x" * 100_000, flush=True)
            os.write(1, b"\xff\xfe\x00 no text\n")
        if what == "unknown" and stage == "gate":
            say("polish", done=1, of=2, message="Polishing")
        for done in range(3):
            say(stage, done=done, of=2, message=f"{stage} {done} of 2")
            time.sleep(float(pause or 0.02))
        if what == "crash" and stage == "fit":
            print("the end of stderr", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "quits" and stage == "fit":
            print("Traceback: it broke", file=sys.stderr, flush=True)
            sys.exit(3)
        if what == "error" and stage == "fit":
            say("error", message="The dataset repo has no accepted photos.")
            sys.exit(1)
        if what == "publishing" and stage == "publish":
            time.sleep(2)
        if what in ("hang", "stubborn", "helper") and stage == "fit":
            time.sleep(60 if what != "helper" else 0)
        if what == "full" and stage == "fit":
            with Path("/dev/full").open("w") as log:  # ENOSPC, as a log on a full disk gives
                log.write("x")
        if what == "flood" and stage == "fit":
            while True:
                print("x" * 1000)
        if what in ("nothing_new", "too_few") and stage == "embed":
            reason = {"nothing_new": "No newly accepted photos", "too_few": "3 newly accepted photos"}[what]
            say(
                "result", outcome=what, passed=False, published=False, version="", revision="", learnt=[],
                reasons=[f"{reason} to learn from."], report=str(report), undecided=[],
            )  # fmt: skip
            return
        if what == "refused" and stage == "gate":
            say(
                "result", outcome="refused", passed=False, published=False, version="", revision="",
                learnt=[],
                reasons=["Cats got worse by 4.1 points.", "It is no better on what was flagged."],
                report=str(report),
            )  # fmt: skip
            return
    if asked.publish:
        (asked.home / "published").write_text(asked.mode)
    version, revision = release() if what == "release" else ("1.1.0", "a" * 40)
    secret = [name for name in os.environ if name.startswith("GRADIO_") or "PASSWORD" in name]
    base = filter(None, [os.environ.get("SMARTBREED_BASE_DATASET")])
    say(
        "result", passed=True, published=asked.publish, version=version, revision=revision,
        learnt=["pug", *secret, *base], reasons=["Better on what was flagged: 12% before, 91% now."],
        report=str(report),
    )  # fmt: skip


main()
