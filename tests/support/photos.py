"""Pictures: noise and patterns, the public photographs, and what stands in for them where they are absent."""

from __future__ import annotations

import atexit
import importlib.resources
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from support.processes import ROOT

#: Photographs with labels, laid out as ../shared/data/pets; another place by SMARTBREED_TEST_DATA.
PUBLIC = Path(os.environ.get("SMARTBREED_TEST_DATA") or ROOT.parent / "shared" / "data" / "pets")
needs_public = pytest.mark.skipif(
    not PUBLIC.is_dir(), reason="what it measures is true of the photographs of ../shared/data/pets alone"
)
#: Photographs of scikit-image without a pet (all free), in front of which `made_cat` puts its cat.
BACKGROUNDS = (
    "coffee.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "brick.png",
)


def noise(seed: int = 0, height: int = 48, width: int = 64, block: int = 8) -> NDArray[np.uint8]:
    """Coarse noise: different for every seed, and about as compressible as a photograph."""
    shape = (height // block, width // block, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return pixels.repeat(block, axis=0).repeat(block, axis=1)


def blobs(seed: int, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """Smooth blobs of colour with a little noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return np.asarray(np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255), np.uint8)


def pattern(number: int, kind: str = "board") -> bytes:
    """A photo of no animal at all; those of a kind look alike, and are nothing the model knows."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[0:160, 0:160]
    if kind == "board":
        picture = ((x // 20 + y // 20) % 2 * 180)[..., None] * np.array([1, 0.6, 0.1])
    else:
        picture = (np.sin(x / 6 + rng.uniform(0, 6)) * 100 + 120)[..., None] * np.array([0.2, 0.5, 1])
    noisy = picture + rng.normal(0, 25, picture.shape) + rng.uniform(-20, 20, 3)
    return jpeg(np.clip(noisy, 0, 255).astype(np.uint8))


def jpeg(pixels: NDArray[np.uint8] | Image.Image) -> bytes:
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def opened(row: dict[str, Any]) -> Image.Image:
    """The picture of a row."""
    return Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")


def rows(config: str, split: str = "test", **wanted: Any) -> Iterator[dict[str, Any]]:
    """Rows of the photographs' dataset whose columns have the values wanted."""
    import pyarrow.parquet as pq

    for path in sorted((pets() / config).glob(f"{split}-*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(64):
            for row in batch.to_pylist():
                if all(row[name] == value for name, value in wanted.items()):
                    yield row


def pet_scenes(count: int) -> list[dict[str, Any]]:
    """Whole photographs with one large pet, dogs and cats in turn as far as there are both."""
    large: dict[str, list[dict[str, Any]]] = {"dog": [], "cat": []}
    for row in rows("scenes"):
        if len(row["boxes"]) == 1:
            x0, y0, x1, y1 = row["boxes"][0]
            if (x1 - x0) * (y1 - y0) > 0.3 * row["width"] * row["height"]:
                large[row["kind"]].append(row)
    kinds = [kind for kind in large.values() if kind]
    return list(islice((row for some in zip(*kinds, strict=False) for row in some), count))


@cache
def pets() -> Path:
    """The folder of photographs: the public ones, or where they are absent one that is made here."""
    if PUBLIC.is_dir():
        return PUBLIC
    folder = Path(tempfile.mkdtemp(prefix="smartbreed-pets-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return made_pets(folder)


def made_pets(folder: Path) -> Path:
    """What stands in for the public photographs: one cat in many pictures, and things that are no pet.

    What is to be learnt anew is a pattern that the model does not know: keeshonds are chequered, foxes wavy.
    """
    from smartbreed.breeds.catalogue import BREEDS

    breeds = list(BREEDS)
    cat, keeshond = breeds.index("egyptian_mau"), breeds.index("keeshond")
    scenes = {
        "train": [made_cat(n) for n in range(100, 120)],
        "test": [made_negative(n) if n % 8 == 7 else made_cat(n) for n in range(48)],
    }
    crops: dict[str, list[dict[str, Any]]] = {}
    for split, numbers in (("train", range(40)), ("test", range(100, 110))):
        crops[split] = [
            {"image": _image(jpeg(opened(row).crop(row["boxes"][0]).resize((224, 224)))), "breed": cat,
             "species": 0, "source_id": f"chelsea_{n}.png"}
            for n, row in enumerate(scenes[split])
            if row["boxes"]
        ]  # fmt: skip
        crops[split] += [
            {"image": _image(pattern(n)), "breed": keeshond, "species": 1, "source_id": f"keeshond_{n}.jpg"}
            for n in numbers
        ]
    foxes = [{"image": _image(pattern(n, "waves")), "kind": "wild", "class": "fox"} for n in range(60)]
    (folder / "breeds.txt").write_text("".join(f"{b.species}\t{b.id}\n" for b in BREEDS.values()))
    write_pets(folder, breeds, {"breeds": crops, "scenes": scenes, "others": {"train": foxes}})
    return folder


def made_cat(number: int) -> dict[str, Any]:
    """Chelsea, the cat of scikit-image (CC0): cut, mirrored and tinted, in front of something."""
    rng = np.random.default_rng(number)
    cat = _photograph("chelsea.png")
    share, place = rng.uniform(0.8, 1), rng.uniform(size=2)
    left, top = ((1 - share) * place * cat.size).astype(int).tolist()
    cat = cat.crop((left, top, left + round(share * cat.width), top + round(share * cat.height)))
    if number % 2:
        cat = cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    cat = Image.fromarray(np.clip(np.asarray(cat) * rng.uniform(0.85, 1.1, 3), 0, 255).astype(np.uint8))
    cat = cat.resize((round(cat.width * 230 / cat.height), 230))
    scene = _photograph(BACKGROUNDS[number % len(BACKGROUNDS)]).resize((400, 280))
    x, y = (int(rng.integers(space + 1)) for space in (400 - cat.width, 280 - cat.height))
    scene.paste(cat, (x, y))
    box = [float(side) for side in (x, y, x + cat.width, y + cat.height)]
    return _scene(scene, [box], "cat", "egyptian_mau")


def made_negative(number: int) -> dict[str, Any]:
    """A photograph without a pet."""
    picture = _photograph(BACKGROUNDS[number % len(BACKGROUNDS)])
    return _scene(picture.resize((400, 280)), [], "negative", None)


@cache
def _photograph(name: str) -> Image.Image:
    with (importlib.resources.files("skimage") / "data" / name).open("rb") as file:
        return Image.open(file).convert("RGB")


def _scene(picture: Image.Image, boxes: list[list[float]], kind: str, breed: str | None) -> dict[str, Any]:
    return {
        "image": _image(jpeg(picture)), "width": picture.width, "height": picture.height,
        "boxes": boxes, "species": [0] * len(boxes), "kind": kind, "origin": "human", "breed": breed,
    }  # fmt: skip


def _image(data: bytes) -> dict[str, Any]:
    return {"bytes": data, "path": None}


def write_pets(folder: Path, breeds: list[str], rows: dict[str, dict[str, list[dict[str, Any]]]]) -> Path:
    """A dataset folder laid out as ../shared/data/pets.

    Args:
        rows: by configuration and split.
    """
    from datasets import ClassLabel, Dataset, Features, Image, Sequence, Value

    text, number = Value("string"), Value("int64")
    columns = {
        "image": Image(), "width": number, "height": number, "boxes": Sequence(Sequence(Value("float32"))),
        "species": Sequence(number), "breed": text, "kind": text, "class": text, "origin": text,
        "source_id": text,
    }  # fmt: skip
    crops = {"breed": ClassLabel(names=breeds), "species": ClassLabel(names=["cat", "dog"])}
    card = "---\nconfigs:\n"
    for config, splits in rows.items():
        (folder / config).mkdir(parents=True, exist_ok=True)
        card += f"- config_name: {config}\n  data_files:\n"
        known = columns | crops if config == "breeds" else columns
        for split, found in splits.items():
            table = Dataset.from_list(found, features=Features({name: known[name] for name in found[0]}))
            table.to_parquet(folder / config / f"{split}-00000-of-00001.parquet")
            card += f'  - {{split: {split}, path: "{config}/{split}-*.parquet"}}\n'
    (folder / "README.md").write_text(card + "---\n")
    return folder
