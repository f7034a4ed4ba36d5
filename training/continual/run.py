"""Retrain the head once, from reading the dataset repo to publishing the new version."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from smartbreed.core.errors import BundleError, HubCallError
from smartbreed.core.files import make_dirs
from smartbreed.dataset.needs import HELD_OUT
from smartbreed.hub.client import list_tags
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.classifier import Classifier
from smartbreed.inference.stored_embeddings import REPLAY
from training.continual.baseline import baseline_of
from training.continual.calibrate import calibrated
from training.continual.challenger import halved, head_of, raw_config
from training.continual.champion import Champion, ensure_published, find_champion
from training.continual.fit_head import fit_head
from training.continual.flagged import answer
from training.continual.gate import ModelLogits, compare
from training.continual.loss_checks import MARGINS
from training.continual.memory import Memory, load_memory
from training.continual.new_breed import ParentHead
from training.continual.plan import Plan, make_plan, read_record
from training.continual.release import Released, next_version, publish
from training.continual.views import embed_samples
from training.continual.work import Work
from training.continual.writing import history_of, write_version
from training.data.accepted_samples import Sample, accepted_samples
from training.data.accepted_scenes import labelled_photos
from training.data.flag_dataset import read_dataset
from training.export.gate_set import load_gate, stand_in

#: Reason in ``Work.facts["left_out"]`` for samples whose photo cannot be read.
UNREADABLE = "with a photo that cannot be read"
#: Reasons for which accepted samples are left out.
_WITHHELD = (UNREADABLE, "over one person's share", "without consent")


def retrain_head(work: Work) -> dict[str, Any]:
    """Learn, compare with the champion and, if the new head is better, publish it.

    Args:
        work: a retraining that has not begun.

    Returns:
        The result, as from `training.continual.work.Work.end`.

    Raises:
        SmartBreedError: the Hub, the disk or a bundle stopped it; nothing was published.
    """
    champion, plan = read(work)
    if enough(work, plan):
        plan, views = embed(work, champion, plan)
    if not enough(work, plan):
        return nothing_to_do(work, champion, plan)
    bundle, config = champion.bundle, raw_config(champion.bundle)
    old, memory = head_of(bundle), memory_of(bundle, plan.names)
    gate, examples = load_gate(bundle), memory.base
    if gate is None:
        gate, examples = stand_in(examples, plan.names)
    parent_head = ParentHead(old, examples, gate.out_of_distribution)
    trained_on, held_out = (
        plan.labelled_views(views, mask) for mask in (~plan.held_out, plan.held_out & plan.fresh)
    )
    with work.stage("fit", plan.title()):
        new = halved(fit_head(parent_head, trained_on, len(plan.labels)))
    with work.stage("calibrate", "Setting temperature and thresholds"):
        changed = calibrated(config, old, new, gate)
    with work.stage("gate", "Comparing it with the current model"):
        unseen = plan.fresh[~plan.held_out]
        answers = answer(parent_head, new, trained_on, plan.keys(~plan.held_out), held_out, unseen)
        before = ModelLogits(old.logits(gate.embeddings), config["classifier"]["temperature"])
        after = ModelLogits(new.logits(gate.embeddings), changed["temperature"])
        groups = [label.get("group") or label["id"] for label in plan.labels[: plan.known]]
        baseline = baseline_of(config, before.logits, gate)
        gate_result = compare(
            before, after, gate, groups, answers,
            baseline=baseline, words=plan.words, names=plan.called,
        )  # fmt: skip
    version = next_version(champion.base, new_breeds=bool(plan.new_breeds), taken=taken_versions(work))
    history = history_of(config, gate_result, version, plan.learnt())
    reasons = gate_result.reasons + plan.remarks
    if not gate_result.passed:
        return work.end(plan, gate_result, reasons, version, history)
    folder = work.scratch / "bundle"
    make_dirs(folder)
    with work.stage("export", f"Writing version {version}"):
        parent = parent_of(work, champion)
        write_version(
            work, folder, champion, plan, views, (old, new), changed, gate, memory, gate_result, version,
            {"repo": bundle.version.repo if parent is None else work.choices.repo,
             "revision": bundle.version.revision if parent is None else parent.revision,
             "version": bundle.config.version},
        )  # fmt: skip
    if parent is None:
        work.keep(folder)
        return work.end(plan, gate_result, reasons, version, history)
    with work.stage("publish", f"Publishing {version}"):
        work.before_publishing()
        released = publish(work.api, work.choices.repo, folder, version, parent, "\n".join(plan.sentences()))
    return work.end(plan, gate_result, reasons, version, history, released.revision)


def read(work: Work, share: float = HELD_OUT["head"]) -> tuple[Champion, Plan]:
    """Find the champion, read the dataset repo and plan what to learn; ``share`` of it is held out.

    Sets ``missed`` and ``facts`` of ``work``.
    """
    choices = work.choices
    with work.stage("read", f"Reading {choices.dataset}") as progress:
        champion = find_champion(work.api, work.settings, choices.repo)
        rows = read_dataset(work.api, choices.dataset, work.scratch, progress=progress)
        accepted = accepted_samples(rows.flags, rows.reviews)
        work.missed = labelled_photos(rows.flags, rows.reviews)
    plan = plan_of(champion.bundle, accepted.samples, share)
    work.facts |= {
        "dataset": choices.dataset,
        "dataset_revision": rows.revision,
        "skipped": rows.skipped,
        "left_out": accepted.left_out,
        "counts": {
            "flags": len(rows.flags),
            "decisions": len(rows.reviews),
            **_counts(plan),
        },
        "parent": {
            "repo": champion.bundle.version.repo,
            "revision": champion.bundle.version.revision,
            "version": champion.bundle.config.version,
        },
        "mode": choices.mode,
    }
    return champion, plan


def _counts(plan: Plan) -> dict[str, int]:
    return {
        "accepted samples": len(plan.samples),
        "new since the parent": int(plan.fresh.sum()),
        "held out": int(plan.held_out.sum()),
    }


def plan_without(
    work: Work, champion: Champion, plan: Plan, readable: Collection[str], share: float = HELD_OUT["head"]
) -> Plan:
    """Plan again without the samples that cannot be read, and report how many they are.

    A new breed may then have too few samples; the plan drops the rest of them too.

    Args:
        work: the retraining; its ``facts`` are brought up to date.
        champion: the model it is made from.
        plan: the plan so far.
        readable: keys of the samples of ``plan`` that can be read.
        share: see `plan_of`.
    """
    unreadable = {sample.key for sample in plan.samples}.difference(readable)
    if not unreadable:
        return plan
    work.facts["left_out"][UNREADABLE] = len(unreadable)
    # From all accepted samples, so that the remarks about breeds with too few stay.
    plan = plan_of(champion.bundle, [one for one in plan.accepted if one.key not in unreadable], share)
    work.facts["counts"] |= _counts(plan)
    return plan


def plan_of(bundle: Bundle, samples: list[Sample], share: float = HELD_OUT["head"]) -> Plan:
    """Plan what a bundle can learn from accepted samples; ``share`` of them is held out."""
    labels = raw_config(bundle)["classifier"]["labels"]
    known = len(labels)
    if REPLAY in bundle.config.files:
        memory = load_memory(bundle.path(REPLAY), [label["id"] for label in labels])
        known = int(memory.base.labels.max(initial=-1)) + 1
    return make_plan(labels, known, samples, read_record(bundle), share)


def embed(work: Work, champion: Champion, plan: Plan) -> tuple[Plan, np.ndarray]:
    """Embed the accepted samples.

    Returns:
        The plan without samples that cannot be read, and the embeddings of the others ``(n, views, d)``.
    """
    bundle, found = champion.bundle, len(plan.samples)
    with work.stage("embed", f"Looking at {found} accepted photos") as progress:
        views, readable = embed_samples(Classifier(bundle, 2), plan.samples, progress=progress)
    keys = [plan.samples[i].key for i in readable]
    plan = plan_without(work, champion, plan, keys)
    place = {key: number for number, key in enumerate(keys)}
    return plan, views[[place[sample.key] for sample in plan.samples]]


def enough(work: Work, plan: Plan) -> bool:
    """True when there are enough new samples to learn from and to tell whether learning helped."""
    return int(plan.fresh.sum()) >= _wanted(work)


def _wanted(work: Work) -> int:
    return max(MARGINS.least, work.choices.by_count)


def nothing_to_do(work: Work, champion: Champion, plan: Plan) -> dict[str, Any]:
    """End the retraining without a new model because there are too few new samples."""
    version, fresh = champion.bundle.config.version, int(plan.fresh.sum())
    wanted = _wanted(work)
    reason = f"No newly accepted photos to learn from since version {version}; at least {wanted} are needed."
    if fresh:
        reason = (
            f"1 newly accepted photo to learn from since version {version}; at least {wanted} are needed."
            if fresh == 1
            else f"{fresh} newly accepted photos to learn from since version {version}; at least {wanted} "
            "are needed."
        )
    left_out = [
        f"Left out: {count} {why}." for why, count in work.facts["left_out"].items() if why in _WITHHELD
    ]
    history = history_of(raw_config(champion.bundle), None, version, [])
    why = "too_few" if fresh or plan.remarks else "nothing_new"
    return work.end(plan, None, [reason, *plan.remarks, *left_out], version, history, why_none=why)


def memory_of(bundle: Bundle, names: list[str]) -> Memory:
    """Load the bundle's replay memory.

    Raises:
        BundleError: it has none, so its head cannot be retrained without forgetting, or it is damaged.
    """
    if REPLAY not in bundle.config.files:
        raise BundleError(
            "This model bundle has no replay.npz, so its head cannot be retrained; use --mode full."
        )
    return load_memory(bundle.path(REPLAY), names)


def parent_of(work: Work, champion: Champion) -> Released | None:
    """Return the champion's release, publishing it first if the repo lacks it; None without publishing."""
    if not work.choices.publish:
        return None
    work.before_publishing()
    return ensure_published(work.api, work.choices.repo, champion)


def taken_versions(work: Work) -> set[str]:
    """Return the versions that the repo has a tag for."""
    if not work.choices.repo:
        return set()
    try:
        tags = list_tags(work.api, work.choices.repo, "model")
    except HubCallError as error:
        if error.kind != "no_repo":
            raise
        return set()
    return {name.removeprefix("v") for name in tags}
