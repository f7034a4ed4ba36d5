"""Fine-tune every layer on the base dataset and the accepted samples, through the training recipes.

This is slow (minutes on a GPU, hours on two cores) and only worth it with many samples. The
champion provides the start weights and is the teacher; the recipe does calibration, export and replay
memory. Comparison, report and release work as in head mode, except that both models run on the
pictures themselves, because their backbones differ.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.dataset.needs import HELD_OUT
from smartbreed.inference.bundle import Bundle, load_bundle, write_config
from smartbreed.inference.classifier import Classifier, Outputs
from smartbreed.inference.evaluation import FILE as EVALUATION
from smartbreed.inference.stored_embeddings import GATE
from training.continual.base_dataset import (
    OTHERS,
    base_folder,
    check_base,
    cut,
    extended_dataset,
    has_others,
    has_scenes,
    pixels_of,
)
from training.continual.baseline import baseline_from
from training.continual.calibrate import shifted_verification
from training.continual.challenger import raw_config
from training.continual.champion import Champion
from training.continual.flagged import Answers
from training.continual.gate import ModelLogits, compare
from training.continual.loss_checks import MARGINS
from training.continual.plan import Plan, write_record
from training.continual.release import next_version, publish
from training.continual.retrained_card import add_to_changelog, differences, license_of, render_card
from training.continual.run import (
    enough,
    nothing_to_do,
    parent_of,
    plan_without,
    read,
    taken_versions,
)
from training.continual.work import Progress, Work
from training.continual.writing import history_of
from training.data.accepted_scenes import scenes_of
from training.export.gate_set import GateSet, build_gate, load_gate
from training.export.replay import origins_of

#: Share of the accepted samples held out for evaluation; cross-fitting would take too long here.
SHARE = HELD_OUT["full"]
#: Reported stage, its message, and the recipe's stages that it consists of.
_STAGES = (
    ("embed", "Preparing the base dataset", ("prepare",)),
    ("fit", "Fine-tuning every layer; this takes a long time", ("train",)),
    ("calibrate", "Choosing temperature and thresholds", ("calibrate", "export")),
)
#: Suffixes of the files of a bundle that hold networks, weights and arrays; all others are documents.
_OF_EMBEDDINGS = (".tflite", ".h5", ".npz", ".npy")


def recipe_for(architecture: str) -> str:
    """Return the name of the recipe that fine-tunes a network of this architecture."""
    return "breeds" if architecture == "efficientnet_lite2" else "breeds_small"


def retrain_everything(work: Work, recipe: str = "") -> dict[str, Any]:
    """Run a retraining like `training.continual.run.retrain_head`, but fine-tune every layer with a recipe.

    Args:
        work: a retraining that has not begun.
        recipe: name or path of the recipe; "" for that of the champion's architecture.

    Returns:
        The result, as from `training.continual.work.Work.end`.

    Raises:
        SmartBreedError: the Hub, the disk, the recipe or the base dataset stopped it.
    """
    from training.common.run_directory import RunDirectory
    from training.pipeline.runner import run_recipe
    from training.recipe.file import load_recipe

    work.reporter.step("read", "Looking for the base dataset")
    base = base_folder(work.api, work.settings)  # fails now instead of after hours
    champion, plan = read(work, SHARE)
    if not enough(work, plan):
        return nothing_to_do(work, champion, plan)
    check_base(base, plan)
    with work.stage("embed", f"Looking at {len(plan.samples)} accepted photos") as progress:
        crops = cut(plan, champion.bundle, progress)
    plan = plan_without(work, champion, plan, crops, SHARE)
    if too_few := _too_few_held_out(plan):
        history = history_of(raw_config(champion.bundle), None, champion.bundle.config.version, [])
        return work.end(
            plan, None, [too_few, *plan.remarks], champion.bundle.config.version, history, why_none="too_few"
        )
    with work.stage("embed", f"Adding {len(plan.samples)} accepted photos to the base dataset"):
        scenes, _ = scenes_of(work.missed.photos)
        data = extended_dataset(base, work.scratch / "data", plan, crops, scenes)
    version = next_version(champion.base, new_breeds=bool(plan.new_breeds), taken=taken_versions(work))
    run = RunDirectory(work.scratch / "run", quiet=True)
    # Average with the champion (model soup), as the recipe does with the previous version. This needs the
    # same labels.
    parent = str(champion.bundle.folder)
    soup = "" if plan.new_breeds else parent
    # The plan has decided how few pictures of a breed are enough, so the recipe does not decide again.
    chosen = load_recipe(
        recipe or recipe_for(champion.bundle.config.classifier.architecture),
        [f"data.source={_yaml(str(data))}", "data.least=1", f"model.start={_yaml(f'bundle:{parent}')}",
         "head.rows=bundle", "train.epochs=4", f"train.soup={_yaml(soup)}",
         f"distil.teachers={_yaml([{'kind': 'bundle', 'file': parent}])}", *_others(champion, base),
         *(() if has_scenes(base) else ("data.scenes=", "train.outliers=false")),
         f"export.version={version}", f"export.detector={_yaml(parent)}", *work.choices.overrides],
    )  # fmt: skip
    for stage, message, parts in _STAGES:
        with work.stage(stage, message) as progress:
            for number, part in enumerate(parts):
                run.watch = _watching(progress, number, len(parts))
                run_recipe(chosen, run, (part,))
    return _finish(work, champion, plan, crops, run / "bundle", version)


def _yaml(value: Any) -> str:
    """Return a value as YAML on one line; a path may hold ``#`` or quotes."""
    return json.dumps(value, ensure_ascii=False)


def _others(champion: Champion, base: Path) -> tuple[str, ...]:
    """Return the override by which a new version recognises other animals if the champion does.

    What recognises them is fitted to the embeddings, which full mode changes, so it cannot be copied.
    """
    if not has_others(base):
        return ("data.others=",)
    return (f"data.others={OTHERS}",) if champion.bundle.config.classifier.other else ()


def _lost(champion: Bundle, challenger: Bundle) -> list[str]:
    """Return sentences about what the new version cannot do any more, for lack of pictures."""
    if champion.config.classifier.other is None or challenger.config.classifier.other is not None:
        return []
    return ["It does not recognise other animals any more, because it was made without pictures of them."]


def _watching(progress: Progress, number: int, of: int) -> Callable[[float, str], None]:
    """Return a callback that reports a stage of the recipe as part ``number``, from 0, of ``of`` parts."""
    return lambda share, message: progress(number + share, of, message)


def _too_few_held_out(plan: Plan) -> str:
    """Return why the gate could only refuse after hours of training; "" if it can compare."""
    compared = int((plan.held_out & plan.fresh).sum())
    if compared >= MARGINS.least:
        return ""
    return (
        "Full mode evaluates a new version on a fifth of the accepted photos, which it does not learn from: "
        f"{compared} of these are new, and {MARGINS.least} are needed; accept more, or use head mode."
    )


def _finish(
    work: Work, champion: Champion, plan: Plan, crops: dict[str, bytes], folder: Path, version: str
) -> dict[str, Any]:
    before, challenger = raw_config(champion.bundle), load_bundle(folder)
    with work.stage("gate", "Comparing it with the current model") as progress:
        classifiers = [Classifier(bundle, 2) for bundle in (champion.bundle, challenger)]
        images, labels, origins = _held_back(folder.parent)
        held = [s for s, o, f in zip(plan.samples, plan.held_out, plan.fresh, strict=True) if o and f]
        done, of = 0, 3 * len(images) + 2 * len(held)

        def ran(classifier: Classifier, shown: Iterable[np.ndarray]) -> Iterator[Outputs]:
            nonlocal done
            for image in shown:
                yield classifier.run(image)
                done += 1
                if done % max(1, of // 50) == 0:
                    progress(done, of)

        compared = [
            ModelLogits(_logits(classifier, ran(classifier, images)), classifier.config.temperature)
            for classifier in classifiers
        ]
        shown = [pixels_of(crops[sample.key]) for sample in held]
        index = np.array([plan.names.index(sample.label) for sample in held], np.int64)
        answers = Answers(index, *(_logits(classifier, ran(classifier, shown)) for classifier in classifiers))
        embeddings = np.stack([outputs.embedding for outputs in ran(classifiers[1], images)])
        written = load_gate(challenger)  # the recipe embedded the pet-less photographs
        out_of_distribution = (
            np.zeros((0, embeddings.shape[1])) if written is None else written.out_of_distribution
        )
        gate = GateSet(embeddings, labels, plan.names, origins, out_of_distribution)
        groups = [label.get("group") or label["id"] for label in plan.labels[: plan.known]]
        gate_result = compare(
            compared[0], compared[1], gate, groups, answers, words=plan.words, names=plan.called
        )
    history = history_of(before, gate_result, version, plan.learnt())
    lost = _lost(champion.bundle, challenger)
    reasons = gate_result.reasons + lost + plan.remarks
    if not gate_result.passed:
        return work.end(plan, gate_result, reasons, version, history)
    with work.stage("export", f"Writing version {version}"):
        parent = parent_of(work, champion)
        config = raw_config(challenger)
        config["classifier"]["labels"] = plan.labels
        config |= {
            "root": _baseline(compared[1], gate, version), "history": history,
            "name": before["name"], "metrics": gate_result.figures,
            **({"about": before["about"]} if before.get("about") else {}),
            "parents": [{"repo": work.choices.repo if parent else champion.bundle.version.repo,
                         "revision": parent.revision if parent else champion.bundle.version.revision,
                         "version": before["version"]}],
            "retraining": {"mode": "full", "dataset": work.choices.dataset,
                           "revision": work.facts["dataset_revision"],
                           "samples": int((~plan.held_out).sum()), "held_out": int(plan.held_out.sum())},
        }  # fmt: skip
        _keep_box_verification(config, before, compared)
        build_gate(
            folder / GATE,
            embeddings,
            labels,
            plan.names,
            out_of_distribution=out_of_distribution,
            origins=origins,
        )
        write_record(folder, plan.record(), work.choices.dataset, work.facts["dataset_revision"])
        if EVALUATION in champion.bundle.config.files:  # measured on an ancestor, whose version it names
            shutil.copyfile(champion.bundle.path(EVALUATION), folder / EVALUATION)
        _copy_documents(champion.bundle, folder)
        learnt = plan.sentences()
        facts = {
            "figures": gate_result.figures, "learnt": learnt, "mode": "full",
            "difference": differences(before, config, plan.known),
        }  # fmt: skip
        card = render_card(config, facts, license_of(champion.bundle))
        (folder / "README.md").write_text(card, encoding="utf-8")
        add_to_changelog(
            folder / "CHANGELOG.md", version, [*learnt, *gate_result.reasons, *lost], work.choices.now.date()
        )
        write_config(folder, config)
        load_bundle(folder)
    if parent is None:
        work.keep(folder)
        return work.end(plan, gate_result, reasons, version, history)
    with work.stage("publish", f"Publishing {version}"):
        work.before_publishing()
        released = publish(work.api, work.choices.repo, folder, version, parent, "\n".join(learnt))
    return work.end(plan, gate_result, reasons, version, history, released.revision)


def _copy_documents(parent: Bundle, folder: Path) -> None:
    """Copy the parent's documents that the folder lacks, such as its changelog and a licence.

    Its networks, weights and arrays belong to the old embeddings, so they are not copied.
    """
    for name in parent.config.files:
        if not name.endswith(_OF_EMBEDDINGS) and not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(parent.path(name), folder / name)


def _baseline(challenger: ModelLogits, gate: GateSet, version: str) -> dict[str, Any]:
    """Return the new version's score, the baseline of all head-mode versions after it."""
    return baseline_from(version, challenger.right(gate.labels)[gate.base]).as_dict()


def _keep_box_verification(
    config: dict[str, Any], before: dict[str, Any], compared: list[ModelLogits]
) -> None:
    """Rescale the champion's box verification to the new logits if none could be fitted.

    That is the case without whole photographs in the base dataset.
    """
    detector, old = config.get("detector"), before.get("detector") or {}
    if detector and not detector.get("confirm") and old.get("confirm"):
        largest = [model.logits.max(1) for model in compared]
        detector |= {"confirm": shifted_verification(old["confirm"], *largest), "score": old["score"]}


def _held_back(run: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return crops ``(n, h, w, 3)`` that the recipe held back, their labels and their sample keys.

    The key is "" for a crop of the base dataset.
    """
    from training.common.run_directory import RunDirectory
    from training.data.prepared import load_prepared
    from training.data.splits import VALIDATION

    part = load_prepared(RunDirectory(run, quiet=True)).part(VALIDATION)
    return part.images, part.labels, origins_of(part.sources)


def _logits(classifier: Classifier, answers: Iterable[Outputs]) -> np.ndarray:
    rows = [outputs.logits for outputs in answers]
    return np.stack(rows) if rows else np.zeros((0, len(classifier.config.labels)), np.float32)
