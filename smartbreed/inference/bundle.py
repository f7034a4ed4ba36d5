"""A model bundle: the files of a model repo, verified before any of them is used.

``config.json`` lists every other file with its sha256. A bundle is refused if a listed file is
missing or changed, or if a needed file is not listed. Nothing in it is ever unpickled.

Rules for writing a bundle (`write_config` computes the sums):

* ``format`` is `FORMAT`. Format 1 is read as well; a newer one is refused.
* ``name`` and ``version`` (``1.2.0``) are required. With ``about`` the bundle introduces itself: the
  page's title is ``name``, and the line under it ``about``. Without it, the title is SmartBreed.
* A label needs an ``id`` (unique, never changed later). ``name`` is the display name; if it is empty,
  the catalogue's name is shown, or the id made readable. ``species`` (``cat``, ``dog``, or empty if it is
  no pet) and ``group`` (one of `smartbreed.breeds.catalogue.GROUPS`, any other group, or empty) are
  optional.
* ``detector`` is optional: without it (or ``null``) the whole picture is classified.
* ``parents`` lists the models that it was made from, each as ``{"repo", "revision", "version"}``.
* Files: ``.tflite`` networks, ``.weights.h5`` weights, ``.npz`` arrays of plain numbers and texts,
  and documents. Programs, pickles and whole Keras models (``.keras``, other ``.h5``), which may
  hold code, are refused: see `smartbreed.inference.contents`.
* ``evaluation.json`` (optional) says how well each label is recognised: `smartbreed.inference.evaluation`.
* ``self_test.logits`` are the logits that the served classifier computes for the picture of
  `smartbreed.inference.pipeline.self_test_picture`; ``self_test.weights.embedding`` (optional) is the
  embedding, before the head, that the Keras weights compute for it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from smartbreed.core.errors import BundleError
from smartbreed.core.files import disk_errors, replace_durably
from smartbreed.inference.bundle_config import (
    CONFIG,
    FORMAT,
    BoxVerification,
    BundleConfig,
    ClassifierConfig,
    DetectorConfig,
    Label,
    OtherAnimal,
    Parent,
    PictureFaults,
    Thresholds,
    parse_config,
)
from smartbreed.inference.contents import check_contents
from smartbreed.inference.results import ModelVersion

__all__ = [
    "CONFIG",
    "FORMAT",
    "BoxVerification",
    "Bundle",
    "BundleConfig",
    "ClassifierConfig",
    "DetectorConfig",
    "Label",
    "OtherAnimal",
    "Parent",
    "PictureFaults",
    "Thresholds",
    "load_bundle",
    "parse_config",
    "read_config",
    "sha256_of",
    "write_config",
]

#: Maximum size of ``config.json``, in bytes; with 133 breeds it has 26 000.
_LONGEST_CONFIG = 20_000_000


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk."""

    folder: Path
    config: BundleConfig
    version: ModelVersion

    def path(self, name: str) -> Path:
        """Return the path of a file that ``config.json`` lists.

        Raises:
            BundleError: ``config.json`` lists no such file.
        """
        if name not in self.config.files:
            raise BundleError(f"The model bundle lists no file {name}.")
        return self.folder / name


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_bundle(folder: str | Path, *, repo: str = "", revision: str = "") -> Bundle:
    """Read and verify a bundle.

    Args:
        folder: where the files are.
        repo: the Hub repo it came from; empty: the folder's own name.
        revision: full commit sha; empty: the sha256 of ``config.json``, which pins every file.

    Raises:
        BundleError: a file is missing, malformed or changed; the message names it.
        StorageError: the disk does not give out a file, which is no fault of the bundle.
    """
    folder = Path(folder)
    text, config = read_config(folder)
    needed = {config.classifier.file} | ({config.detector.file} if config.detector else set())
    for name in sorted(needed - set(config.files)):
        raise BundleError(f"The model bundle uses {name} but {CONFIG} lists no sha256 for it.")
    for name, expected in config.files.items():
        # Check the name, not the target of a link: the Hub client's cache links into its own blob folder.
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BundleError(f"The model bundle lists a file outside its folder: {name}.")
        with disk_errors("The model bundle could not be read"):
            _check_file(folder / name, name, expected)
    for name in sorted(needed):
        if not name.endswith(".tflite"):
            raise BundleError(f"The model bundle names {name} as a network; only .tflite files are run.")
    identity = revision or hashlib.sha256(text).hexdigest()
    return Bundle(folder, config, ModelVersion(repo or folder.resolve().name, identity, config.version))


def _check_file(path: Path, name: str, expected: str) -> None:
    try:
        found = path.is_file()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        found = False  # no file can have this name
    if not found:
        raise BundleError(f"The model bundle is incomplete: {name:.100} is missing.")
    if sha256_of(path) != expected:
        raise BundleError(f"The model bundle was changed: {name} does not match its sha256.")
    check_contents(path, name)


def read_config(folder: Path) -> tuple[bytes, BundleConfig]:
    """Return the bytes of ``config.json`` and what they hold, upgraded from an older format.

    No other file is read.

    Raises:
        BundleError: the file is missing, malformed, too old or too new; the message says which.
    """
    try:
        with (folder / CONFIG).open("rb") as file:
            text = file.read(_LONGEST_CONFIG)
    except OSError:
        raise BundleError(f"There is no model bundle at {folder}: {CONFIG} cannot be read.") from None
    return text, parse_config(text)


def write_config(folder: Path, config: dict[str, Any], *, without: Collection[str] = ()) -> None:
    """Write ``config.json`` atomically, with the sha256 of every other file of ``folder``.

    Args:
        folder: the bundle.
        config: everything but ``files``.
        without: names to leave out because they are about to be replaced: a file that is not listed may
            change, and the bundle still loads.

    Raises:
        OSError: a write failed; ``config.json`` is unchanged.
    """
    ours = (CONFIG, ".gitkeep", *without)
    names = sorted(
        p.name for p in folder.iterdir() if p.is_file() and p.name not in ours and p.suffix != ".tmp"
    )
    config = {**config, "files": {name: sha256_of(folder / name) for name in names}}
    # Not `write_tmp`, whose files are private: every user may read a bundle.
    half = folder / f"{CONFIG}.tmp"
    try:
        with half.open("w", encoding="utf-8") as file:
            file.write(json.dumps(config, indent=1, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    replace_durably(half, folder / CONFIG)
