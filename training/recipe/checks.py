"""Choices that are fine alone and make no sense together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.recipe.recipe import Recipe


def contradiction(recipe: Recipe) -> str:
    """One sentence that names the keys and what was received; empty when all is well."""
    checks = [_shares, _start, _task, _distillation, _schedule, _outliers]
    return next((problem for check in checks if (problem := check(recipe))), "")


def _shares(recipe: Recipe) -> str:
    split, augment = recipe.split, recipe.augment
    if split.validation + split.test >= 1:
        return (
            "split.validation and split.test must leave something to train on. "
            f"Received: {split.validation} and {split.test}"
        )
    if not split.folds and not split.validation and recipe.task == "classify":
        return "split.validation must be above 0: choices and calibration need pictures. Received: 0"
    if split.folds == 1 or split.fold >= max(split.folds, 1):
        return (
            "split.fold must be below split.folds, and there are at least 2 folds. "
            f"Received: fold {split.fold} of {split.folds}"
        )
    if augment.mixup + augment.cutmix > 1:
        return (
            "augment.mixup and augment.cutmix must add up to at most 1. "
            f"Received: {augment.mixup} and {augment.cutmix}"
        )
    return ""


def _start(recipe: Recipe) -> str:
    model, head, train = recipe.model, recipe.head, recipe.train
    if model.start == "none":
        if model.freeze_till not in ("", 0):
            return (
                "model.freeze_till would freeze random weights when model.start is none. "
                f"Received: freeze_till={model.freeze_till}"
            )
        if train.epochs == 0 and recipe.task == "classify":
            return "train.epochs must be at least 1 when model.start is none. Received: 0"
    if head.rows == "bundle" and not model.start.startswith("bundle:"):
        return f"head.rows is bundle, so model.start must be a bundle. Received: model.start={model.start}"
    if head.rows == "imagenet" and model.backbone != "mobilenet_v2":
        return (
            "head.rows is imagenet, which only mobilenet_v2 has rows for. "
            f"Received: model.backbone={model.backbone}"
        )
    if head.epochs == 0 and train.epochs == 0 and recipe.task == "classify":
        return "head.epochs and train.epochs cannot both be 0: nothing would be trained. Received: 0 and 0"
    return ""


def _task(recipe: Recipe) -> str:
    detects, backbone = recipe.task == "detect", recipe.model.backbone
    if detects != (backbone == "ssd_mobilenet_v1"):
        return (
            "task detect goes with model.backbone ssd_mobilenet_v1, and only with it. "
            f"Received: task={recipe.task}, model.backbone={backbone}"
        )
    if recipe.data.accepted and not detects:
        return f"data.accepted is for task detect. Received: data.accepted={recipe.data.accepted}"
    if detects and recipe.evaluate.forms:
        return "evaluate.forms is for task classify. Received: task=detect, evaluate.forms=true"
    if detects and recipe.tune.trials:
        return f"tune.trials is for task classify. Received: task=detect, tune.trials={recipe.tune.trials}"
    return ""


def _distillation(recipe: Recipe) -> str:
    for teacher in recipe.distil.teachers:
        if (teacher.kind == "imagenet_head") == bool(teacher.file):
            return (
                "distil.teachers: imagenet_head takes no file, every other teacher needs one. "
                f"Received: kind={teacher.kind}, file={teacher.file!r}"
            )
        if teacher.kind == "imagenet_head" and recipe.model.backbone != "mobilenet_v2":
            return (
                "distil.teachers: imagenet_head is mobilenet_v2's own. "
                f"Received: model.backbone={recipe.model.backbone}"
            )
        if teacher.kind == "tflite" and recipe.model.input_size != 224:
            return (
                "distil.teachers: a tflite teacher looks at 224 pixels, so model.input_size must be 224. "
                f"Received: {recipe.model.input_size}"
            )
    return ""


def monitors_epochs(recipe: Recipe) -> bool:
    """Whether anything is decided by ``train.monitor``."""
    train = recipe.train
    by_epoch = train.keep == "best" or train.schedule == "plateau" or train.stop_after > 0
    return bool(recipe.tune.trials) or (by_epoch and train.epochs > 0)


def _schedule(recipe: Recipe) -> str:
    detects, monitor = recipe.task == "detect", recipe.train.monitor
    if detects and recipe.train.epochs == 0:
        return "train.epochs must be at least 1 for task detect: there is no head to fit alone. Received: 0"
    known = ("map", "ap50", "ap75") if detects else ("top1", "top5", "val_loss", "cats")
    # A detector's recipe that judges nothing by it need not name one.
    if monitor in known or (detects and monitor == "top1" and not monitors_epochs(recipe)):
        return ""
    return f"train.monitor must be one of {', '.join(known)} for task {recipe.task}. Received: {monitor}"


def _outliers(recipe: Recipe) -> str:
    if recipe.train.outliers and not recipe.data.scenes:
        return "train.outliers needs data.scenes, the photographs without a pet. Received: data.scenes=''"
    return ""
