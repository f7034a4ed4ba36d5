"""Fine-tune everything on the base dataset and the accepted samples, through the training recipes.

Slow (a GPU for minutes, two cores for hours) and only worth it once many samples are there. The
champion gives the start weights and the opinions that are distilled; calibration, export and replay
memory are those of the recipe. What is judged, written about and published is as in head mode,
except that both models look at the photographs themselves, as their backbones differ.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from smartbreed.durable import make_dirs
from smartbreed.errors import PhotoError
from smartbreed.vision.bundle import Bundle, load_bundle, write_config
from smartbreed.vision.classifier import Classifier
from training.errors import DataError
from training.retraining.card import add_to_changelog, differences, render_card
from training.retraining.challenger import raw_config
from training.retraining.flagged import Answers
from training.retraining.gate import Judged, judge
from training.retraining.gate_set import FILE, GateSet, build_gate
from training.retraining.plan import Plan, write_record
from training.retraining.release import next_version, publish
from training.retraining.run import enough, nothing_to_do, parent_of, plan_of, read, taken_versions
from training.retraining.views import crop
from training.retraining.work import Work
from training.retraining.writing import history_of

#: Share of the accepted samples that only judges: no second training is affordable here.
HELD_OUT = 0.2


def retrain_everything(work: Work, recipe: str = "breeds") -> dict[str, Any]:
    """As `training.retraining.run.retrain_head`, with a training recipe instead of a lesson.

    Raises:
        SmartBreedError: the Hub, the disk, the recipe or the base dataset stopped it.
    """
    from training.recipe_file import load_recipe
    from training.run_directory import RunDirectory
    from training.runner import run_recipe

    champion, plan = read(work)
    plan = plan_of(champion.bundle, plan.samples, HELD_OUT)
    if not enough(work, plan):
        return nothing_to_do(work, champion, plan)
    make_dirs(work.folder)
    with work.stage("embed", f"Adding {len(plan.samples)} accepted photos to the base dataset"):
        data = extended_dataset(Path(work.choices.data), work.folder / "data", plan, champion.bundle)
    version = next_version(
        champion.bundle.config.version, new_breeds=bool(plan.new_breeds), taken=taken_versions(work)
    )
    run = RunDirectory(work.folder / "run", quiet=True)
    start = f"bundle:{champion.bundle.folder}"
    chosen = load_recipe(
        recipe,
        [f"data.source={data}", f"model.start={start}", "head.rows=bundle", "train.epochs=4",
         f"distil.teachers=[{{kind: bundle, file: '{champion.bundle.folder}'}}]",
         f"export.version={version}", f"export.detector={champion.bundle.folder}", *work.choices.overrides],
    )  # fmt: skip
    with work.stage("fit", "Fine-tuning every layer; this takes long"):
        run_recipe(chosen, run, ("prepare", "train", "calibrate", "export"))
    return _finish(work, champion, plan, run / "bundle", version)


def _finish(work: Work, champion: Any, plan: Plan, folder: Path, version: str) -> dict[str, Any]:
    before, challenger = raw_config(champion.bundle), load_bundle(folder)
    with work.stage("gate", "Comparing it with the present model"):
        looks = [Classifier(bundle, 2) for bundle in (champion.bundle, challenger)]
        images, labels = _held_back(folder.parent)
        judged = [Judged(_logits(look, images), look.config.temperature) for look in looks]
        held = [s for s, o, f in zip(plan.samples, plan.held_out, plan.fresh, strict=True) if o and f]
        crops = _crops(held, champion.bundle)
        index = np.array([plan.names.index(sample.label) for sample in held], np.int64)
        answers = Answers(index, *(_logits(look, crops) for look in looks))
        embeddings = np.stack([looks[1].run(image).embedding for image in images])
        gate = GateSet(
            embeddings, labels, plan.names, np.full(len(labels), ""), np.zeros((0, embeddings.shape[1]))
        )
        groups = [label.get("group") or label["id"] for label in plan.labels[: plan.known]]
        verdict = judge(judged[0], judged[1], gate, groups, answers)
    history = history_of(before, verdict, version, plan.learnt())
    reasons = verdict.reasons + plan.remarks
    if not verdict.passed:
        return work.end(plan, verdict, reasons, version, history)
    with work.stage("export", f"Writing version {version}"):
        parent = parent_of(work, champion)
        config = raw_config(challenger)
        config["classifier"]["labels"] = plan.labels
        config |= {
            "name": before["name"], "metrics": verdict.figures, "history": history,
            "parents": [{"repo": work.choices.repo if parent else champion.bundle.version.repo,
                         "revision": parent.revision if parent else champion.bundle.version.revision,
                         "version": before["version"]}],
            "retraining": {"mode": "full", "dataset": work.choices.dataset,
                           "revision": work.facts["dataset_revision"],
                           "samples": int((~plan.held_out).sum()), "held_out": int(plan.held_out.sum())},
        }  # fmt: skip
        build_gate(folder / FILE, embeddings, labels, plan.names)
        write_record(folder, plan.record(), work.choices.dataset, work.facts["dataset_revision"])
        learnt = plan.sentences()
        facts = {
            "figures": verdict.figures, "learnt": learnt, "mode": "full",
            "difference": differences(before, config, plan.known),
        }  # fmt: skip
        (folder / "README.md").write_text(render_card(config, facts), encoding="utf-8")
        add_to_changelog(
            folder / "CHANGELOG.md", version, [*learnt, *verdict.reasons], work.choices.now.date()
        )
        write_config(folder, config)
        load_bundle(folder)
    if parent is None:
        return work.end(plan, verdict, reasons, version, history)
    with work.stage("publish", f"Publishing {version}"):
        work.before_publishing()
        released = publish(work.api, work.choices.repo, folder, version, parent, "\n".join(learnt))
    return work.end(plan, verdict, reasons, version, history, released.revision)


def extended_dataset(base: Path, folder: Path, plan: Plan, champion: Bundle) -> Path:
    """The base dataset with one more shard of accepted crops and the names of new breeds.

    Raises:
        DataError: the base dataset is no folder of parquet files as `docs/training.md` describes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = sorted((base / "breeds").glob("*.parquet"))
    if not shards:
        raise DataError(f"--data must be a folder with breeds/*.parquet in it. Received: {base}")
    make_dirs(folder / "breeds")
    for name in ("README.md", "scenes"):
        if (base / name).exists() and not (folder / name).exists():
            (folder / name).symlink_to((base / name).resolve())
    schema = _with_names(pq.read_schema(shards[0]), plan.names)
    for shard in shards:
        pq.write_table(pq.read_table(shard).cast(schema), folder / "breeds" / shard.name)
    config, rows = champion.config.classifier, []
    for sample, out in zip(plan.samples, plan.held_out, strict=True):
        if out:
            continue
        try:
            pixels = crop(sample, config.margin, config.input_size)
        except PhotoError:
            continue
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
        species = next(label["species"] for label in plan.labels if label["id"] == sample.label)
        row = dict.fromkeys(schema.names)
        rows.append({**row, "image": {"bytes": buffer.getvalue(), "path": None},
                     "breed": plan.names.index(sample.label), "species": int(species == "dog"),
                     "source": "flags", "source_id": sample.key})  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "breeds" / "train-accepted.parquet")
    return folder


def _with_names(schema: Any, names: list[str]) -> Any:
    """The schema with the breed ids of ``names``, which must begin with its own."""
    info = json.loads(schema.metadata[b"huggingface"])
    own = info["info"]["features"]["breed"]["names"]
    if own != names[: len(own)]:
        raise DataError("The base dataset lists other breeds than the model, or in another order.")
    info["info"]["features"]["breed"]["names"] = names
    return schema.with_metadata({b"huggingface": json.dumps(info).encode()})


def _held_back(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Crops ``(n, h, w, 3)`` and labels that the recipe held back."""
    from training.data.prepared import load_prepared
    from training.data.splits import VALIDATION
    from training.run_directory import RunDirectory

    part = load_prepared(RunDirectory(run, quiet=True)).part(VALIDATION)
    return part.images, part.labels


def _crops(samples: list[Any], bundle: Bundle) -> np.ndarray:
    config = bundle.config.classifier
    pixels = [crop(sample, config.margin, config.input_size) for sample in samples]
    return np.stack(pixels) if pixels else np.zeros((0, config.input_size, config.input_size, 3), np.uint8)


def _logits(look: Classifier, images: np.ndarray) -> np.ndarray:
    rows = [look.run(image).logits for image in images]
    return np.stack(rows) if rows else np.zeros((0, len(look.config.labels)), np.float32)
