"""Log the figures of head and epochs: to TensorBoard always, to MLflow and trackio if the recipe asks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from training.common.errors import TrainingError
from training.recipe.recipe import Recipe


def trackers(recipe: Recipe, folder: Path) -> list[keras.callbacks.Callback]:
    """Return the tracking callbacks for `training.fitting.fit.fit`.

    Args:
        recipe: its section ``tracking`` chooses the trackers.
        folder: the run directory; TensorBoard's files go into ``tensorboard/``.

    Raises:
        TrainingError: a tracker was asked for that is not installed.
    """
    found: list[keras.callbacks.Callback] = [
        keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False)
    ]
    if recipe.tracking.mlflow:
        found.append(MLflowTracker(_installed("mlflow"), recipe, folder))
    if recipe.tracking.trackio:
        found.append(TrackioTracker(_installed("trackio"), recipe, folder))
    return found


def log_head(folder: Path, figures: Mapping[str, float]) -> None:
    """Log the figures of the head on the frozen backbone to TensorBoard; without epochs it gets nothing else.

    Args:
        folder: the run directory; written as a run of its own, ``tensorboard/head``.
        figures: held-back figures.
    """
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder / "tensorboard" / "head"))
    with writer.as_default():
        for name, value in figures.items():
            tf.summary.scalar(f"head/{name}", value, step=0)
    writer.close()


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise TrainingError(
            "not_installed",
            f"tracking.{name} needs the package {name}; install it with `pip install {name}` or "
            "leave the key empty. "
            f"Received: tracking.{name}, which is not installed",
        ) from None


def flat(recipe: Recipe) -> dict[str, Any]:
    """Return every choice of the recipe by its dotted key."""
    found: dict[str, Any] = {}

    def walk(value: Any, prefix: str) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(inner, f"{prefix}.{key}" if prefix else key)
        else:
            found[prefix] = value if isinstance(value, (int, float, str)) else str(value)

    walk(recipe.model_dump(mode="json"), "")
    return found


class MLflowTracker(keras.callbacks.Callback):  # type: ignore[misc]
    """Keras callback that logs the recipe and each epoch to an MLflow server or folder."""

    def __init__(self, mlflow: Any, recipe: Recipe, folder: Path) -> None:
        super().__init__()
        self.mlflow, self.recipe, self.folder = mlflow, recipe, folder

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.mlflow.set_tracking_uri(self.recipe.tracking.mlflow)
        self.mlflow.set_experiment(self.recipe.name)
        self.mlflow.start_run(run_name=self.folder.name)
        self.mlflow.log_params(flat(self.recipe))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.mlflow.log_metrics({key: float(value) for key, value in (logs or {}).items()}, step=epoch + 1)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.mlflow.end_run()


class TrackioTracker(keras.callbacks.Callback):  # type: ignore[misc]
    """Keras callback that logs the recipe and each epoch to a trackio project."""

    def __init__(self, trackio: Any, recipe: Recipe, folder: Path) -> None:
        super().__init__()
        self.trackio, self.recipe, self.folder = trackio, recipe, folder

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.trackio.init(
            project=self.recipe.tracking.trackio, name=self.folder.name, config=flat(self.recipe)
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.trackio.log({key: float(value) for key, value in (logs or {}).items()}, step=epoch + 1)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.trackio.finish()
