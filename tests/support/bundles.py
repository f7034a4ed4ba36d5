"""Small releases made from the model that ships: its classifier, renamed and recalibrated, with true sums."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smartbreed.core.settings import EMBEDDED_BUNDLE, Settings
from smartbreed.hub.client import commit_files, connect, ensure_repo, list_files, tag
from smartbreed.inference.bundle import write_config
from smartbreed.registry.initial_model import embedded_version

REPO = "smartbreed/pets"
#: Version of the model that ships; releases made here are newer.
EMBEDDED = embedded_version()
Change = Callable[[dict[str, Any]], Any]


def make_bundle(
    folder: Path, version: str, *, turn: int = 0, detector: bool = False, change: Change | None = None
) -> Path:
    """A bundle of its own in ``folder``.

    Args:
        version: its version.
        turn: the labels are moved on by so many, so that the same logits name other breeds.
        detector: with the detector, for whole photographs.
        change: alters ``config.json`` before the sums are taken.
    """
    folder.mkdir(parents=True)
    config = json.loads((EMBEDDED_BUNDLE / "config.json").read_text())
    classifier = config["classifier"]
    labels = classifier["labels"]
    classifier["labels"] = labels[turn:] + labels[:turn]
    classifier.pop("weights")
    config = {**config, "version": version, "format": 2, "metrics": {}, "training": {}}
    if detector:
        config["detector"].pop("weights")
    else:
        config.pop("detector")
    for name in ["classifier.tflite", *(["detector.tflite"] if detector else [])]:
        shutil.copyfile(EMBEDDED_BUNDLE / name, folder / name)
    (folder / "README.md").write_text(f"---\nlicense: apache-2.0\n---\n# Version {version}\n")
    if change:
        change(config)
    write_config(folder, config)
    return folder


def edit_config(folder: Path, change: Change) -> None:
    """Alter ``config.json`` and nothing else."""
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def publish(settings: Settings, folder: Path, repo: str = REPO, name: str = "") -> str:
    """Commit a folder as a release, as the trainer does; the commit's sha."""
    api = connect(settings)
    ensure_repo(api, repo, "model")
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    version = name or json.loads((folder / "config.json").read_text()).get("version", "0")
    gone = set(list_files(api, repo, "model", "main")) - set(files) - {".gitattributes"}
    sha = commit_files(api, repo, "model", files, title=f"Version {version}", delete=sorted(gone))
    tag(api, repo, "model", f"v{version}", sha)
    return sha
