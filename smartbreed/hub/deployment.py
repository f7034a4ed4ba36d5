"""Deploy this program to a Hugging Face Space: what is sent, and how the Space is set up.

`plan` checks and decides, `carry_out` acts; before that, nothing is changed at the Hub.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from smartbreed.core.errors import HubCallError, RequestError
from smartbreed.core.settings import EMBEDDED_BUNDLE, PREFIX, REPO_ID, Settings
from smartbreed.hub.connection import chosen_hub
from smartbreed.hub.deployment_files import FOLDERS, collect_files

#: The folder that holds ``app.py``, ``smartbreed`` and ``training``.
ROOT = Path(__file__).resolve().parents[2]
#: Where a bucket is mounted; it is then SMARTBREED_HOME on the Space.
DATA = "/data"
_TRIES = 3
T = TypeVar("T")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Plan:
    """What a deployment will do.

    Attributes:
        files: of the Space, by path; a `Path` is read when it is sent.
        secrets: by name; their values never appear in any text.
        bucket: mounted at `DATA`; empty: the Space's own disk is used, which is empty after each restart.
        warnings: what a person should know, in sentences.
    """

    space: str
    model_repo: str
    dataset: str
    files: Mapping[str, bytes | Path]
    variables: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    private: bool = False
    hardware: str = ""
    bucket: str = ""
    warnings: tuple[str, ...] = ()


def plan(
    settings: Settings,
    space: str,
    *,
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
    private: bool = False,
    hardware: str = "",
    bucket: str = "",
    root: Path = ROOT,
) -> Plan:
    """Decide what to send and set.

    Args:
        settings: name the model and dataset repos; those that still have the default name go
            under the Space's owner instead.
        space: ``owner/name``.
        variables, secrets: of the Space's environment.
        bucket: ``owner/name`` of an existing bucket; empty: none.
        root: a checkout of this program.

    Raises:
        RequestError: a name is invalid, or ``root`` is no checkout.
    """
    for what, name in (("A Space", space), ("A bucket", bucket)):
        if (name or what == "A Space") and not re.fullmatch(REPO_ID, name):
            raise RequestError("bad_name", f"{what} is called owner/name. Received: {name!r}")
    for key in [*variables, *secrets]:
        if not _KEY.fullmatch(key):
            raise RequestError("bad_name", f"{key!r} cannot be the name of an environment variable.")
    if both := sorted(set(variables) & set(secrets)):
        raise RequestError("bad_name", f"{both[0]} is given both as a variable and as a secret.")
    owner = space.split("/")[0]
    defaults = type(settings).model_fields
    model_repo = _beside(owner, settings.model_repo, defaults["model_repo"].default, "pets")
    dataset = _beside(owner, settings.dataset, defaults["dataset"].default, "flags")
    hub = chosen_hub(settings)
    ours = {
        f"{PREFIX}MODEL_REPO": model_repo,
        f"{PREFIX}DATASET": dataset,
        # Without a token the Space would otherwise use an embedded Hub on its own disk.
        f"{PREFIX}HUB": "https://huggingface.co" if hub.embedded else hub.endpoint,
        # The disk may be lost at any moment, so little should wait there.
        f"{PREFIX}PUBLISH_EVERY": "30",
        f"{PREFIX}PUBLISH_SIZE": "1",
        **({f"{PREFIX}HOME": DATA} if bucket else {}),
    }
    environment = {**{key: value for key, value in ours.items() if key not in secrets}, **variables}
    database = secrets.get(f"{PREFIX}DATABASE_URL", environment.get(f"{PREFIX}DATABASE_URL", ""))
    return Plan(
        space,
        model_repo,
        dataset,
        collect_files(root, database, {"models": [model_repo], "datasets": [dataset]}),
        environment,
        dict(secrets),
        private=private,
        hardware=hardware,
        bucket=bucket,
        warnings=tuple(_warnings(secrets, database, bucket)),
    )


def carry_out(settings: Settings, made: Plan, say: Callable[[str], None]) -> str:
    """Create or update the three repos; what is already as planned is left alone.

    Args:
        say: called with a few words about each step.

    Returns:
        The Space's commit.

    Raises:
        HubCallError: the Hub refused or cannot be reached; a repeated call continues where this one stopped.
    """
    from smartbreed.hub.client import commit_files, connect, ensure_repo, list_files, repo_state
    from smartbreed.hub.space import check_card, create_space, mount_bucket, set_environment, set_hardware

    api = connect(settings)
    readme = made.files["README.md"]
    assert isinstance(readme, bytes)
    check_card(api, readme.decode())
    ensure_repo(api, made.dataset, "dataset", private=made.private)
    say(f"dataset repo {made.dataset}")
    ensure_repo(api, made.model_repo, "model", private=made.private)
    say(f"model repo {made.model_repo}{_first_release(api, made.model_repo)}")
    create_space(api, made.space, private=made.private)
    say(f"Space {made.space}")
    if changed := set_environment(api, made.space, variables=made.variables, secrets=made.secrets):
        say(f"set {', '.join(changed)}")
    if made.bucket and mount_bucket(api, made.space, made.bucket, DATA):
        say(f"mounted the bucket {made.bucket} at {DATA}")
    if made.hardware and set_hardware(api, made.space, made.hardware):
        say(f"asked for {made.hardware}")
    before = repo_state(api, made.space, "space").sha
    there = list_files(api, made.space, "space", "main")
    ours = tuple(f"{folder}/" for folder in FOLDERS)
    gone = [path for path in there if path.startswith(ours) and path not in made.files]
    sha = _insistently(
        lambda: commit_files(
            api, made.space, "space", made.files, title="Deploy SmartBreed", delete=sorted(gone)
        )
    )
    say(f"its {len(made.files)} files are {'as they were' if sha == before else 'sent'} (commit {sha[:10]})")
    return sha


def _insistently(send: Callable[[], T]) -> T:
    """Call ``send`` up to three times; repeating a call whose answer was lost does not apply it twice."""
    for attempt in range(1, _TRIES):
        try:
            return send()
        except HubCallError as error:
            if error.kind != "retry":
                raise
            time.sleep(attempt)
    return send()


def _first_release(api: Any, repo: str) -> str:
    """Publish the embedded model if the repo has none, or add the tag that an earlier deployment missed.

    Returns:
        What was done, as the end of a sentence; empty if nothing.
    """
    from smartbreed.hub.client import commit_files, list_files, list_tags, tag
    from smartbreed.inference.bundle import CONFIG, load_bundle

    bundle = load_bundle(EMBEDDED_BUNDLE)
    version = bundle.config.version
    config, title = bundle.folder / CONFIG, f"Version {version}"
    if CONFIG not in list_files(api, repo, "model", "main"):
        files: dict[str, bytes | Path] = {name: bundle.path(name) for name in bundle.config.files}
        files[CONFIG] = config
        sha = _insistently(lambda: commit_files(api, repo, "model", files, title=title))
    else:
        tagged = f"v{version}" in list_tags(api, repo, "model")
        sha = "" if tagged else _untagged(api, repo, title, CONFIG, config.read_bytes())
        if not sha:
            return ""
    _insistently(lambda: tag(api, repo, "model", f"v{version}", sha))
    return f", with version {version} as its first release"


def _untagged(api: Any, repo: str, title: str, path: str, content: bytes) -> str:
    """Return the commit of an earlier deployment that stopped before its tag; empty if there is none."""
    from smartbreed.hub.client import list_commits, read_file

    for sha, message in list_commits(api, repo, "model"):
        if message == title and read_file(api, repo, "model", path, sha) == content:
            return sha
    return ""


def _beside(owner: str, given: str, default: str, name: str) -> str:
    return f"{owner}/{name}" if given == default else given


def _warnings(secrets: Mapping[str, str], database: str, bucket: str) -> list[str]:
    found = []
    if "HF_TOKEN" not in secrets:
        found.append(
            "No secret HF_TOKEN: the Space can read public repos, but publishes no flags. Give a token that "
            "may write to the dataset repo with --secret HF_TOKEN (its value is taken from the environment)."
        )
    if not database and not bucket:
        found.append(
            "The disk of a Space is empty after each restart: flags saved in the half minute before they are "
            "published would be lost. Use Postgres and a bucket; docs/deploy.md says how."
        )
    elif not bucket:
        found.append(
            "Postgres keeps the flags, but their photos wait on the Space's own disk until they are "
            "published; --bucket keeps those too."
        )
    elif not database:
        found.append(
            "SQLite needs locks and shared memory, which a mounted bucket may not offer: "
            f"set {PREFIX}DATABASE_URL to a Postgres as well."
        )
    if f"{PREFIX}MAINTAINER_PASSWORD" not in secrets:
        found.append(
            f"No secret {PREFIX}MAINTAINER_PASSWORD: the pages to review and to retrain stay closed."
        )
    return found
