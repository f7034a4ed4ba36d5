"""The gate set: embeddings of pictures that no version was ever trained on, kept in the bundle.

``gate.npz`` holds int8 embeddings of the crops held back from training (`training.data.held_back`),
and, as they are learnt, of accepted samples that were held out. In head mode the backbone stays, so
champion and challenger can both be judged on it in a millisecond without a photograph.

``python -m training.retraining.gate_set --data ../shared/data/pets --bundle smartbreed/assets`` adds one.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from smartbreed.config import EMBEDDED_BUNDLE
from smartbreed.vision.bundle import CONFIG, Bundle, load_bundle, write_config
from smartbreed.vision.classifier import Classifier
from training.replay import to_int8
from training.retraining.head import Examples

FILE = "gate.npz"
#: Share of the replay memory that stands in where a bundle has no gate set.
STAND_IN = 0.2


@dataclass(frozen=True)
class GateSet:
    """Pictures to judge on.

    Attributes:
        embeddings: float32 ``(n, d)``.
        labels: index into ``names``, int64 ``(n,)``.
        names: breed ids; a later model has more.
        origins: key of the accepted sample, or ``""`` for the base dataset, ``(n,)``.
        strangers: float32 ``(m, d)``, of pictures that show no breed; may be none.
        trained: the champion was trained on these after all: a stand-in.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    names: list[str]
    origins: np.ndarray
    strangers: np.ndarray
    trained: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def base(self) -> np.ndarray:
        """Mask of the frozen part."""
        return np.asarray(self.origins == "")


def build_gate(
    path: Path,
    embeddings: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    *,
    strangers: np.ndarray | None = None,
    origins: np.ndarray | None = None,
) -> None:
    """Write ``gate.npz``.

    Args:
        path: the file.
        embeddings: of crops that nothing was trained on, ``(n, d)``.
        labels: index into ``names``, ``(n,)``.
        names: breed ids.
        strangers: embeddings of pictures that show no breed, ``(m, d)``.
        origins: see `GateSet`.
    """
    away = np.zeros((0, embeddings.shape[1]), np.float32) if strangers is None else strangers
    values, scales = to_int8(embeddings)
    others, other_scales = to_int8(away)
    np.savez_compressed(
        path,
        embeddings=values,
        scales=scales,
        labels=labels.astype(np.int16),
        names=np.array(names),
        origins=(np.full(len(labels), "") if origins is None else origins).astype("<U16"),
        strangers=others,
        stranger_scales=other_scales,
    )


def load_gate(bundle: Bundle) -> GateSet | None:
    """A bundle's gate set; None where it has none."""
    if FILE not in bundle.config.files:
        return None
    with np.load(bundle.path(FILE), allow_pickle=False) as archive:
        return GateSet(
            archive["embeddings"].astype(np.float32) * archive["scales"],
            archive["labels"].astype(np.int64),
            [str(name) for name in archive["names"]],
            archive["origins"].astype(str),
            archive["strangers"].astype(np.float32) * archive["stranger_scales"],
        )


def stand_in(memory: Examples, names: list[str]) -> tuple[GateSet, Examples]:
    """A fifth of the replay memory as the gate set, and the rest to learn from."""
    place = np.zeros(len(memory), np.int64)
    for label in np.unique(memory.labels):
        mine = np.flatnonzero(memory.labels == label)
        place[mine] = np.arange(len(mine))
    judged = place % round(1 / STAND_IN) == 0
    gate = GateSet(
        memory.embeddings[judged],
        memory.labels[judged],
        names,
        np.full(int(judged.sum()), ""),
        np.zeros((0, memory.embeddings.shape[1]), np.float32),
        trained=True,
    )
    return gate, memory.take(np.flatnonzero(~judged))


def embed_crops(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """Embeddings ``(n, d)`` of uint8 crops by the LiteRT network."""
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda image: classifier.run(image).embedding, images))
    return np.stack(rows) if rows else np.zeros((0, 0), np.float32)


def main(
    data: Annotated[str, typer.Option(help="Dataset repo or folder the bundle was trained on.")],
    bundle: Annotated[Path, typer.Option(help="The bundle to add a gate set to.")] = EMBEDDED_BUNDLE,
) -> None:
    """Add the gate set of the pictures that training held back."""
    from training.data import HELD_BACK, held_back, load_crops, load_scenes, split_scenes
    from training.outliers import outlier_crops

    loaded = load_bundle(bundle)
    names = [label.id for label in loaded.config.classifier.labels]
    crops = load_crops(data, "train")
    kept = crops.take(np.flatnonzero(held_back(crops.hashes, HELD_BACK)))
    here = np.array([names.index(name) if name in names else -1 for name in crops.names])[kept.labels]
    empty = [scene.image for scene in split_scenes(load_scenes(data, "train"))[1] if not len(scene.boxes)]
    classifier = Classifier(loaded, 2)
    strangers = outlier_crops(empty, 0, cuts=0, size=classifier.config.input_size)
    build_gate(
        bundle / FILE,
        embed_crops(classifier, kept.images[here >= 0]),
        here[here >= 0],
        names,
        strangers=embed_crops(classifier, strangers),
    )
    config = json.loads((bundle / CONFIG).read_text())
    config.pop("files")
    write_config(bundle, config)
    print(f"{bundle / FILE}: {int((here >= 0).sum())} crops, {len(strangers)} without a pet")


if __name__ == "__main__":
    typer.run(main)
