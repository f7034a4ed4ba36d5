"""Train a classifier as a recipe says.

1. Fit a head on the frozen backbone: on embeddings, in seconds.
2. Fine-tune what is not frozen towards soft targets on augmented crops, with an exponential
   average of the weights. Each epoch ends with a checkpoint from which a killed run resumes.
3. Evaluate points on the line from the start to the end (Wortsman et al. 2022,
   https://arxiv.org/abs/2109.01903) and keep the best on held-back data.

The run directory then holds ``head.weights.h5`` and ``targets.npy`` (after 1), ``backup/``, ``log.json``
and ``averaged.weights.h5`` (during 2), ``classifier.weights.h5`` and ``training.json`` (after 3).
"""

from __future__ import annotations

import math
import time
from typing import Any

import keras
import numpy as np
from keras import ops

from training.augment.crops import CropAugmentation, Mixing
from training.common.errors import RecipeError
from training.common.run_directory import TRAINED, RunDirectory
from training.data import Crops
from training.data.outliers import Unnamed
from training.distillation.targets import Targets, start_rows, targets_by, targets_of_views
from training.fitting.batches import CropBatches, Draw, oversampled
from training.fitting.fit import FitSettings, TowardsStart, fit, freeze_till
from training.fitting.frozen_features import FeatureBatches, FrozenFeatures, copy_weights, top_of
from training.fitting.head import accuracy, fit_head
from training.fitting.tracking import trackers
from training.fitting.weight_average import average_weights, blend, sentence
from training.models.embeddings import embed
from training.models.initial_network import Start, build_start
from training.recipe.recipe import Augment, Recipe, Train


class WeightedCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy with logits, soft targets and one weight per class.

    Unlike with Keras' ``class_weight``, a mixed target has the mixed weight of its classes.

    Args:
        weights: one per class, ``(classes,)``; a mean of 1 leaves the learning rate's effect unchanged.
    """

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__(name="weighted_crossentropy")
        self.weights = np.asarray(weights, np.float32)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss ``(batch,)`` of targets and logits ``(batch, classes)``."""
        return -ops.sum(y_true * self.weights * ops.log_softmax(y_pred, axis=-1), axis=-1)


class SetCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy with logits whose targets may be a set of labels, one of which is right.

    A target row of ones and zeros that sums to more than 1 is such a set: its loss is ``-log`` of the summed
    probability of its labels. The target of a cat of unknown breed, for instance, is all cat breeds.

    Example:
        >>> SetCrossentropy()(np.array([[1.0, 1.0, 0.0]]), np.log([[0.3, 0.2, 0.5]]))  # -log .5
    """

    def __init__(self) -> None:
        super().__init__(name="set_crossentropy")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss ``(batch,)`` of targets and logits ``(batch, classes)``."""
        y_true, chance = ops.cast(y_true, y_pred.dtype), ops.log_softmax(y_pred, axis=-1)
        inside = ops.logsumexp(chance + ops.log(y_true + 1e-9), axis=-1)
        return ops.where(is_set(y_true), -inside, -ops.sum(y_true * chance, axis=-1))


def is_set(targets: Any) -> Any:
    """Return which target rows ``(batch, classes)`` are a set of labels, bool ``(batch,)``."""
    return targets.sum(-1) > 1.5 if isinstance(targets, np.ndarray) else ops.sum(targets, axis=-1) > 1.5


def balanced_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return class weights inverse to class frequency, ``(classes,)``; their mean over the pictures is 1."""
    counts = np.bincount(labels, minlength=classes)
    return np.asarray(len(labels) / (classes * np.maximum(counts, 1)), np.float32)


#: Pictures per call of the teachers.
CHUNK = 512
WEIGHTS, LOG = "classifier.weights.h5", "training.json"


def crop_augmentation(augment: Augment) -> CropAugmentation | None:
    """Return the random changes that the recipe asks for; None if it turns them off."""
    ranges = augment.model_dump(exclude={"enabled", "mixup", "cutmix"})
    return CropAugmentation(**ranges) if augment.enabled else None


def train_classifier(
    recipe: Recipe,
    run: RunDirectory,
    train: Crops,
    validation: Crops,
    unnamed: Unnamed | None = None,
) -> dict[str, Any]:
    """Train, or resume training, and leave the weights in the run directory.

    Args:
        recipe: every choice.
        run: the run directory.
        train: pictures to learn from.
        validation: held-back pictures to make choices by.
        unnamed: more pictures to learn from, for which no single label is right.

    Returns:
        The content of ``training.json``: figures of the head, of each epoch and of each blend.

    Raises:
        RecipeError, InitialWeightsError: a choice does not suit the network or the data.
    """
    keras.utils.set_random_seed(recipe.seed)
    steps = _steps(recipe, train, unnamed)
    run.expect(
        _pictures_before(recipe, run, len(train))
        + recipe.train.epochs * (TRAINED * steps * recipe.train.batch + len(validation))
    )
    log: dict[str, Any] = {"started": time.time(), "epochs": []}
    start = build_start(recipe.model, len(train.names))
    model = start.model
    targets = _head(recipe, run, start, train)
    log["head"] = accuracy(model, validation)
    run.say(f"head on the frozen backbone: {sentence(log['head'])}", **log["head"])
    begun = model.get_weights()
    if recipe.train.epochs:
        log["epochs"] = _fine_tune(recipe, run, model, train, targets, validation, unnamed)
        kept = "best" if recipe.train.keep == "best" else "averaged"
        model.load_weights(run / f"{kept}.weights.h5")
        log["blends"] = blend(recipe, run, model, begun, validation)
    if recipe.train.soup:
        log["soup"] = average_weights(recipe.train.soup, run, model, validation)
    model.save_weights(run / WEIGHTS)
    weighty = [layer for layer in model.layers if layer.weights]
    frozen = sum(not layer.trainable for layer in weighty) if recipe.train.epochs else len(weighty) - 1
    log |= {"frozen": frozen, "layers": len(weighty), "held_back": accuracy(model, validation)}
    log["seconds"] = log["epochs"][-1]["seconds"] if log["epochs"] else round(time.time() - log["started"])
    run.write_json(LOG, log)
    return log


def _head(recipe: Recipe, run: RunDirectory, start: Start, train: Crops) -> np.ndarray:
    """Fit the head, or load that of a killed run; return the soft targets for `CropBatches`."""
    model = start.model
    targets_path, head_path = run / "targets.npy", run / "head.weights.h5"
    if head_path.exists():  # written last, so targets.npy is complete
        model.load_weights(head_path)
        return np.load(targets_path)
    choices, augment = recipe.head, crop_augmentation(recipe.augment)
    needs = choices.epochs or recipe.distil.teachers
    run.say(
        f"looking at {len(train)} pictures with the frozen backbone"
        if needs
        else "starting from a random head"
    )
    soften = targets_by(recipe, start, train, augment)
    # Compute the targets before the head is fitted: the start network may be a teacher.
    shown = _shown(recipe, run, train, soften)
    looking = f"Looking at {len(train)} pictures as the network stands"

    def advance(count: int) -> None:
        run.advance(count, looking)

    if choices.epochs:
        plain = soften(train.images, train.labels) if recipe.distil.views else shown
        clean = embed(model, train.images, advance=advance)
        views = choices.views if augment else 0
        seen = [embed(model, train.images, augment, recipe.seed + view, advance) for view in range(views)]
        fit_head(
            model, np.concatenate([clean, *seen]), np.concatenate([plain] * (1 + views)),
            start_rows(recipe, start, train), choices.epochs, pull=recipe.train.towards_start,
            rate=choices.rate, least_steps=choices.least_steps, class_weights=_weights(recipe, train),
        )  # fmt: skip
    elif choices.rows != "zeros":
        kernel, bias = start_rows(recipe, start, train)
        model.get_layer("class_maps").set_weights([kernel[None, None], bias])
    np.save(targets_path, shown)
    model.save_weights(run / "pending.weights.h5")
    (run / "pending.weights.h5").replace(head_path)
    return shown


def _shown(recipe: Recipe, run: RunDirectory, train: Crops, soften: Targets) -> np.ndarray:
    """Return soft targets of what the network will be shown: the pictures, or their fixed views."""
    views = recipe.distil.views
    asking = f"Asking the teachers about {len(train)} pictures"
    if not views:
        parts = []
        for start in range(0, len(train), CHUNK):
            part = slice(start, start + CHUNK)
            parts.append(soften(train.images[part], train.labels[part]))
            run.advance(len(parts[-1]) * len(recipe.distil.teachers), asking)
        return np.concatenate(parts)
    run.say(f"asking the teachers about {views} views of each picture")
    asked = 0

    def progress(done: int, of: int) -> None:
        nonlocal asked
        run.say(f"asked about {done} of {of} views", done=done, of=of)
        run.advance((done - asked) * len(recipe.distil.teachers), asking)
        asked = done

    return targets_of_views(
        soften, train.images, train.labels, views, crop_augmentation(recipe.augment), recipe.seed,
        progress=progress,
    )  # fmt: skip


def _pictures_before(recipe: Recipe, run: RunDirectory, count: int) -> int:
    """Return how many pictures networks look at before the first epoch."""
    if (run / "head.weights.h5").exists():
        return 0
    views = recipe.head.views if recipe.augment.enabled else 0
    asked = len(recipe.distil.teachers) * max(1, recipe.distil.views)
    return count * (asked + (1 + views if recipe.head.epochs else 0))


def _steps(recipe: Recipe, train: Crops, unnamed: Unnamed | None) -> int:
    """Return the number of steps of an epoch."""
    count = draws_of(recipe, train).sum() + (0 if unnamed is None else len(unnamed))
    return recipe.train.steps or math.ceil(float(count) / recipe.train.batch)


def _weights(recipe: Recipe, train: Crops) -> np.ndarray | None:
    return (
        balanced_weights(train.labels, len(train.names)) if recipe.train.class_weights == "balanced" else None
    )


def _fine_tune(
    recipe: Recipe,
    run: RunDirectory,
    model: keras.Model,
    train: Crops,
    targets: np.ndarray,
    validation: Crops,
    unnamed: Unnamed | None,
) -> list[dict[str, Any]]:
    choices = recipe.train
    images, times = train.images, draws_of(recipe, train)
    if unnamed is not None and len(unnamed):
        theirs = unnamed.targets
        if targets.ndim == 3:  # targets of fixed views
            theirs = np.broadcast_to(theirs.astype(targets.dtype), (len(targets), *theirs.shape))
        images = np.concatenate([images, unnamed.images])
        targets = np.concatenate([targets, theirs], axis=-2)
        times = np.concatenate([times, np.ones(len(unnamed))])
    batch = min(choices.batch, len(images))
    draw = _sized(oversampled(times), choices.steps * batch)
    mixing = Mixing(mixup=recipe.augment.mixup, cutmix=recipe.augment.cutmix)
    augment = crop_augmentation(recipe.augment)
    frozen, trained = freeze(model, recipe), model
    if choices.cache:
        run.say(f"computing the frozen layers of {choices.cache} views of {len(images)} pictures")
        cut = str(recipe.model.freeze_till)
        trained = _top(model, cut)  # before the features, which take long: the cut may be impossible
        features = FrozenFeatures(
            model, cut, run / "features", images, choices.cache, augment, recipe.seed,
            lambda count: run.advance(count, "Computing the frozen layers"),
        )  # fmt: skip
        batches: CropBatches = FeatureBatches(features, targets, batch, recipe.seed, draw=draw, mixing=mixing)
    else:
        batches = CropBatches(images, targets, batch, recipe.seed, draw=draw, augment=augment, mixing=mixing)
    run.say(f"{frozen} layers frozen, {len(batches)} steps an epoch", frozen=frozen, steps=len(batches))
    student = TowardsStart(trained.input, trained.output["logits"])
    student.anchor(trained.get_layer("class_maps").kernel, choices.towards_start)

    def whole() -> keras.Model:
        if trained is not model:
            copy_weights(trained, model)
        return model

    weights = _weights(recipe, train)
    return fit(
        student, batches, fit_settings(choices, choices.epochs * len(batches)), run.folder,
        loss=SetCrossentropy() if weights is None else WeightedCrossentropy(weights),
        evaluate=lambda: accuracy(whole(), validation),
        save=lambda path: whole().save_weights(path),
        report=lambda entry: run.say(
            f"epoch {entry['epoch']} of {choices.epochs}: loss {entry['loss']:.3f}, {sentence(entry)}",
            **entry,
        ),
        callbacks=[*trackers(recipe, run.folder), _step_progress(recipe, run, len(batches), len(validation))],
    )  # fmt: skip


def _top(model: keras.Model, cut: str) -> keras.Model:
    """Return the layers after ``cut``; see `top_of`.

    Raises:
        RecipeError: a later layer reads more than ``cut`` gives, as inside a residual block.
    """
    try:
        return top_of(model, cut)
    except ValueError as error:
        why = str(error).partition(". Received")[0]
        raise RecipeError(
            "With train.cache, model.freeze_till must name a layer whose output is all that later ones read, "
            f"such as the end of a block. {why}. Received: model.freeze_till={cut}"
        ) from None


def _step_progress(recipe: Recipe, run: RunDirectory, steps: int, validated: int) -> Any:
    """Return a Keras callback that reports the progress of an epoch."""
    now, epochs = [0], recipe.train.epochs

    def begin(epoch: int, logs: Any) -> None:
        if epoch and not now[0]:  # a resumed run starts here
            run.advance(epoch * (TRAINED * steps * recipe.train.batch + validated), "Going on")
        now[0] = epoch + 1

    def step(number: int, logs: Any) -> None:
        run.advance(TRAINED * recipe.train.batch, f"Epoch {now[0]} of {epochs}: step {number + 1} of {steps}")

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=begin,
        on_train_batch_end=step,
        on_epoch_end=lambda epoch, logs: run.advance(
            validated, f"Epoch {epoch + 1} of {epochs} is evaluated"
        ),
    )


def fit_settings(choices: Train, steps: int) -> FitSettings:
    """Return the recipe's optimisation settings for a run of ``steps`` steps.

    The momentum of the weight average is limited so that it spans at most a third of the run. In a run of
    five steps a momentum of .998 would keep the start weights.
    """
    names = ("epochs", "rate", "warmup", "weight_decay", "clip", "schedule", "plateau_patience",
             "plateau_factor", "monitor", "stop_after", "towards_start")  # fmt: skip
    values = {name: getattr(choices, name) for name in names}
    return FitSettings(**values, average=max(0.0, min(choices.average, 1 - 3 / max(steps, 1))))


def freeze(model: keras.Model, recipe: Recipe) -> int:
    """Freeze the layers that the recipe names; return how many layers with weights are frozen.

    Raises:
        RecipeError: the network has no such layer.
    """
    try:
        frozen = freeze_till(model, recipe.model.freeze_till)
    except ValueError as error:
        raise RecipeError(f"model.{error}") from None
    if recipe.model.batch_norm == "frozen" and recipe.model.start != "none":
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    return frozen


def draws_of(recipe: Recipe, train: Crops) -> np.ndarray:
    """Return how often each picture is drawn per epoch, ``(count,)``.

    Raises:
        RecipeError: a key of ``train.oversample`` is neither a label nor a species.
    """
    times = np.ones(len(train))
    for key, count in recipe.train.oversample.items():
        if key in ("cat", "dog"):
            times[train.species == ("cat", "dog").index(key)] = count
        elif key in train.names:
            times[train.labels == train.names.index(key)] = count
        else:
            raise RecipeError(f"train.oversample names a label, cat or dog. Received: {key}")
    return times


def _sized(draw: Draw, count: int) -> Draw:
    return (lambda rng: np.resize(draw(rng), count)) if count else draw
