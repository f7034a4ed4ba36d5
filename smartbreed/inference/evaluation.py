"""``evaluation.json`` of a bundle: how well its classifier names each label, measured on unseen pictures.

Optional. `training.evaluate` and the stage `card` of a recipe write it. A head-mode retraining keeps its
parent's file, so `Evaluation.version` says which version was measured. Bundles from before there was such a
file have most of it among the ``metrics`` of their ``config.json``, from where `evaluation_of` takes it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smartbreed.inference.bundle import Bundle

log = logging.getLogger(__name__)

FILE = "evaluation.json"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
#: A line without control characters.
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=200)]


class _Part(BaseModel):
    # What a later version adds is left to it.
    model_config = ConfigDict(extra="ignore", frozen=True)


class LabelEvaluation(_Part):
    """How well one label is named.

    Attributes:
        pictures: test pictures that show it.
        precision: of the pictures whose first guess it was, the share that show it.
        recall: of the pictures that show it, the share whose first guess it was.
        f1: their harmonic mean.
        abstained: of the pictures that show it, the share for which no breed was likely enough to be said;
            None: not measured.
        confidence: mean probability of the first guess on them; None: not measured.
    """

    pictures: Count
    precision: Share
    recall: Share
    f1: Share
    abstained: Share | None = None
    confidence: Share | None = None


class ReliabilityBin(_Part):
    """Answers of similar confidence: how sure they were on average, and how many were right."""

    least: Share
    most: Share
    pictures: Count
    confidence: Share
    right: Share


class Evaluation(_Part):
    """The file.

    Attributes:
        version: of the bundle that was measured.
        date: when; None: not known.
        data: what it was measured on.
        labels: by id; a label that no picture shows is left out.
        confusion: true label → first guess → number of pictures, right ones included; empty: not measured.
        reliability: bins of equal width, those without pictures left out.
    """

    version: Line
    date: dt.date | None = None
    data: Line = ""
    labels: dict[str, LabelEvaluation]
    confusion: dict[str, dict[str, Count]] = {}
    reliability: tuple[ReliabilityBin, ...] = ()

    @property
    def pictures(self) -> int:
        return sum(label.pictures for label in self.labels.values())

    def taken_for(self, label: str) -> list[tuple[str, int]]:
        """What pictures of a label were wrongly taken for, and how many, most first."""
        found = {said: count for said, count in self.confusion.get(label, {}).items() if said != label}
        return _most_first(found)

    def taken_as(self, label: str) -> list[tuple[str, int]]:
        """Pictures of which other labels were wrongly taken for this one, most first."""
        found = {true: said.get(label, 0) for true, said in self.confusion.items() if true != label}
        return _most_first(found)


def evaluation_of(bundle: Bundle) -> Evaluation | None:
    """What was measured of a bundle, or of the nearest ancestor that was measured.

    A file that cannot be read is no reason not to serve the model: it counts as none.

    Returns:
        None where nothing was. ``version`` tells whose figures they are.
    """
    try:
        if FILE in bundle.config.files:
            return Evaluation.model_validate_json(bundle.path(FILE).read_bytes())
        return _from_metrics(bundle.config.version, bundle.config.metrics)
    except (OSError, ValidationError) as error:
        log.warning("%s of version %s cannot be used: %s", FILE, bundle.config.version, type(error).__name__)
        return None


def _from_metrics(version: str, metrics: Mapping[str, Any]) -> Evaluation | None:
    """From ``metrics`` of a ``config.json``; a retrained version has its ancestor's under ``ancestor``."""
    ancestor = metrics.get("ancestor")
    for found in ({"version": version, **metrics}, ancestor if isinstance(ancestor, dict) else {}):
        if labels := found.get("per_label"):
            return Evaluation.model_validate({"version": found.get("version"), "labels": labels})
    return None


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    some = [(label, count) for label, count in counts.items() if count]
    return sorted(some, key=lambda one: (-one[1], one[0]))
