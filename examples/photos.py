"""Read labelled photographs, from a folder of folders or from the shared pets dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True)
class Photos:
    """Encoded pictures by label.

    Attributes:
        to_flag: will be flagged, so that the model learns from them.
        held_back: never used for training.
    """

    to_flag: dict[str, list[bytes]]
    held_back: dict[str, list[bytes]]


def read_photos(folder: Path, breed: str, to_flag: int, others: int = 4) -> Photos:
    """Read pictures of one breed to flag, and held-out pictures of every breed.

    Args:
        folder: ``<label>/*.jpg``, or the layout of ../shared/data/pets.
        breed: the label to learn.
        to_flag: how many of its pictures are flagged.
        others: maximum number of pictures of each other breed; 0 if none are needed.

    Raises:
        SystemExit: the breed is missing or has too few pictures, or none is found of another breed; the text
            says what was expected.
    """
    shared = (folder / "breeds").is_dir()
    read = (
        _read_shared(folder / "breeds", breed, to_flag, others)
        if shared
        else _read(folder, breed, to_flag, others)
    )
    compared = others == 0 or any(some for label, some in read.held_back.items() if label != breed)
    if not read.held_back[breed] or not compared:
        raise SystemExit(
            f"{folder} needs held-out photographs of {breed} and of at least one other breed, "
            "to see what a new version has learnt and that it has forgotten nothing"
        )
    return read


def _read(folder: Path, breed: str, to_flag: int, others: int) -> Photos:
    found = {
        path.name: sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        for path in sorted(folder.iterdir() if folder.is_dir() else [])
        if path.is_dir()
    }
    mine = found.get(breed, [])
    if len(mine) < to_flag + 5:
        raise SystemExit(
            f"{folder} needs a folder {breed} with at least {to_flag + 5} photographs. Received: {len(mine)}"
        )
    held_back = {label: [file.read_bytes() for file in files[:others]] for label, files in found.items()}
    held_back[breed] = [file.read_bytes() for file in mine[to_flag:]]
    return Photos({breed: [file.read_bytes() for file in mine[:to_flag]]}, held_back)


def _read_shared(folder: Path, breed: str, to_flag: int, others: int) -> Photos:
    import pyarrow.parquet as pq

    lines = (folder.parent / "breeds.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("\t")[-1] for line in lines if line]  # species, tab, breed
    if breed not in names:
        raise SystemExit(f"{folder.parent / 'breeds.txt'} lists the breeds. Received: {breed!r}")
    wanted: list[bytes] = []
    for file in sorted(folder.glob("train-*.parquet")):
        if len(wanted) < to_flag:
            rows = pq.read_table(
                file, columns=["image", "breed"], filters=[("breed", "=", names.index(breed))]
            )
            wanted += [row["bytes"] for row in rows["image"].to_pylist()]
    held_back: dict[str, list[bytes]] = {name: [] for name in names}
    for file in sorted(folder.glob("test-*.parquet")):
        for row in pq.read_table(file, columns=["image", "breed"]).to_pylist():
            mine = held_back[names[row["breed"]]]
            if names[row["breed"]] == breed or len(mine) < others:
                mine.append(row["image"]["bytes"])
    return Photos({breed: wanted[:to_flag]}, held_back)
