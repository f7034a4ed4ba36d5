"""The base dataset of a full retraining: located and checked first, then extended with accepted crops."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from smartbreed.core.errors import HubCallError, PhotoError
from smartbreed.core.files import expanded, make_dirs
from smartbreed.core.settings import Settings
from smartbreed.hub.client import download_snapshot, parse_repo, repo_state
from smartbreed.inference.bundle import Bundle
from training.common.errors import DataError
from training.continual.plan import Plan
from training.continual.views import crop
from training.data.rows import files_of, reason_of
from training.export.replay import ACCEPTED

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from training.data import Scene

#: Columns that the base dataset must have; see `docs/training.md`.
COLUMNS = ("image", "breed", "species", "source_id")
#: Default folder of the base dataset, relative to a checkout.
DEFAULT = "../shared/data/pets"


def base_folder(api: HfApi, settings: Settings) -> Path:
    """Return the folder of the base dataset; download it first if the setting names a repo.

    Raises:
        DataError: there is no folder with ``breeds/*.parquet``, as `docs/training.md` describes it.
    """
    asked = settings.base_dataset or DEFAULT
    folder, repo = expanded(asked), parse_repo(asked)
    why = ""
    if not folder.is_dir() and repo is not None and settings.base_dataset:
        try:
            sha = repo_state(api, repo[0], "dataset", repo[1]).sha
            folder = download_snapshot(api, repo[0], "dataset", sha, settings.home_dir / "hub-cache")
        except HubCallError as error:
            why = f" {error.message}"
    if not any((folder / "breeds").glob("*.parquet")):
        raise DataError(
            "Full mode needs the base dataset: set SMARTBREED_BASE_DATASET, or --data, to a folder with "
            f"breeds/*.parquet in it or to a dataset repo owner/name. Received: {asked!r}.{why}"
        )
    return folder.absolute()


def cut(
    plan: Plan, champion: Bundle, progress: Callable[[int, int], None] = lambda done, of: None
) -> dict[str, bytes]:
    """Encode the classifier's crop of every readable sample as JPEG, by sample key.

    The photos are read in the dataset's order, one row group at a time.
    """
    config, found = champion.config.classifier, dict[str, bytes]()
    for done, sample in enumerate(sorted(plan.samples, key=lambda one: one.place), 1):
        progress(done, len(plan.samples))
        try:
            pixels = crop(sample, config.margin, config.input_size)
        except PhotoError:
            continue
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
        found[sample.key] = buffer.getvalue()
    return found


def pixels_of(encoded: bytes) -> np.ndarray:
    """Decode a JPEG from `cut` into uint8 ``(size, size, 3)``."""
    with Image.open(io.BytesIO(encoded)) as opened:
        return np.asarray(opened.convert("RGB"))


def extended_dataset(
    base: Path, folder: Path, plan: Plan, crops: dict[str, bytes], scenes: Sequence[Scene] = ()
) -> Path:
    """Write the base dataset plus the samples to learn from, with the names of the new breeds.

    The accepted samples form one more shard, ``train-accepted.parquet``. The result needs no README: its
    folders are its configurations, and its files are named for their split.

    Args:
        base: from `base_folder`.
        folder: output folder; created.
        plan: what is learnt; its held-out samples are left out.
        crops: from `cut`, one for every sample of the plan.
        scenes: photographs of accepted missed pets. They form one more shard of the base dataset's scenes, if
            it has any.

    Returns:
        ``folder``.

    Raises:
        DataError: the base dataset has other breeds than the model, or a damaged file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = check_base(base, plan)
    make_dirs(folder / "breeds")
    for split, number, shard in _shards(base, "breeds"):
        try:
            table = pq.read_table(shard).select(schema.names).cast(schema)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(shard, error) from None
        pq.write_table(table, folder / "breeds" / f"{split}-{number:05d}.parquet")
    if has_scenes(base):
        _add_scenes(base / "scenes", folder / "scenes", scenes)
    kinds = _feature(schema, "species") or ["cat", "dog"]
    rows, species = [], {label["id"]: label["species"] for label in plan.labels}
    for sample, out in zip(plan.samples, plan.held_out, strict=True):
        if not out:
            row = dict.fromkeys(schema.names)
            kind = "dog" if species[sample.label] == "dog" else "cat"
            rows.append({**row, "image": {"bytes": crops[sample.key], "path": None},
                         "breed": plan.names.index(sample.label), "species": kinds.index(kind),
                         "source": "flags", "source_id": ACCEPTED + sample.key})  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "breeds" / "train-accepted.parquet")
    return folder


def _add_scenes(base: Path, folder: Path, scenes: Sequence[Scene]) -> None:
    """Link the shards of ``base`` into ``folder`` and write ``scenes`` as ``train-accepted.parquet``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = _shards(base.parent, base.name)
    make_dirs(folder)
    for split, number, shard in shards:
        place = folder / f"{split}-{number:05d}.parquet"
        if not place.is_symlink():
            place.symlink_to(shard.resolve())
    train = [shard for split, _, shard in shards if split == "train"]
    if not train or not scenes:
        return
    schema = pq.read_schema(train[0])
    rows = []
    for scene in scenes:
        buffer = io.BytesIO()
        Image.fromarray(scene.image).save(buffer, "JPEG", quality=95)
        height, width = scene.image.shape[:2]
        known = {
            "image": {"bytes": buffer.getvalue(), "path": None}, "boxes": scene.boxes.tolist(),
            "species": scene.species.tolist(), "kind": scene.kind, "origin": scene.origin,
            "width": width, "height": height,
        }  # fmt: skip
        rows.append({name: known.get(name) for name in schema.names})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "train-accepted.parquet")


def has_scenes(base: Path) -> bool:
    """True when the base dataset also has whole photographs, which box verification is fitted on."""
    return any((base / "scenes").glob("*.parquet"))


def check_base(base: Path, plan: Plan) -> Any:
    """Reject an unusable base dataset now rather than hours into the training.

    Returns:
        The Arrow schema of its pictures, with the breed ids of the plan.

    Raises:
        DataError: a file is damaged, a column is missing, or the breeds differ from the model's.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = []
    for _, _, shard in _shards(base, "breeds"):
        try:
            schemas.append(pq.read_schema(shard))
        except (pa.ArrowException, OSError) as error:
            raise _damaged(shard, error) from None
    schema = _with_names(schemas[0], plan.names)
    for one in schemas:
        if missing := [name for name in COLUMNS if name not in one.names]:
            raise DataError(
                f"The base dataset needs the columns {', '.join(COLUMNS)} (see docs/training.md). "
                f"Received: {', '.join(one.names)}; no {missing[0]}"
            )
    if not {"cat", "dog"} <= set(_feature(schema, "species") or ["cat", "dog"]):
        raise DataError(
            "The column species of the base dataset must name cat and dog. "
            f"Received: {_feature(schema, 'species')}"
        )
    return schema


def _shards(base: Path, config: str) -> list[tuple[str, int, Path]]:
    """Return split, number and path of every file of a configuration."""
    found = files_of(str(base), config)
    return [(split, number, file) for split, files in found.items() for number, file in enumerate(files)]


def _damaged(shard: Path, error: Exception) -> DataError:
    return DataError(
        f"A file of the base dataset cannot be read ({reason_of(error)}). "
        f"Received: {shard.parent.name}/{shard.name}"
    )


def _feature(schema: Any, column: str) -> list[str] | None:
    """Return the class names of a ClassLabel column; None for any other column."""
    try:
        found = json.loads(schema.metadata[b"huggingface"])["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return found if isinstance(found, list) else None


def _with_names(schema: Any, names: list[str]) -> Any:
    """Return the schema with ``names`` as its breed ids; they must begin with the schema's own.

    Raises:
        DataError: the column breed is not a ClassLabel, or its names are not the first of ``names``.
    """
    own = _feature(schema, "breed")
    if own is None:
        raise DataError(
            "The base dataset does not say which breeds it shows: its column breed must be a ClassLabel "
            "(see docs/training.md)."
        )
    if own != names[: len(own)]:
        raise DataError("The base dataset lists other breeds than the model, or in another order.")
    info = json.loads(schema.metadata[b"huggingface"])
    info["info"]["features"]["breed"]["names"] = names
    return schema.with_metadata({b"huggingface": json.dumps(info).encode()})
