"""The model source that the settings name: the embedded model and its releases, a repo, or a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smartbreed.core.errors import BundleError
from smartbreed.core.files import expanded
from smartbreed.core.settings import EMBEDDED_BUNDLE, Settings
from smartbreed.hub.client import parse_repo
from smartbreed.hub.connection import chosen_hub

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: Stands for the embedded model in place of a repo or revision.
EMBEDDED = "embedded"
_SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelSource:
    """Where models come from.

    Attributes:
        kind: ``embedded`` for the program's own model and releases newer than it; ``repo`` for whatever
            the repo holds; ``folder`` for a single folder.
        key: key of its state; includes the name of the Hub.
        repo: ``owner/name``; empty for a folder.
        asked: branch, tag or full sha to follow.
        folder: the folder; only for the kind ``folder``.
    """

    kind: Literal["embedded", "repo", "folder"]
    key: str
    repo: str = ""
    asked: str = "main"
    folder: Path = Path()

    @property
    def sha(self) -> str:
        """The full sha if the setting names one, so that only this commit is served; else empty."""
        return self.asked if is_sha(self.asked) else ""


def is_sha(text: str) -> bool:
    """Return whether a revision is a full commit id."""
    return _SHA.fullmatch(text) is not None


def read_source(settings: Settings) -> ModelSource:
    """Return the source that ``SMARTBREED_MODEL`` and ``SMARTBREED_MODEL_REPO`` name, without opening it.

    Raises:
        BundleError: SMARTBREED_MODEL is neither a folder nor a repo id.
    """
    hub = chosen_hub(settings).name
    if not settings.model:
        return ModelSource("embedded", f"{hub} {settings.model_repo}", settings.model_repo)
    folder = expanded(settings.model)
    if folder.is_dir():
        return ModelSource("folder", f"folder {folder.absolute()}", folder=folder)
    named = parse_repo(settings.model)
    if named is None or settings.model.startswith((".", "/", "~")):
        raise BundleError(f"There is no model bundle at {settings.model}: it is no folder and no repo id.")
    repo, asked = named
    return ModelSource("repo", f"{hub} {repo}@{asked}", repo, asked)


def why_no_releases(settings: Settings) -> str:
    """Return why a new version would never be served here, as a sentence; empty if releases are followed.

    Raises:
        BundleError: SMARTBREED_MODEL is neither a folder nor a repo id.
    """
    source = read_source(settings)
    if source.kind == "folder":
        return (
            "SMARTBREED_MODEL names a folder, which takes no releases: put its files into a model repo and "
            "set SMARTBREED_MODEL=owner/name, or retrain without publishing."
        )
    if source.asked != "main":
        return (
            f"SMARTBREED_MODEL names one revision ({source.asked[:40]}) of {source.repo}, and releases go to "
            f"its main branch: set SMARTBREED_MODEL={source.repo}, or retrain without publishing."
        )
    return ""


def another_model(api: HfApi, repo: str, revision: str) -> str:
    """Return why a repo's releases cannot follow the embedded model, as a sentence; empty if they can.

    They can if the repo holds a version of the same model, that is, knows at least half of its breeds.

    Args:
        api: from `smartbreed.hub.client.connect`.
        repo: ``owner/name`` of the model repo.
        revision: revision of its newest release, which is not newer than the embedded model.

    Raises:
        BundleError: the release's ``config.json`` cannot be used.
        HubCallError: the Hub cannot be asked.
    """
    from smartbreed.hub.client import read_file
    from smartbreed.inference.bundle import CONFIG, parse_config, read_config

    text = read_file(api, repo, "model", CONFIG, revision)
    if text is None:
        return ""
    held, own = parse_config(text), read_config(EMBEDDED_BUNDLE)[1]
    mine = {label.id for label in own.classifier.labels}
    theirs = {label.id for label in held.classifier.labels}
    if len(mine & theirs) * 2 >= len(mine):
        return ""
    return (
        f"The model repo {repo} holds another model ({held.name} {held.version}, {len(theirs)} breeds), and "
        f"without SMARTBREED_MODEL only versions above the program's own {own.version} are taken: set "
        f"SMARTBREED_MODEL={repo} to serve and retrain that one."
    )


def newer(version: str, other: str) -> bool:
    """Return whether a version is newer than another: ``1.10.0`` is newer than ``1.9`` and ``1.10.0-rc1``."""
    return order(version) > order(other)


def order(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Return the sort key of a version: its numbers, with a pre-release before its release."""
    numbers, _, rest = version.strip().removeprefix("v").partition("-")
    found = [int(part) if part.isascii() and part.isdigit() and len(part) < 10 else 0 for part in
             numbers.partition("+")[0].split(".")]  # fmt: skip
    while found and found[-1] == 0:  # 1.2 equals 1.2.0
        found.pop()
    return tuple(found), not rest, rest
