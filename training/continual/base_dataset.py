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
from training.data.splits import TEST, TRAIN, VALIDATION
from training.export.replay import ACCEPTED

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from training.data import Scene

#: Columns that the base dataset must have; see `docs/training.md`.
COLUMNS = ("image", "breed", "species", "source_id")
#: Configuration of the base dataset that shows other animals, which is optional, and its columns.
OTHERS, OTHERS_COLUMNS = "others", ("image", "boxes", "species", "kind", "class")
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
        DataError: the base dataset has other breeds than the model, no picture of one of them, or a damaged
            file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = check_base(base, plan)
    check_pictures(base, plan)
    make_dirs(folder / "breeds")
    for split, number, shard in _shards(base, "breeds"):
        try:
            table = pq.read_table(shard).select(schema.names).cast(schema)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(shard, error) from None
        pq.write_table(table, folder / "breeds" / f"{split}-{number:05d}.parquet")
    if has_scenes(base):
        _add_scenes(base / "scenes", folder / "scenes", scenes)
    if has_others(base):
        _link(_shards(base, OTHERS), folder / OTHERS)
    rows, species = [], {label["id"]: label["species"] for label in plan.labels}
    for sample, out in zip(plan.samples, plan.held_out, strict=True):
        if not out:
            row = dict.fromkeys(schema.names)
            kind = "dog" if species[sample.label] == "dog" else "cat"
            rows.append({**row, "image": {"bytes": crops[sample.key], "path": None},
                         "breed": plan.names.index(sample.label), "species": _species(schema, kind),
                         "source": "flags", "source_id": ACCEPTED + sample.key})  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "breeds" / "train-accepted.parquet")
    return folder


def _add_scenes(base: Path, folder: Path, scenes: Sequence[Scene]) -> None:
    """Link the shards of ``base`` into ``folder`` and write ``scenes`` as ``train-accepted.parquet``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = _shards(base.parent, base.name)
    _link(shards, folder)
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
            "species": [_species(schema, ("cat", "dog")[number]) for number in scene.species],
            "kind": _written(schema, "kind", scene.kind), "origin": scene.origin,
            "width": width, "height": height,
        }  # fmt: skip
        rows.append({name: known.get(name) for name in schema.names})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "train-accepted.parquet")


def _link(shards: Sequence[tuple[str, int, Path]], folder: Path) -> None:
    """Link shards into ``folder``, each under the name of its split."""
    make_dirs(folder)
    for split, number, shard in shards:
        place = folder / f"{split}-{number:05d}.parquet"
        if not place.is_symlink():
            place.symlink_to(shard.resolve())


def _species(schema: Any, kind: str) -> int | str | None:
    """Return ``cat`` or ``dog`` as the column ``species`` holds it: as text, or as a number."""
    if _feature(schema, "species") is None and not _holds_text(schema, "species"):
        return ("cat", "dog").index(kind)
    return _written(schema, "species", kind)


def _written(schema: Any, column: str, text: str) -> int | str | None:
    """Return a text as a column holds it: in a ClassLabel as a number, or None if it has no such name."""
    names = _feature(schema, column)
    if names is None:
        return text
    return names.index(text) if text in names else None


def _holds_text(schema: Any, column: str) -> bool:
    """True for a column of texts, or of lists of them."""
    import pyarrow as pa

    if column not in schema.names:
        return False
    kind = schema.field(column).type
    while pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def has_scenes(base: Path) -> bool:
    """True when the base dataset also has whole photographs, which box verification is fitted on."""
    return any((base / "scenes").glob("*.parquet"))


def has_others(base: Path) -> bool:
    """True when the base dataset also has other animals, from which the model learns to recognise them."""
    return any((base / OTHERS).glob("*.parquet"))


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
    if has_others(base):
        _check_others(base)
    return schema


def _check_others(base: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = _shards(base, OTHERS)
    if TRAIN not in (splits := [split for split, _, _ in shards]):
        raise DataError(
            f"The other animals of the base dataset need a split {TRAIN}. Received: {OTHERS} with "
            f"{', '.join(sorted(set(splits)))}"
        )
    for _, _, shard in shards:
        try:
            names = pq.read_schema(shard).names
        except (pa.ArrowException, OSError) as error:
            raise _damaged(shard, error) from None
        if missing := [name for name in OTHERS_COLUMNS if name not in names]:
            raise DataError(
                f"The other animals of the base dataset need the columns {', '.join(OTHERS_COLUMNS)}. "
                f"Received: {', '.join(names)}; no {missing[0]}"
            )


def check_pictures(base: Path, plan: Plan) -> None:
    """Reject a plan with a breed that has no picture to train on.

    Such is a breed that an earlier version has learnt from photos that were withdrawn since.

    Raises:
        DataError: there is such a breed, or a file is damaged.
    """
    learnt = {sample.label for sample, out in zip(plan.samples, plan.held_out, strict=True) if not out}
    learnt |= {plan.names[number] for number in _labels_to_train_on(base) if 0 <= number < len(plan.names)}
    if missing := [name for name in plan.names if name not in learnt]:
        raise DataError(
            f"Full mode cannot train {plan.called[missing[0]]}: neither the base dataset nor the accepted "
            "photos have a picture of it. Add some, or use head mode, which keeps what it has learnt. "
            f"Received: {', '.join(missing)}"
        )


def _labels_to_train_on(base: Path) -> set[int]:
    """Return the numbers of the breeds with a picture that the recipe may train on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: set[int] = set()
    for split, _, shard in _shards(base, "breeds"):
        if split in (VALIDATION, TEST):
            continue
        try:
            column = pq.read_table(shard, columns=["breed"])["breed"]
        except (pa.ArrowException, OSError) as error:
            raise _damaged(shard, error) from None
        found.update(number for number in column.unique().to_pylist() if number is not None)
    return found


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
    """Return the class names of a column of ClassLabels, or of lists of them; None for any other column."""
    try:
        feature = json.loads(schema.metadata[b"huggingface"])["info"]["features"][column]
        found = feature["feature"]["names"] if "feature" in feature else feature["names"]
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
