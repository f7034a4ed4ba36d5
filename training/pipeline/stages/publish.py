"""Push the finished bundle to a model repo: one commit with its files at the root, then a tag."""

from __future__ import annotations

from typing import Any

from smartbreed.core.settings import load_settings
from smartbreed.hub.client import commit_files, connect, ensure_repo, list_files, list_tags, tag
from smartbreed.inference.bundle import load_bundle
from training.common.errors import StageError
from training.pipeline.stage import Context


def run(context: Context) -> dict[str, Any]:
    """Upload ``bundle/``; do nothing if ``publish.repo`` is empty.

    Raises:
        StageError: the repo has this version already.
        HubCallError: the Hub refused or cannot be reached.
    """
    repo, folder = context.recipe.publish.repo, context.run / "bundle"
    if not repo:
        context.run.say("publish.repo is empty: nothing is published")
        return {}
    version = load_bundle(folder).config.version
    api = connect(load_settings())
    ensure_repo(api, repo, "model")
    if f"v{version}" in list_tags(api, repo, "model"):
        raise StageError(
            f"{repo} already has a v{version}; raise export.version. Received: export.version={version}"
        )
    files = {path.name: path for path in sorted(folder.iterdir())}
    there = list_files(api, repo, "model", "main")
    old = [path for path in there if path not in files and path != ".gitattributes"]
    revision = commit_files(api, repo, "model", files, title=f"{context.recipe.name} {version}", delete=old)
    tag(api, repo, "model", f"v{version}", revision)
    context.run.say(f"published {repo} v{version} ({revision[:12]})", repo=repo, revision=revision)
    return {"repo": repo, "version": version, "revision": revision}
