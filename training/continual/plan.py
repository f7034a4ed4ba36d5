"""The plan of a retraining: old and new labels, and which samples are trained on or held out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.breeds.catalogue import breed_of_label
from smartbreed.dataset.needs import HELD_OUT, LEAST_PICTURES, too_few
from smartbreed.inference.bundle import Bundle
from training.continual.fit_head import LabelledViews
from training.continual.flagged import split
from training.data.accepted_samples import Sample
from training.reporting.wording import PETS, THINGS, Wording, words_of

LEARNT = "learnt.json"
#: How a line about a label that the parent lacks begins, by wording.
_NEW = {PETS: "new breed, ", THINGS: "new label, "}


@dataclass(frozen=True)
class Record:
    """``learnt.json``: the samples that a version has learnt from.

    Attributes:
        samples: label of each accepted sample it has learnt from, by key.
        held_out: label of each sample it was only evaluated on, by key.
    """

    samples: dict[str, str] = field(default_factory=dict)
    held_out: dict[str, str] = field(default_factory=dict)

    def knows(self, sample: Sample) -> bool:
        """True when the version has already used the sample with this label."""
        return sample.label in (self.samples.get(sample.key), self.held_out.get(sample.key))


def read_record(bundle: Bundle) -> Record:
    """Read a version's record; empty for a version that was not retrained."""
    if LEARNT not in bundle.config.files:
        return Record()
    values = json.loads(bundle.path(LEARNT).read_text())
    return Record(dict(values.get("samples", {})), dict(values.get("held_out", {})))


def write_record(folder: Path, record: Record, dataset: str, revision: str) -> None:
    """Write ``learnt.json`` with the dataset repo and the revision it was read at."""
    values = {
        "dataset": dataset, "revision": revision, "samples": record.samples, "held_out": record.held_out,
    }  # fmt: skip
    (folder / LEARNT).write_text(json.dumps(values, indent=0, sort_keys=True))


@dataclass(frozen=True)
class Plan:
    """What is learnt, and from which samples.

    Attributes:
        labels: labels of the next version, as in ``config.json``; the parent's come first.
        known: how many of them the parent has.
        samples: samples that can be learnt from, in order.
        fresh: mask of the samples that the parent has not used.
        held_out: mask of the samples never trained on.
        remarks: sentences about what is not learnt.
        accepted: all samples that the plan was made from, also those of breeds that have too few.
    """

    labels: list[dict[str, Any]]
    known: int
    samples: list[Sample]
    fresh: np.ndarray
    held_out: np.ndarray
    remarks: list[str]
    accepted: list[Sample]

    @property
    def names(self) -> list[str]:
        return [label["id"] for label in self.labels]

    @property
    def called(self) -> dict[str, str]:
        """Display name of each label, by its id."""
        return {label["id"]: name_of(label) for label in self.labels}

    @property
    def words(self) -> Wording:
        """The wording for these labels."""
        return words_of(self.labels)

    @property
    def new_breeds(self) -> list[dict[str, Any]]:
        return self.labels[self.known :]

    def labelled_views(self, views: np.ndarray, mask: np.ndarray) -> LabelledViews:
        """Return the views of the samples in ``mask``, with their labels."""
        place = {name: number for number, name in enumerate(self.names)}
        index = np.array([place[sample.label] for sample in self.samples], np.int64)
        return LabelledViews(views[mask], index[mask])

    def keys(self, mask: np.ndarray) -> list[str]:
        return [sample.key for sample, taken in zip(self.samples, mask, strict=True) if taken]

    def record(self) -> Record:
        """Return the record of the next version."""
        parts: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for sample, out in zip(self.samples, self.held_out, strict=True):
            parts[int(out)][sample.key] = sample.label
        return Record(*parts)

    def sentences(self) -> list[str]:
        """Return a line per breed with new samples: its name, whether it is new, and how many pictures."""
        counts = Counter(sample.label for sample, new in zip(self.samples, self.fresh, strict=True) if new)
        added = {label["id"] for label in self.new_breeds}
        lines = []
        for label in self.labels:
            if count := counts[label["id"]]:
                pictures = f"{count} picture" if count == 1 else f"{count} pictures"
                new = _NEW[self.words] if label["id"] in added else ""
                lines.append(f"{name_of(label)}: {new}{pictures}")
        return lines

    def title(self) -> str:
        """Return what is learnt in one line, naming at most four breeds."""
        learnt = self.learnt_names()
        shown, more = ", ".join(learnt[:4]), len(learnt) - 4
        if more <= 0:
            return f"Learning {shown}"
        if self.words is PETS:
            return f"Learning {shown} and {more} more breeds"
        return f"Learning {shown} and {more} more labels"

    def learnt(self) -> list[str]:
        """Return the ids of the breeds with new samples, new breeds first."""
        fresh = {sample.label for sample, new in zip(self.samples, self.fresh, strict=True) if new}
        ordered = [*self.names[self.known :], *self.names[: self.known]]
        return [name for name in ordered if name in fresh]

    def learnt_names(self) -> list[str]:
        """Return the display names of the breeds of `learnt`."""
        return [self.called[name] for name in self.learnt()]


def make_plan(
    labels: list[dict[str, Any]],
    base: int,
    samples: list[Sample],
    record: Record,
    share: float = HELD_OUT["head"],
) -> Plan:
    """Decide what is learnt.

    A breed that the parent lacks needs at least `LEAST_PICTURES` samples. A label that is added to a model of
    other things than pets gets no species and no group, whatever the reviewer said.

    Args:
        labels: the parent's labels, as in ``config.json``.
        base: how many of them have pictures in the base dataset.
        samples: accepted samples that can be read.
        record: the parent's record.
        share: share of the samples to hold out, 0…1.
    """
    known = {label["id"] for label in labels}
    of_pets = words_of(labels) is PETS
    counts = Counter(sample.label for sample in samples if sample.label not in known)
    short = too_few((sample.label for sample in samples), known)
    remarks, added = [], []
    for name, count in sorted(counts.items()):
        described = [sample for sample in samples if sample.label == name]
        label = {
            "id": name,
            "name": next((sample.name for sample in described if sample.name), ""),
            "species": Counter(s.species for s in described).most_common(1)[0][0] if of_pets else "",
            "group": next((sample.group for sample in described if sample.group), "") if of_pets else "",
        }
        if name in short:
            few = f"{count} accepted pictures of the {LEAST_PICTURES} it needs"
            remarks.append(f"{name_of(label)} is not learnt yet: {few}.")
        else:
            added.append(label)
    whole = [*labels, *added]
    names = [label["id"] for label in whole]
    kept = [sample for sample in samples if sample.label in names]
    index = np.array([names.index(sample.label) for sample in kept], np.int64)
    fresh = np.array([not record.knows(sample) for sample in kept], bool)
    out = split([sample.key for sample in kept], index, base, set(record.samples), share)
    return Plan(whole, len(labels), kept, fresh, out, remarks, samples)


def name_of(label: Mapping[str, Any]) -> str:
    """Return the display name of a label."""
    return breed_of_label(
        label["id"], label.get("name", ""), label.get("species", ""), label.get("group", "")
    ).name
