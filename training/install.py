"""Install a run's bundle, or only its detector, as the shipped one: ``python -m training.install BUNDLE``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from smartbreed.core.errors import BundleError
from smartbreed.core.files import disk_errors
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import CONFIG, write_config
from smartbreed.inference.pipeline import Identifier
from training.common.cli import sentences
from training.export.bundle import copy_network, section_of
from training.pipeline.stages.export import bundle_config


def install(bundle: Path, target: Path = EMBEDDED_BUNDLE) -> None:
    """Copy a bundle over another one.

    ``config.json`` is replaced last: a half-installed bundle fails its checksums instead of loading.

    Args:
        bundle: source folder. It is loaded as the app would load it before anything is changed.
        target: destination folder.

    Raises:
        BundleError: the bundle does not load.
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


def install_detector(bundle: Path, version: str, target: Path = EMBEDDED_BUNDLE) -> None:
    """Replace the detector of a bundle with that of another; the classifier stays.

    The detector's training log and recipe are kept under ``training.detector``. The bundle's overall figures
    stay the old ones until `training.evaluate` measures them again.

    Args:
        bundle: source of the detector, including its box verification.
        version: new version of the target, ``1.2.3``.
        target: bundle to change, written as by `install`.

    Raises:
        BundleError, StorageError: as for `install`; also if ``bundle`` has no detector.
    """
    source = Identifier.load(bundle).bundle
    theirs, config = bundle_config(bundle), bundle_config(target)
    detector = section_of(source, "detector")
    if not detector:
        raise BundleError(f"The bundle has no detector to install. Received: {bundle}")
    with (
        disk_errors("The detector was not installed"),
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
    ):
        new = Path(shutil.copytree(target, Path(folder) / "bundle"))
        copy_network(source, detector, new)
        log = {**theirs.get("training", {}).get("detector", {}), "recipe": theirs.get("recipe", {})}
        training = {**config.get("training", {}), "detector": log}
        changed = {**config, "version": version, "detector": detector, "training": training}
        write_config(new, changed)
        install(new, target)


def main(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    target: Annotated[Path, typer.Option(help="Where it goes.")] = EMBEDDED_BUNDLE,
    detector: Annotated[
        str,
        typer.Option(metavar="VERSION", help="Take the detector alone and give the result this version."),
    ] = "",
) -> None:
    """Install a bundle as the one that ships."""
    with sentences():
        if detector:
            install_detector(bundle, detector, target)
            print(f"The detector of {bundle} is now that of {target}")
        else:
            install(bundle, target)
            print(f"{bundle} is now {target}")


if __name__ == "__main__":
    typer.run(main)
