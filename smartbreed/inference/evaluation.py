"""``evaluation.json`` of a bundle: how well its classifier recognises each label, on unseen pictures.

The file is optional. `training.evaluate` and the stage `card` of a recipe write it. A head-mode retraining
keeps its parent's file, so `Evaluation.version` says which version was measured. Older bundles without the
file hold most of the figures in ``metrics`` of ``config.json``, from where `evaluation_of` reads them.
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
    # Ignore fields that a later version adds.
    model_config = ConfigDict(extra="ignore", frozen=True)


class LabelEvaluation(_Part):
    """How well the classifier recognises one label.

    Attributes:
        pictures: test pictures that show it.
        precision: of the pictures whose first guess is this label, the share that show it.
        recall: of the pictures that show it, the share whose first guess is this label.
        f1: harmonic mean of precision and recall.
        abstained: of the pictures that show it, the share for which no breed was likely enough to be named;
            None if not measured.
        confidence: mean probability of the first guess on these pictures; None if not measured.
    """

    pictures: Count
    precision: Share
    recall: Share
    f1: Share
    abstained: Share | None = None
    confidence: Share | None = None


class ReliabilityBin(_Part):
    """A bin of a reliability diagram: answers of similar confidence, with mean confidence and share right."""

    least: Share
    most: Share
    pictures: Count
    confidence: Share
    right: Share


class Evaluation(_Part):
    """The content of ``evaluation.json``.

    Attributes:
        version: of the bundle that was measured.
        date: day of the measurement; None if unknown.
        data: the data that it was measured on.
        labels: by id; labels without a test picture are left out.
        confusion: true label → first guess → number of pictures, right ones included; empty if not measured.
        reliability: bins of equal width, without empty ones.
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
        """Return the labels that pictures of ``label`` were mistaken for, with counts, most first."""
        found = {said: count for said, count in self.confusion.get(label, {}).items() if said != label}
        return _most_first(found)

    def taken_as(self, label: str) -> list[tuple[str, int]]:
        """Return the labels whose pictures were mistaken for ``label``, with counts, most first."""
        found = {true: said.get(label, 0) for true, said in self.confusion.items() if true != label}
        return _most_first(found)


def evaluation_of(bundle: Bundle) -> Evaluation | None:
    """Return the evaluation of a bundle, or of its nearest ancestor that was evaluated.

    A file that cannot be read must not keep the model from being served: it is logged and counts as missing.

    Returns:
        None if nothing was measured. ``version`` says which version the figures are of.
    """
    try:
        if FILE in bundle.config.files:
            return Evaluation.model_validate_json(bundle.path(FILE).read_bytes())
        return _from_metrics(bundle.config.version, bundle.config.metrics)
    except (OSError, ValidationError) as error:
        log.warning("%s of version %s cannot be used: %s", FILE, bundle.config.version, type(error).__name__)
        return None


def _from_metrics(version: str, metrics: Mapping[str, Any]) -> Evaluation | None:
    """Read ``metrics`` of a ``config.json``; a retrained version keeps its ancestor's under ``ancestor``."""
    ancestor = metrics.get("ancestor")
    for found in ({"version": version, **metrics}, ancestor if isinstance(ancestor, dict) else {}):
        if labels := found.get("per_label"):
            return Evaluation.model_validate({"version": found.get("version"), "labels": labels})
    return None


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    some = [(label, count) for label, count in counts.items() if count]
    return sorted(some, key=lambda one: (-one[1], one[0]))
