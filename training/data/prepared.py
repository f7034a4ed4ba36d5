"""The output of the stage `prepare`: pictures of one size, the split of each, and the labels."""

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
    """All usable pictures, split and labelled.

    Attributes:
        crops: the pictures.
        places: split of each: ``train``, ``validation``, ``test``, or ``""`` if left out.
        labels: ``id``, ``name``, ``species`` and ``group`` of each label.
    """

    crops: Crops
    places: np.ndarray
    labels: list[dict[str, str]]

    def part(self, place: str) -> Crops:
        """Return the pictures of one split."""
        return self.crops.take(np.flatnonzero(self.places == place))


def save_prepared(run: RunDirectory, prepared: Prepared) -> None:
    """Write the pictures, then the list of rows, without which the pictures do not count.

    Raises:
        StorageError: a file could not be written.
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
    """Load what `save_prepared` wrote; the pictures are memory-mapped."""
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
