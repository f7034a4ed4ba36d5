"""The content of the offline page, served at ``/offline/`` or written to a folder for any web server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from markupsafe import Markup

from smartbreed.breeds.catalogue import GROUPS
from smartbreed.core.errors import RequestError
from smartbreed.core.files import disk_errors
from smartbreed.i18n import gettext, mark
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.labels import Labels
from smartbreed.inference.results import Reason
from smartbreed.web.components import sentences, templates
from smartbreed.web.components.plain import STATIC, page_style
from smartbreed.web.pages.offline.runtime import FILES, FOLDER, is_there

SOURCES = STATIC / "offline"
_SCRIPTS = ("identify.js", "page.js")
#: The service worker's script. It caches the other files and is not cached itself.
WORKER = "worker.js"
TITLE = mark("Offline")
ABOUT = mark("Name cats and dogs in this browser: no upload, and no connection once the page has loaded.")
#: Sentences that the scripts show.
WORDS = {
    "runtime": mark("Loading the runtime …"),
    "classifier": mark("Loading the network that names breeds …"),
    "detector": mark("Loading the network that finds pets …"),
    "working": mark("Looking at the photo …"),
    "unreadable": mark("This browser cannot read that file as a picture. Try a JPEG, PNG or WebP."),
    "failed": mark("The model could not be loaded or run. Reload the page; a recent browser is needed."),
    "none": mark("No cat or dog found."),
    "one": mark("One pet found."),
    "several": mark("{n} pets found."),
    "took": mark("It took {ms} ms in this browser."),
    "possibly": mark("Possibly {breed}, but I am not certain"),
    "heat": mark("Evidence for {breed}"),
}
_REASONS: tuple[Reason, ...] = ("", "dark", "blurred", "noisy", "colourless", "other")


def words(bundle: Bundle) -> dict[str, str]:
    """Return every sentence that the scripts show for this model, in the current language."""
    known = Labels(bundle.config.classifier)
    groups = sorted({breed.group for breed in known.breeds} & set(GROUPS))
    return {
        **{key: gettext(text) for key, text in WORDS.items()},
        **{f"group_{group}": sentences.group_sentence(group) for group in groups},
        **{
            f"{species}_{reason}": sentences.unknown_sentence(species, reason)
            for species in sorted({breed.species for breed in known.breeds} | {""})
            for reason in _REASONS
        },
    }


def model_config(bundle: Bundle) -> dict[str, Any]:
    """Return what the browser needs from ``config.json``, with breed names and the files to cache."""
    config = bundle.config
    known = Labels(config.classifier)
    classifier = config.classifier.model_dump(
        include={
            "file",
            "input_size",
            "scale",
            "offset",
            "margin",
            "temperature",
            "thresholds",
            "faults",
            "other",
        }
    )
    classifier |= {
        "labels": [
            {"id": breed.id, "name": breed.name, "species": breed.species, "group": breed.group}
            for breed in known.breeds
        ],
        "bias": known.bias.tolist(),
    }  # fmt: skip
    detector = config.detector.model_dump() if config.detector else None
    for part in (classifier, detector):
        if part:
            part["version"] = version_of(bundle, f"model/{part['file']}")
    networks = [f"model/{part['file']}?v={part['version']}" for part in (classifier, detector) if part]
    return {
        "name": config.name,
        "version": config.version,
        "classifier": classifier,
        "detector": detector,
        "page_files": [*_SCRIPTS, "page.css", *networks, *(f"vendor/{name}" for name in _runtime())],
    }


def file_of(bundle: Bundle, name: str) -> Path | bytes | None:
    """Return a file of the page, given its relative address, as a path or as bytes; None if unknown."""
    folder, _, last = name.rpartition("/")
    if not folder and last in (*_SCRIPTS, WORKER):
        return SOURCES / last
    if name == "page.css":
        return page_style("info.css", "offline.css").encode()
    if folder == "vendor" and last in FILES:
        return FOLDER / last
    if name == "model/config.json":
        return json.dumps(model_config(bundle)).encode()
    if folder == "model" and last in _networks(bundle):
        return bundle.path(last)
    return None


def version_of(bundle: Bundle, name: str) -> str:
    """Return the version in the address of a network, given its relative address; empty for other files."""
    folder, _, last = name.rpartition("/")
    return bundle.config.files[last][:12] if folder == "model" and last in _networks(bundle) else ""


def build(bundle: Bundle, folder: Path) -> list[str]:
    """Write the whole page into an empty folder, to be served by a static Space or any web server.

    Returns:
        Names of the files.

    Raises:
        RequestError: the runtime was not fetched, or the folder is not empty.
        StorageError: the files cannot be written.
    """
    if not is_there():
        raise RequestError("no_runtime", "The runtime for browsers is missing; fetch it with: make offline")
    if folder.exists() and any(folder.iterdir()):
        raise RequestError("not_empty", f"{folder} is not empty; name a new folder.")
    files = [
        *_SCRIPTS,
        WORKER,
        "page.css",
        "model/config.json",
        *(f"model/{name}" for name in _networks(bundle)),
    ]
    files += [f"vendor/{name}" for name in FILES]
    with disk_errors("The page cannot be written"):
        for name in files:
            target, content = folder / name, file_of(bundle, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, target)
            else:
                target.write_bytes(content or b"")
        (folder / "index.html").write_text(alone(bundle), "utf-8")
        of_pets = Labels(bundle.config.classifier).of_pets
        about = "the breeds of cats and dogs" if of_pets else "what a picture shows"
        (folder / "README.md").write_text(_CARD.format(title=bundle.config.name, about=about), "utf-8")
    return ["index.html", "README.md", *files]


def alone(bundle: Bundle) -> str:
    """Render the page on its own, without the site's header and footer."""
    return templates.render("offline/alone.html", **values(bundle))


def values(bundle: Bundle) -> dict[str, Any]:
    """Return the values that both variants of the page show."""
    config = bundle.config
    size = sum((bundle.path(name)).stat().st_size for name in _networks(bundle))
    size += sum((FOLDER / name).stat().st_size for name in _runtime())
    return {
        "title": gettext(TITLE), "about": gettext(ABOUT), "name": config.name, "version": config.version,
        "labels": len(config.classifier.labels), "megabytes": round(size / 1e6),
        "words": Markup(json.dumps(words(bundle)).replace("<", "\\u003c")),
    }  # fmt: skip


def _networks(bundle: Bundle) -> list[str]:
    config = bundle.config
    return [config.classifier.file, *([config.detector.file] if config.detector else [])]


def _runtime() -> list[str]:
    """Return the files of the runtime that a recent browser loads."""
    return [name for name in FILES if "compat" not in name]


_CARD = """---
title: {title} offline
emoji: 🐾
colorFrom: yellow
colorTo: red
sdk: static
pinned: false
---

Names {about} in the browser: no photo is uploaded.
"""
