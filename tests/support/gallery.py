"""A gallery of real photographs in a home of its own."""

from __future__ import annotations

import io
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from smartbreed.gallery.build import Progress, build
from smartbreed.gallery.sources import open_source
from smartbreed.services import Services
from support.photos import PUBLIC, rows

#: Breeds that the model takes for each other, and others.
BREEDS = (
    "norfolk_terrier", "norwich_terrier", "border_terrier", "cairn", "birman", "ragdoll", "siamese",
    "persian", "bengal", "egyptian_mau", "pug", "beagle",
)  # fmt: skip
EACH = 10


def photographs(folder: Path, each: int = EACH) -> Path:
    """A folder with a folder for each of `BREEDS`, of real photographs."""
    if not PUBLIC.is_dir():
        pytest.skip("needs the photographs of ../shared/data/pets")
    names = [line.split()[1] for line in (PUBLIC / "breeds.txt").read_text().splitlines()]
    found: dict[str, list[bytes]] = defaultdict(list)
    for row in rows("breeds"):
        breed = names[row["breed"]]
        if breed in BREEDS and len(found[breed]) < each:
            found[breed].append(row["image"]["bytes"])
    for breed, pictures in found.items():
        (folder / breed).mkdir(parents=True)
        for number, data in enumerate(pictures):
            (folder / breed / f"{number}.jpg").write_bytes(data)
    return folder


def fill(services: Services, folder: Path) -> Progress:
    """Build the gallery of an installation from a folder of photographs."""
    return build(services.gallery, services.identifier, open_source(str(folder)), lambda report: None)


def picture(seed: int, side: int = 96, kind: str = "JPEG", **options: Any) -> bytes:
    """A picture that shows nothing, each seed another one."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    buffer = io.BytesIO()
    small.resize((side, side), Image.Resampling.BICUBIC).save(buffer, kind, **options)
    return buffer.getvalue()
