"""The base dataset of a full retraining: found before anything else, and extended with accepted crops."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from smartbreed.config import Settings
from smartbreed.durable import make_dirs
from smartbreed.errors import HubCallError, PhotoError
from smartbreed.hub.client import download_snapshot, parse_repo, repo_state
from smartbreed.vision.bundle import Bundle
from training.errors import DataError
from training.replay import ACCEPTED
from training.retraining.plan import Plan
from training.retraining.views import crop

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from training.data import Scene

#: Where it lies in a checkout.
DEFAULT = "../shared/data/pets"


def base_folder(api: HfApi, settings: Settings) -> Path:
    """The folder of the base dataset; one in a repo is downloaded.

    Raises:
        DataError: there is none, or it is no folder of parquet files as `docs/training.md` describes.
    """
    asked = settings.base_dataset or DEFAULT
    folder, repo = Path(asked).expanduser(), parse_repo(asked)
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
    plan: Plan, champion: Bundle, tell: Callable[[int, int], None] = lambda done, of: None
) -> dict[str, bytes]:
    """A JPEG of what the classifier is shown of each sample that can be read, by its key.

    Photos are read one row group of the dataset at a time.
    """
    config, found = champion.config.classifier, dict[str, bytes]()
    for done, sample in enumerate(sorted(plan.samples, key=lambda one: one.place), 1):
        tell(done, len(plan.samples))
        try:
            pixels = crop(sample, config.margin, config.input_size)
        except PhotoError:
            continue
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
        found[sample.key] = buffer.getvalue()
    return found


def pixels_of(encoded: bytes) -> np.ndarray:
    """One of `cut` as uint8 ``(size, size, 3)``."""
    with Image.open(io.BytesIO(encoded)) as opened:
        return np.asarray(opened.convert("RGB"))


def extended_dataset(
    base: Path, folder: Path, plan: Plan, crops: dict[str, bytes], scenes: Sequence[Scene] = ()
) -> Path:
    """The base dataset with one more shard, of the samples to learn from, and the names of new breeds.

    Args:
        base: from `base_folder`.
        folder: made; the result.
        plan: whose held-out samples stay out.
        crops: from `cut`, of all of them.
        scenes: photographs of accepted missed pets, for one more shard of its scenes, if it has any.

    Raises:
        DataError: the base dataset has other breeds than the model.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = sorted((base / "breeds").glob("*.parquet"))
    schema = _with_names(pq.read_schema(shards[0]), plan.names)
    make_dirs(folder / "breeds")
    for name in ("README.md", *(() if scenes else ("scenes",))):
        if (base / name).exists() and not (folder / name).exists():
            (folder / name).symlink_to((base / name).resolve())
    if scenes:
        _add_scenes(base / "scenes", folder / "scenes", scenes)
    for shard in shards:
        pq.write_table(pq.read_table(shard).cast(schema), folder / "breeds" / shard.name)
    rows, species = [], {label["id"]: label["species"] for label in plan.labels}
    for sample, out in zip(plan.samples, plan.held_out, strict=True):
        if not out:
            row = dict.fromkeys(schema.names)
            rows.append({**row, "image": {"bytes": crops[sample.key], "path": None},
                         "breed": plan.names.index(sample.label),
                         "species": int(species[sample.label] == "dog"),
                         "source": "flags", "source_id": ACCEPTED + sample.key})  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "breeds" / "train-accepted.parquet")
    return folder


def _add_scenes(base: Path, folder: Path, scenes: Sequence[Scene]) -> None:
    """The shards of ``base`` and one more, ``train-accepted.parquet``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = sorted(base.glob("train-*.parquet"))
    if not shards:
        return
    make_dirs(folder)
    for path in sorted(base.glob("*.parquet")):
        if not (folder / path.name).exists():
            (folder / path.name).symlink_to(path.resolve())
    schema = pq.read_schema(shards[0])
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


def check_names(base: Path, plan: Plan) -> None:
    """Whether the base dataset lists the model's breeds, so that nothing is downloaded or cut in vain.

    Raises:
        DataError: it does not.
    """
    import pyarrow.parquet as pq

    _with_names(pq.read_schema(sorted((base / "breeds").glob("*.parquet"))[0]), plan.names)


def _with_names(schema: Any, names: list[str]) -> Any:
    """The schema with the breed ids of ``names``, which must begin with its own."""
    try:
        info = json.loads(schema.metadata[b"huggingface"])
        own = info["info"]["features"]["breed"]["names"]
    except (KeyError, TypeError, ValueError):
        raise DataError(
            "The base dataset does not say which breeds it shows (see docs/training.md)."
        ) from None
    if own != names[: len(own)]:
        raise DataError("The base dataset lists other breeds than the model, or in another order.")
    info["info"]["features"]["breed"]["names"] = names
    return schema.with_metadata({b"huggingface": json.dumps(info).encode()})
