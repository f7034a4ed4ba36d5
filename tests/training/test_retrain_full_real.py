"""Full mode on the model that ships and real photographs, started as the app starts it, to its very end."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from support.photos import PUBLIC, needs_public, rows
from support.shards import flag, push, review, settings_in

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.hub.client import connect, list_tags
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.registry.initial_model import embedded_version
from smartbreed.registry.releases import download
from smartbreed.services import Services
from smartbreed.training_jobs.jobs import Jobs
from training.export.gate_set import load_gate

#: Pictures of each breed: as few as a recipe takes. And whole photographs.
EACH, SCENES = 9, 160
#: One short epoch instead of four whole ones, and slower: nine pictures a breed are soon learnt by heart.
SHORT = ("train.epochs=1", "train.steps=6", "head.rate=0.0002", "data.label_errors=false", "export.replay=8")
NEW = 48

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    needs_public,
]


def documented_folder(folder: Path) -> Path:
    """A folder with ``breeds/*.parquet`` and no README, of every breed; and some whole photographs."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables(pq.read_table(path) for path in sorted((PUBLIC / "breeds").glob("train-*")))
    breeds = table["breed"].to_numpy()
    taken = np.concatenate([np.flatnonzero(breeds == breed)[:EACH] for breed in np.unique(breeds)])
    (folder / "breeds").mkdir(parents=True)
    pq.write_table(table.take(np.sort(taken)), folder / "breeds" / "train-0.parquet")
    whole = pq.read_table(next((PUBLIC / "scenes").glob("train-*")))
    (folder / "scenes").mkdir()
    some = whole.take(np.linspace(0, len(whole) - 1, SCENES).astype(int))
    pq.write_table(some, folder / "scenes" / "train-0.parquet")
    return folder


def foxes(count: int) -> list[bytes]:
    """Photographs of what no breed of the model is."""
    return [row["image"]["bytes"] for row in islice(rows("others", "train", **{"class": "fox"}), count)]


def test_full_mode_reaches_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL"):
        monkeypatch.delenv(name, raising=False)
    base = documented_folder(tmp_path / "base")
    settings = settings_in(tmp_path / "home", base_dataset=str(base))
    photos = foxes(NEW)
    push(settings, "flags", [flag(n, photo) for n, photo in enumerate(photos)])
    breed = {"label": "mudi", "name": "Mudi", "species": "dog", "group": "shepherd"}
    push(settings, "reviews", [review(n, "new_breed", **breed) for n in range(len(photos))], 1)

    services = Services(settings)
    command = [sys.executable, "-m", "training.retrain"]
    jobs = Jobs(settings, [*command, *(part for choice in SHORT for part in ("--set", choice))])
    services.__dict__["retraining"] = jobs
    job = services.retrain("full")
    seen: dict[str, set[float]] = {}
    while (now := jobs.wait(job.spec.id, 0.2)) is not None and now.running:
        for step in now.progress.steps():
            if step.state == "active" and step.share:
                seen.setdefault(step.name, set()).add(step.share)
    assert now is not None
    result = now.progress.result
    assert result is not None, (now.sentence, now.stderr_tail)
    assert (now.state, result.outcome) == ("released", "published"), result.reasons
    for stage in ("embed", "fit", "calibrate"):
        assert len(seen[stage] - {1.0}) >= 5, f"{stage} moves while it works: {sorted(seen[stage])}"
    assert result.learnt == ("mudi",)
    report: dict[str, Any] = json.loads((Path(result.report) / "report.json").read_text())
    assert {check["name"] for check in report["checks"]} == {
        "overall", "groups", "breeds", "calibration", "flagged",
    }  # fmt: skip

    api = connect(settings)
    tags = list_tags(api, settings.model_repo, "model")
    assert set(tags) == {f"v{embedded_version()}", f"v{result.version}"}
    bundle = download(api, settings, settings.model_repo, result.revision)
    own = json.loads((EMBEDDED_BUNDLE / "config.json").read_text())
    assert len(bundle.config.classifier.labels) == len(own["classifier"]["labels"]) + 1
    gate = load_gate(bundle)
    assert gate is not None
    assert len(gate.out_of_distribution), "photographs without a pet go on being known"
    served = Identifier.load(bundle.folder)
    assert served.identify(read_photo(photos[0])) is not None
    services.flags.close()
