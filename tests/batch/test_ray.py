"""The same rows from a local Ray cluster, although a worker of it is killed half-way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from smartbreed.batch.parts import Parts
from smartbreed.batch.run import Progress, about, local_engine, run
from smartbreed.batch.worker import Options
from smartbreed.core.settings import load_settings
from smartbreed.inference.pipeline import Identifier
from smartbreed.sources.opening import open_source

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'smartbreed[ray]'")
    ray.init(
        num_cpus=2, object_store_memory=200_000_000, include_dashboard=False, log_to_driver=False,
        configure_logging=False,
    )  # fmt: skip
    yield
    ray.shutdown()


def workers() -> list[psutil.Process]:
    """Processes of the cluster that hold a model."""
    found = psutil.Process().children(recursive=True)
    return [one for one in found if "MapWorker" in " ".join(one.cmdline())]


def test_a_worker_that_dies_changes_no_row(
    cluster: None, album: Path, identifier: Identifier, tmp_path: Path
) -> None:
    from smartbreed.batch.on_ray import ray_engine

    names = [str(path) for path in sorted(album.rglob("*.jpg"))]
    photos = tmp_path / "list.txt"  # so many that a worker is at work when it dies
    photos.write_text("\n".join(names * 20) + "\n")
    source, options = open_source(str(photos)), Options(3, 1_000_000, 64_000_000)
    revision = identifier.bundle.version.revision
    killed: list[int] = []

    def kill_one(report: Progress) -> None:
        if report.photos >= 40 and not killed and (found := workers()):
            os.kill(found[0].pid, signal.SIGKILL)
            killed.append(found[0].pid)

    outputs = []
    for engine in (local_engine(identifier, options), ray_engine(load_settings(), revision, options)):
        out = tmp_path / f"{len(outputs)}.parquet"
        progress = kill_one if outputs else (lambda report: None)
        done = run(source, Parts(out, 3), engine, about("", source, revision, options), progress=progress)
        assert done.photos == 500
        outputs.append(pq.read_table(out).to_pylist())
    assert killed, "a worker was killed while it worked"
    assert outputs[0] == outputs[1]
