"""``config.json`` of a model bundle: its fields, their validation, and the upgrade of older formats.

`smartbreed.inference.bundle` explains the rules in prose.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from smartbreed.core.errors import BundleError
from smartbreed.inference.picture_quality import Faults

CONFIG = "config.json"
#: The current format. Since format 2, labels may have a name and lack a species, and ``parents`` are objects.
FORMAT = 2
_OLDEST = 1
#: Patterns of texts: ids become part of file names, names part of pages and tables.
_ID = r"^\w[\w .,'()&+-]*$"
_LINE = r"^[^\x00-\x1f\x7f]*$"
_VERSION = r"^\w[\w.+-]*$"


class _Section(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Label(_Section):
    """One class of the classifier; `smartbreed.inference.bundle` says what may be left out."""

    id: str = Field(pattern=_ID, max_length=100)
    name: str = Field(default="", pattern=_LINE, max_length=200)
    species: Literal["", "cat", "dog"] = ""
    group: str = Field(default="", pattern=f"^$|{_ID}", max_length=100)


class Thresholds(_Section):
    """Smallest calibrated probabilities for the verdicts ``breed`` and ``group``."""

    breed: float = Field(ge=0, le=1)
    group: float = Field(ge=0, le=1)


class PictureFaults(_Section):
    """How much a crop's faults (`smartbreed.inference.picture_quality`) raise the temperature.

    The temperature is multiplied by ``exp(sum of weight * fault)``, but at most by ``most``.
    """

    dark: float = Field(default=0.0, ge=0)
    blurred: float = Field(default=0.0, ge=0)
    noisy: float = Field(default=0.0, ge=0)
    colourless: float = Field(default=0.0, ge=0)
    most: float = Field(default=4.0, ge=1)

    def weigh(self, faults: Faults) -> dict[str, float]:
        """Return what each fault adds to the logarithm of the temperature."""
        return {name: getattr(self, name) * value for name, value in faults._asdict().items()}


class OtherAnimal(_Section):
    """Detects crops that show neither cat nor dog: ``sigmoid(weights . embedding + bias)``.

    From ``threshold`` on, no breed is named. The weights stay valid when only the head is retrained, because
    that does not change the embeddings.
    """

    weights: tuple[float, ...] = Field(min_length=1)
    bias: float
    threshold: float = Field(gt=0, le=1)


class ClassifierConfig(_Section):
    """How to feed the classifier: pixels become ``x * scale + offset``.

    ``architecture`` and ``alpha`` (its width multiplier) say how to rebuild the Keras network.
    ``bias`` is that of the class-map layer, one value per label (empty: all 0); Grad-CAM leaves it out.
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
    faults: PictureFaults = PictureFaults()
    other: OtherAnimal | None = None

    @field_validator("labels")
    @classmethod
    def _different(cls, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        seen: set[str] = set()
        for label in labels:
            if label.id in seen:
                raise ValueError(f"two labels have the id {label.id}")
            seen.add(label.id)
        return labels


class BoxVerification(_Section):
    """How detector and classifier decide together whether a box holds a pet.

    The probability is ``sigmoid(detector * logit(s) + classifier * m + bias)`` for the detector's
    score ``s`` (at least ``candidate``) and the largest breed logit ``m``. A box that looks like a dog
    to the detector but like no breed to the classifier is rejected.
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
    confirm: BoxVerification | None = None
    overlap: float = Field(gt=0, le=1)
    most: int = Field(default=20, ge=1)


class Parent(_Section):
    """A model that this one was made from."""

    repo: str = ""
    revision: str = ""
    version: str = ""


class BundleConfig(_Section):
    """The whole ``config.json``."""

    format: int
    name: str = Field(min_length=1, pattern=_LINE, max_length=200)
    version: str = Field(pattern=_VERSION, max_length=100)
    about: str = Field(default="", pattern=_LINE, max_length=1000)
    classifier: ClassifierConfig
    detector: DetectorConfig | None = None
    parents: tuple[Parent, ...] = ()
    metrics: dict[str, Any] = {}
    self_test: dict[str, Any] = {}
    files: dict[str, str]


def parse_config(text: bytes) -> BundleConfig:
    """Parse and validate the bytes of a ``config.json``; upgrade an older format.

    Raises:
        BundleError: the configuration is not usable; the message says why.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise BundleError(f"{CONFIG} of the model bundle is not usable: the file is no JSON object.")
    found = values.get("format")
    if not isinstance(found, int) or isinstance(found, bool):
        raise BundleError(f"{CONFIG} of the model bundle is not usable: format is no whole number.")
    if found > FORMAT:
        raise BundleError(
            f"The model bundle has format {found}, which is newer than this program; it reads up to "
            f"format {FORMAT}. Update SmartBreed."
        )
    if found < _OLDEST:
        raise BundleError(
            f"The model bundle has format {found}, which is too old; this program reads formats {_OLDEST} "
            f"to {FORMAT}. Export the model anew."
        )
    if found == 1:
        values = _from_format_1(values)
    try:
        return BundleConfig.model_validate(values)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "too deep"}
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(f"{CONFIG} of the model bundle is not usable: {where}: {first['msg']}.") from None


def _from_format_1(values: dict[str, Any]) -> dict[str, Any]:
    """Upgrade format 1, where parents were free text, and labels had a species but no name."""
    parents = values.get("parents")
    if isinstance(parents, list):
        parents = [{"repo": parent} if isinstance(parent, str) else parent for parent in parents]
        values = {**values, "parents": parents}
    return {**values, "format": 2}
