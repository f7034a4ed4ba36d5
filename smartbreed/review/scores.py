"""The served model's signals for a flagged pet, as numbers between 0 and 1.

Uncertainty is the mean of two numbers: 1 minus the margin between the two likeliest breeds, and the
normalised entropy of the calibrated probabilities. Label quality follows confident learning (Northcutt
et al. 2021, https://arxiv.org/abs/1911.00068): 1 minus how far the label lies below the likeliest
breed, where this gap shrinks with the share of the nearest known examples that have the label. The
outlier score is the distance from the nearest example. The examples never include the sample itself,
so that no sample vouches for its own label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from smartbreed.core.errors import BundleError
from smartbreed.imaging.photo import Box, Photo
from smartbreed.inference.boxes import with_margin
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Pet
from smartbreed.inference.stored_embeddings import REPLAY, read_embeddings

#: Number of breeds kept for each pet.
TOP = 5
#: Number of nearest known examples that support or contradict a label.
NEAREST = 10
#: Cosine similarity from which an example is taken for the same picture. Measured on the public photographs:
#: other pets stay below .87, the same one recompressed or cropped slightly differently above .86.
SAME = 0.95
#: Similarity to the nearest example at which the outlier score is 0 (ordinary photos have a median of .76),
#: and at which it is 1 (noise has .31).
_KNOWN, _STRANGE = 0.75, 0.35


@dataclass(frozen=True, eq=False)
class Memory:
    """Known examples of the served model.

    Attributes:
        vectors: float32 ``(n, d)`` of unit length.
        labels: breed id of each.
    """

    vectors: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)

    def with_samples(self, vectors: Sequence[np.ndarray], labels: Sequence[str]) -> Memory:
        """Return these examples and the given ones."""
        if not labels:
            return self
        return Memory(
            np.concatenate([self.vectors, np.stack(vectors).astype(np.float32)])
            if len(self.vectors)
            else np.stack(vectors).astype(np.float32),
            np.concatenate([self.labels, np.array(labels, dtype=object)]),
        )


@dataclass(frozen=True)
class SampleScores:
    """Signals of one pet, as the module docstring defines them."""

    embedding: np.ndarray = field(repr=False)
    phash: str
    top: tuple[tuple[str, float], ...]
    uncertainty: float
    label_quality: float
    outlier_score: float
    given: float | None
    support: float | None


def load_memory(bundle: Bundle) -> Memory:
    """Load the replay memory of a bundle; empty if it has none that can be read."""
    nothing = Memory(np.zeros((0, 0), np.float32), np.array([], dtype=object))
    if REPLAY not in bundle.config.files:
        return nothing
    try:
        stored = read_embeddings(bundle.path(REPLAY))
    except BundleError:
        return nothing
    return Memory(_unit(stored.embeddings), np.array(stored.names)[stored.labels].astype(object))


def pet_at(identifier: Identifier, photo: Photo, box: Box | None, top: int = TOP) -> Pet:
    """Return the model's answer about the pet in a given box.

    Args:
        identifier: the served model.
        photo: the upright photo.
        box: in pixels of the photo; None: the whole photo.
        top: breeds to list.
    """
    picture = photo.to_pil()
    area = box or (0.0, 0.0, float(photo.width), float(photo.height))
    margin = identifier.classifier.config.margin if box else 0.0
    crop = with_margin(np.array(area), margin, photo.width, photo.height)
    outputs = identifier.classifier.classify(picture, crop)
    decided = identifier.decision_rule.decide(
        identifier.classifier.probabilities(outputs.logits, outputs.faults), top
    )
    species, verdict, breeds, group = decided
    return Pet(
        area, crop, 1.0, species, verdict, breeds, group,
        outputs.logits, outputs.class_maps, outputs.embedding, faults=outputs.faults,
    )  # fmt: skip


def measure(
    identifier: Identifier, memory: Memory, photo: Photo, box: Box | None, label: str | None
) -> SampleScores:
    """Compute all signals of one flagged pet.

    Args:
        memory: known examples of the served model; without any, the outlier score is 0 and the support None.
        label: breed id that a person gives the pet; None if they give none.
    """
    pet = pet_at(identifier, photo, box)
    probabilities = identifier.classifier.probabilities(pet.logits, pet.faults)
    embedding = _unit(pet.embedding[None])[0]
    place = identifier.labels.index(label) if label in identifier.labels else None
    given = None if place is None else float(probabilities[place])
    outlier_score, support = _among(memory, embedding, label)
    doubt = 0.0 if given is None else 1.0 - given / max(float(probabilities.max()), 1e-9)
    return SampleScores(
        embedding=embedding.astype(np.float16),
        phash=difference_hash(photo.to_pil().crop(tuple(round(v) for v in pet.crop))),  # type: ignore[arg-type]
        top=tuple((guess.id, guess.probability) for guess in pet.breeds),
        uncertainty=uncertainty(probabilities),
        label_quality=min(max(1.0 - doubt * (1.0 - (support or 0.0)), 0.0), 1.0),
        outlier_score=outlier_score,
        given=given,
        support=support,
    )


def unpack(stored: bytes | None) -> np.ndarray | None:
    """Convert an embedding from its form in the database to float32 ``(d,)``."""
    return None if stored is None else np.frombuffer(stored, np.float16).astype(np.float32)


def uncertainty(probabilities: np.ndarray) -> float:
    """Return 0 if one breed is certain, up to 1 if all are equal. ``probabilities (n,)`` sum to 1."""
    if len(probabilities) < 2:
        return 0.0
    first, second = np.sort(probabilities)[::-1][:2]
    kept = probabilities[probabilities > 0]
    # Ten equally likely breeds count as much as all of them: the entropy is already 1.
    entropy = float(-(kept * np.log(kept)).sum()) / np.log(min(len(probabilities), 10))
    return float(np.clip(0.5 * (1 - (first - second)) + 0.5 * min(entropy, 1.0), 0, 1))


def difference_hash(picture: Image.Image) -> str:
    """Compute a hash of 16 hex digits: whether each of 8×8 places is brighter than its left neighbour."""
    grey = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BILINEAR), np.int16)
    return np.packbits((grey[:, 1:] > grey[:, :-1]).ravel()).tobytes().hex()


def _among(memory: Memory, embedding: np.ndarray, label: str | None) -> tuple[float, float | None]:
    """Return the outlier score, and the share of the nearest examples that have the label."""
    if memory.vectors.ndim != 2 or memory.vectors.shape[1] != len(embedding):
        return 0.0, None
    similar = memory.vectors @ embedding
    others = similar < SAME
    if not others.any():
        return 0.0, None
    similar, labels = similar[others], memory.labels[others]
    outlier_score = float(np.clip((_KNOWN - similar.max()) / (_KNOWN - _STRANGE), 0, 1))
    if label is None or label not in labels:
        return outlier_score, None
    nearest = np.argsort(-similar, kind="stable")[:NEAREST]
    return outlier_score, float(np.mean(labels[nearest] == label))


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)
