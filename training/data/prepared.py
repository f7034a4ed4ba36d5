"""The outcome of the stage `prepare`: pictures of one size, who is trained on, what the labels mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from smartbreed.core.files import disk_errors, replace_durably
from training.common.run_directory import RunDirectory
from training.data.crops import Crops

ROWS, IMAGES = "prepared/rows.json", "prepared/images.npy"


@dataclass(frozen=True)
class Prepared:
    """Every usable picture.

    Attributes:
        crops: all of them.
        places: ``train``, ``validation``, ``test`` or ``""`` (left out) of each.
        labels: ``id``, ``name``, ``species`` and ``group`` of each label.
    """

    crops: Crops
    places: np.ndarray
    labels: list[dict[str, str]]

    def part(self, place: str) -> Crops:
        """The pictures of one split."""
        return self.crops.take(np.flatnonzero(self.places == place))


def save_prepared(run: RunDirectory, prepared: Prepared) -> None:
    """Write it; the list of rows last, without which the rest does not count.

    Raises:
        StorageError: the disk refused.
    """
    crops = prepared.crops
    path, tmp = run / IMAGES, run / "prepared/images.tmp"
    with disk_errors("The prepared pictures were not written"):
        path.parent.mkdir(exist_ok=True)
        with tmp.open("wb") as file:
            np.save(file, crops.images)
        replace_durably(tmp, path)
    rows: dict[str, Any] = {
        "labels": prepared.labels,
        "names": crops.names,
        "label": crops.labels.tolist(),
        "species": crops.species.tolist(),
        "place": prepared.places.tolist(),
        "hash": crops.hashes,
        "source": crops.sources,
    }
    run.write(ROWS, json.dumps(rows, ensure_ascii=False).encode())


def load_prepared(run: RunDirectory) -> Prepared:
    """What `save_prepared` wrote; the pictures stay on the disk until they are looked at."""
    rows = run.read_json(ROWS)
    crops = Crops(
        np.load(run / IMAGES, mmap_mode="r"),
        np.array(rows["label"], np.int64),
        np.array(rows["species"], np.int64),
        rows["source"],
        rows["hash"],
        rows["names"],
    )
    return Prepared(crops, np.array(rows["place"], dtype="<U10"), rows["labels"])
