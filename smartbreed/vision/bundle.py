"""A model bundle: the files of a model repo, checked before anything of them is used.

``config.json`` names every other file with its sha256; a bundle with a missing,
changed or unlisted-but-needed file is refused. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smartbreed.errors import BundleError
from smartbreed.vision.results import ModelVersion

CONFIG = "config.json"
FORMAT = 1


class _Section(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Label(_Section):
    """One class of the classifier."""

    id: str = Field(min_length=1)
    species: str = Field(min_length=1)
    group: str = ""


class Thresholds(_Section):
    """Smallest calibrated probabilities for the verdicts ``breed`` and ``group``."""

    breed: float = Field(ge=0, le=1)
    group: float = Field(ge=0, le=1)


class ClassifierConfig(_Section):
    """How to feed the classifier: pixels become ``x * scale + offset``.

    ``architecture`` and ``alpha`` (its width multiplier) say how to rebuild the Keras network.
    ``bias`` is that of the class-map layer, one a label (none: all 0); Grad-CAM does not count it.
    """

    file: str = "classifier.tflite"
    weights: str = ""
    architecture: str = "mobilenet_v2"
    alpha: float = Field(default=1.0, gt=0, le=2)
    input_size: int = Field(ge=32, le=1024)
    scale: float = 1 / 127.5
    offset: float = -1.0
    margin: float = Field(default=0.05, ge=0, le=1)
    temperature: float = Field(default=1.0, gt=0)
    labels: tuple[Label, ...] = Field(min_length=1)
    bias: tuple[float, ...] = ()
    thresholds: Thresholds


class Confirmation(_Section):
    """How detector and classifier decide together whether a box holds a pet.

    Its probability is ``sigmoid(detector * logit(s) + classifier * m + bias)`` for the detector's
    score ``s`` (at least ``candidate``) and the largest breed logit ``m``: what looks like a dog to
    the detector but like no breed at all to the classifier is no dog.
    """

    candidate: float = Field(gt=0, lt=1)
    detector: float = Field(gt=0)
    classifier: float = Field(ge=0)
    bias: float


class DetectorConfig(_Section):
    """How to feed the detector and read its boxes."""

    file: str = "detector.tflite"
    weights: str = ""
    architecture: str = "ssd_mobilenet_v1"
    input_size: int = Field(ge=32, le=2048)
    scale: float = 1 / 127.5
    offset: float = -1.0
    species: tuple[str, ...] = ("cat", "dog")
    score: float = Field(gt=0, lt=1)
    confirm: Confirmation | None = None
    overlap: float = Field(gt=0, le=1)
    most: int = Field(default=20, ge=1)


class BundleConfig(_Section):
    """``config.json``."""

    format: int
    name: str
    version: str
    classifier: ClassifierConfig
    detector: DetectorConfig | None = None
    parents: tuple[str, ...] = ()
    metrics: dict[str, Any] = {}
    self_test: dict[str, Any] = {}
    files: dict[str, str]


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk."""

    folder: Path
    config: BundleConfig
    version: ModelVersion

    def path(self, name: str) -> Path:
        """Path of a file that ``config.json`` lists.

        Raises:
            BundleError: it lists no such file.
        """
        if name not in self.config.files:
            raise BundleError(f"The model bundle lists no file {name}.")
        return self.folder / name


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_bundle(folder: str | Path, *, repo: str = "", revision: str = "") -> Bundle:
    """Read and verify a bundle.

    Args:
        folder: where the files are.
        repo: the Hub repo it came from; empty: the folder's own name.
        revision: full commit sha; empty: the sha256 of ``config.json``, which pins every file.

    Raises:
        BundleError: something is missing, malformed or changed; the message names it.
    """
    folder = Path(folder)
    try:
        text = (folder / CONFIG).read_bytes()
    except OSError:
        raise BundleError(f"There is no model bundle at {folder}: {CONFIG} cannot be read.") from None
    try:
        config = BundleConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(f"{CONFIG} of the model bundle is not usable: {where}: {first['msg']}.") from None
    if config.format != FORMAT:
        raise BundleError(f"The model bundle has format {config.format}; this version reads format {FORMAT}.")
    needed = {config.classifier.file} | ({config.detector.file} if config.detector else set())
    for name in sorted(needed - set(config.files)):
        raise BundleError(f"The model bundle uses {name} but {CONFIG} lists no sha256 for it.")
    for name, expected in config.files.items():
        path = folder / name
        # By name, not by where a link leads: the Hub client's cache links into its own blob folder.
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BundleError(f"The model bundle lists a file outside its folder: {name}.")
        if not path.is_file():
            raise BundleError(f"The model bundle is incomplete: {name} is missing.")
        if sha256_of(path) != expected:
            raise BundleError(f"The model bundle was changed: {name} does not match its sha256.")
    identity = revision or hashlib.sha256(text).hexdigest()
    return Bundle(folder, config, ModelVersion(repo or folder.resolve().name, identity, config.version))


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write ``config.json`` with the sha256 of every other file of ``folder``."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name not in (CONFIG, ".gitkeep"))
    config = {**config, "files": {name: sha256_of(folder / name) for name in names}}
    (folder / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n")
