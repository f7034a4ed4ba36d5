"""Which model bundle the settings ask for: a folder, a repo of a Hub, or the embedded one."""

from __future__ import annotations

from pathlib import Path

from smartbreed.config import EMBEDDED_BUNDLE, Settings
from smartbreed.errors import BundleError
from smartbreed.vision.bundle import Bundle, load_bundle


def open_bundle(settings: Settings) -> Bundle:
    """Find, if need be download, and verify it.

    Raises:
        BundleError: it is not there, cannot be reached or does not verify.
    """
    if not settings.model:
        return load_bundle(EMBEDDED_BUNDLE, repo="embedded")
    folder = Path(settings.model).expanduser()
    if folder.is_dir():
        return load_bundle(folder)
    # The Hub's client takes longer to import than a photo to identify.
    from smartbreed.hub.client import fetch_bundle, parse_repo

    named = parse_repo(settings.model)
    if named is None or settings.model.startswith((".", "/", "~")):
        raise BundleError(f"There is no model bundle at {settings.model}: it is no folder and no repo id.")
    fetched = fetch_bundle(*named, settings.home_dir / "hub-cache")
    return load_bundle(fetched.folder, repo=fetched.repo, revision=fetched.revision)
