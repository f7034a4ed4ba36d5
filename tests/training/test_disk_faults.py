"""A full or failing disk ends a run with one sentence, and the same command goes on once there is room."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.processes import run
from support.tiny_data import image_folder

from smartbreed.core.errors import StorageError
from training.common.disk_faults import disk_faults
from training.common.run_directory import RunDirectory
from training.pipeline.runner import run_recipe
from training.pipeline.stage import choices_of
from training.recipe.file import load_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_folder(tmp_path_factory.mktemp("one") / "photos")


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file grows beyond ``size`` bytes; the error is one of those a full disk gives."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(folder: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)
    recipe = load_recipe("cifar10", [f"data.source={folder}", "data.least=4", "model.alpha=0.35",
                                     "train.epochs=1"])  # fmt: skip
    with small_disk(30_000), pytest.raises(StorageError, match=r"^The prepared pictures were not written: "):
        run_recipe(recipe, run, ("prepare", "train"))
    run_recipe(recipe, run, ("prepare",))
    with small_disk(10_000), pytest.raises(StorageError, match=r"^The stage train stopped: the disk .*\.$"):
        run_recipe(recipe, run, ("prepare", "train"))
    run_recipe(recipe, run, ("prepare", "train"))
    assert run.is_complete("train", choices_of("train", recipe))


def test_a_full_disk_leaves_no_stack_trace_on_the_terminal(folder: Path, tmp_path: Path) -> None:
    """Not even that of HDF5, which cannot close a file that the disk refused."""
    sets = (f"data.source={folder}", "data.least=4", "data.label_errors=false", "train.epochs=1")
    given = [part for change in sets for part in ("--set", change)]
    ended = run(
        "-m", "training.train", "cifar10", "--run", tmp_path, "--to", "train", *given,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.endswith("The stage train stopped: the disk refused (File too large).\n")


def write_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(9000))  # the error has no number


def write_weights(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(9000)


@pytest.mark.parametrize("write", [write_array, write_weights])
def test_every_library_says_it_alike(write: Callable[[Path], None], tmp_path: Path) -> None:
    with (
        small_disk(5000),
        pytest.raises(StorageError, match=r"^It stopped: the disk (is full|refused)"),
        disk_faults("It stopped"),
    ):
        write(tmp_path / "file")


def test_only_the_disk_is_blamed_for_the_disk(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a bug"), disk_faults("It stopped"):
        raise RuntimeError("a bug")
    with pytest.raises(FileNotFoundError), disk_faults("It stopped"):
        (tmp_path / "nothing").read_text()
    with pytest.raises(StorageError, match="free some space"), disk_faults("It stopped"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
