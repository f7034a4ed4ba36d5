"""What the settings ask for: the embedded model and its releases, a repo, or a folder."""

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

#: What the embedded model is called where others have a repo or a revision.
EMBEDDED = "embedded"
_SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelSource:
    """Where models come from.

    Attributes:
        kind: ``embedded``: the model of the program, and releases newer than it; ``repo``: whatever
            the repo holds; ``folder``: nothing but that.
        key: what its state is remembered under; names the Hub too.
        repo: ``owner/name``; empty for a folder.
        asked: branch, tag or full sha.
        folder: only of a folder.
    """

    kind: Literal["embedded", "repo", "folder"]
    key: str
    repo: str = ""
    asked: str = "main"
    folder: Path = Path()

    @property
    def sha(self) -> str:
        """The full sha when the setting names one, which is then never left; else empty."""
        return self.asked if is_sha(self.asked) else ""


def is_sha(text: str) -> bool:
    """Whether a revision is a full commit id."""
    return _SHA.fullmatch(text) is not None


def read_source(settings: Settings) -> ModelSource:
    """What ``SMARTBREED_MODEL`` and ``SMARTBREED_MODEL_REPO`` say; nothing is opened.

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
    """Why a new version would never answer here, in a sentence; empty when releases are taken.

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
    """Why a repo cannot carry on the embedded model, in a sentence; empty when it holds a version of it.

    Args:
        api: from `smartbreed.hub.client.connect`.
        revision: of the newest release, which is not newer than the embedded model.

    Raises:
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
    """Whether ``1.10.0`` is newer than ``1.9``: by its numbers; a pre-release comes before its release."""
    return order(version) > order(other)


def order(version: str) -> tuple[tuple[int, ...], bool, str]:
    """What versions are sorted by."""
    numbers, _, rest = version.strip().removeprefix("v").partition("-")
    found = [int(part) if part.isascii() and part.isdigit() and len(part) < 10 else 0 for part in
             numbers.partition("+")[0].split(".")]  # fmt: skip
    while found and found[-1] == 0:  # 1.2 is 1.2.0
        found.pop()
    return tuple(found), not rest, rest
