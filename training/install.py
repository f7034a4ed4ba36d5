"""Make a run's bundle the one that ships: ``python -m training.install runs/breeds/bundle``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from smartbreed.core.files import disk_errors
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import CONFIG
from smartbreed.inference.pipeline import Identifier
from training.common.cli import sentences


def install(bundle: Path, target: Path = EMBEDDED_BUNDLE) -> None:
    """Copy a bundle over another, ``config.json`` last: until then the old one fails its check sums.

    Args:
        bundle: loaded first as the app would; nothing is changed when it does not.
        target: the folder it goes to.

    Raises:
        BundleError: it does not load.
        StorageError: the disk refused.
    """
    Identifier.load(bundle)
    target.mkdir(parents=True, exist_ok=True)
    with (
        disk_errors("The bundle was not installed"),
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
    ):
        new = Path(shutil.copytree(bundle, Path(folder) / "bundle"))
        names = {path.name for path in new.iterdir()}
        for path in sorted(new.iterdir(), key=lambda p: p.name == CONFIG):
            path.replace(target / path.name)
        for path in target.iterdir():
            if path.is_file() and path.name not in names and path.name != ".gitkeep":
                path.unlink()


def main(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    target: Annotated[Path, typer.Option(help="Where it goes.")] = EMBEDDED_BUNDLE,
) -> None:
    """Install a bundle as the one that ships."""
    with sentences():
        install(bundle, target)
        print(f"{bundle} is now {target}")


if __name__ == "__main__":
    typer.run(main)
