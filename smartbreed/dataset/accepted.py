"""Accepted photos that wait for the next version, read from the decisions in the app's own database.

The trainer reads the *dataset*, which lags minutes behind the database. A retraining that the app
starts publishes first, so that both then agree.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from smartbreed.core.database import Sessions, read
from smartbreed.core.errors import BundleError
from smartbreed.dataset.needs import Model, Pet
from smartbreed.feedback.tables import Flag
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.stored_embeddings import REPLAY, read_embeddings
from smartbreed.review.decisions import ACCEPTING, flags_by_id, latest_decisions
from smartbreed.review.tables import Decision

#: File of a bundle that lists the samples it has learnt from or was evaluated on.
LEARNT = "learnt.json"


def accepted_pets(sessions: Sessions) -> list[Pet]:
    """Return all accepted pets, each pet of a photo once.

    If a pet has several flags, the one decided last gives the label.

    Raises:
        StorageError: the database refused.
    """
    with read(sessions) as session:
        accepting = [
            decision for decision in latest_decisions(session).values() if decision.decision in ACCEPTING
        ]
        flags = flags_by_id(session, [decision.flag_id for decision in accepting])
        found: dict[str, Pet] = {}
        for decision in sorted(accepting, key=lambda row: (row.decided_at, row.decision_id)):
            flag = flags.get(decision.flag_id)
            label = "" if flag is None or flag.state == "withdrawn" else _label(decision, flag)
            if flag is None or not label:
                continue
            box = decision.box or flag.box
            # Without a box, a missed pet cannot be cropped: other pets are in the photo too.
            if box is not None or flag.verdict != "missed":
                key = sample_key(flag.sample_id, box)
                found[key] = Pet(key, label, decision.name or "", flag.flagger)
    return list(found.values())


def waiting_for(accepted: Sequence[Pet], learnt: Mapping[str, str]) -> list[Pet]:
    """Return the accepted pets that a version has not learnt, or has learnt with another label.

    Args:
        accepted: from `accepted_pets`.
        learnt: from `parse_learnt`.
    """
    return [pet for pet in accepted if learnt.get(pet.key) != pet.label]


def parse_learnt(text: bytes | None, which: Sequence[str] = ("samples", "held_out")) -> dict[str, str]:
    """Return breed id by `sample_key` from the `LEARNT` file of a version; empty if it cannot be parsed.

    Args:
        text: content of the file; None if there is none.
        which: ``samples`` that it has learnt from, those ``held_out`` to evaluate it, or both.
    """
    try:
        values = json.loads(text or b"{}")
        parts = [values[part] for part in which if isinstance(values.get(part), dict)]
    except (ValueError, AttributeError, RecursionError):
        return {}
    return {str(key): str(label) for part in parts for key, label in part.items()}


def read_model(bundle: Bundle) -> Model:
    """Read from a bundle what determines how many photos its retraining needs."""
    known = frozenset(label.id for label in bundle.config.classifier.labels)
    text = bundle.path(LEARNT).read_bytes() if LEARNT in bundle.config.files else None
    return Model(
        known, _base_breeds(bundle, known), parse_learnt(text), frozenset(parse_learnt(text, ["samples"]))
    )


def _base_breeds(bundle: Bundle, otherwise: frozenset[str]) -> frozenset[str]:
    """Return the breeds with base-dataset pictures in ``replay.npz``; `otherwise` if it cannot be read."""
    if REPLAY not in bundle.config.files:
        return otherwise
    try:
        stored = read_embeddings(bundle.path(REPLAY))
    except BundleError:  # only a count depends on it; the retraining itself reports the damage
        return otherwise
    return frozenset(stored.names[label] for label in np.unique(stored.labels[stored.origins == ""]))


def sample_key(sample_id: str, box: Sequence[float] | None) -> str:
    """Return the key of one pet in one photo, 16 hex digits, as `training.data.accepted_samples` makes it."""
    # Rounded to float32, as the dataset stores corners.
    corners = ",".join(f"{struct.unpack('f', struct.pack('f', value))[0]:.1f}" for value in box or ())
    return hashlib.sha256(f"{sample_id} {corners}".encode()).hexdigest()[:16]


def _label(decision: Decision, flag: Flag) -> str:
    if decision.decision == "accept":
        said = flag.predicted if flag.verdict == "correct" else flag.label
        return decision.label or said or ""
    return decision.label or ""
