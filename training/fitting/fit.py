"""Fit a network so that a killed run resumes after its last finished epoch.

After each epoch the run directory holds ``backup/`` (weights and optimizer, to resume
from), ``log.json`` (the scores of each epoch) and ``averaged.weights.h5`` (the
exponential average of the weights, which is evaluated and kept).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from smartbreed.core.files import disk_errors, replace_durably, write_tmp
from training.fitting.progress import best_epoch, plateau_rate, should_stop

#: Name of the note in a `Backup`, the same as Keras' BackupAndRestore uses.
NOTE = "training_metadata.json"


class Backup:
    """A folder with the state after the last finished epoch.

    Keras' BackupAndRestore overwrites its only weights file and writes its note afterwards. A process
    killed in between leaves a file that does not load, or an epoch that runs twice. Here every epoch has
    its own file, and the note, renamed into place last, says which one counts.

    Args:
        folder: may hold a backup by BackupAndRestore, which is read too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def restore(self, model: keras.Model) -> int:
        """Load the saved state into a compiled model; return the number of finished epochs."""
        note = self.folder / NOTE
        if not note.is_file():
            return 0
        saved = json.loads(note.read_text())
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model.load_weights(self.folder / saved.get("file", "latest.weights.h5"))
        return int(saved["epoch"])

    def save(self, model: keras.Model, epochs: int) -> None:
        """Save the state after ``epochs`` epochs.

        Raises:
            StorageError: the disk refused; the previous state is kept.
        """
        name = f"epoch-{epochs:04d}.weights.h5"
        with disk_errors("The checkpoint was not written"):
            self.folder.mkdir(parents=True, exist_ok=True)
            model.save_weights(self.folder / name)
            note = json.dumps({"epoch": epochs, "file": name}).encode()
            replace_durably(write_tmp(self.folder, NOTE, note), self.folder / NOTE)
            for old in self.folder.glob("*.weights.h5"):
                if old.name != name:
                    old.unlink()


class EpochBatches(Protocol):
    """The interface of the batches that `fit` takes."""

    def start_epoch(self, epoch: int) -> None: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class FitSettings:
    """Settings of the optimisation.

    Attributes:
        epochs: passes over the data.
        rate: peak learning rate, reached after ``warmup`` steps; a cosine then lowers it to a fiftieth.
        warmup: steps of linear warm-up; at most a tenth of the run.
        weight_decay: weight decay of AdamW.
        average: momentum of the exponential average of the weights; 0 for none.
        clip: largest gradient norm of a variable.
        schedule: ``cosine``, or ``plateau``: a constant rate until ``monitor`` stops improving.
        plateau_patience, plateau_factor: epochs without a gain, and the factor on the rate after them.
        monitor: held-back figure that epochs are compared by.
        stop_after: epochs without a gain after which training ends; 0 for never.
        towards_start: weight of the squared distance of the head from its start (L2-SP, Li et al. 2018,
            https://arxiv.org/abs/1802.01483). A hundred pictures per breed say less than ImageNet's thousand.
    """

    epochs: int
    rate: float
    warmup: int = 200
    weight_decay: float = 1e-4
    average: float = 0.998
    clip: float = 1.0
    schedule: str = "cosine"
    plateau_patience: int = 2
    plateau_factor: float = 0.3
    monitor: str = "top1"
    stop_after: int = 0
    towards_start: float = 0.0


class TowardsStart(keras.Model):  # type: ignore[misc]
    """A model that is pulled towards the value that one kernel had when `anchor` was called."""

    def anchor(self, kernel: Any, weight: float) -> None:
        self.pull = weight
        self.pulled, self.origin = kernel, ops.convert_to_tensor(np.asarray(kernel.value))

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        distance = ops.sum(ops.square(ops.convert_to_tensor(self.pulled) - self.origin))
        return super().compute_loss(*args, **kwargs) + self.pull * distance


def freeze_till(model: keras.Model, last: str | int) -> int:
    """Freeze every layer up to and including ``last``, and no other.

    Args:
        model: the network.
        last: a layer's name; ``backbone`` for all but the head; a number for that many layers with weights,
            from the first; "" for none.

    Returns:
        The number of frozen layers with weights.

    Raises:
        ValueError: the model has no such layer.
    """
    names = [layer.name for layer in model.layers]
    weighty = [position for position, layer in enumerate(model.layers) if layer.weights]
    if last == "backbone":
        position = names.index("class_maps") - 1
    elif isinstance(last, int):
        if not 0 <= last <= len(weighty):
            raise ValueError(
                f"freeze_till must be 0 to {len(weighty)}, the layers with weights of {model.name}. "
                f"Received: freeze_till={last}"
            )
        position = weighty[last - 1] if last else -1
    else:
        if last and last not in names:
            layers = ", ".join(names[number] for number in weighty)
            raise ValueError(
                f"freeze_till must name a layer of {model.name}; those with weights are {layers}. "
                f"Received: freeze_till={last}"
            )
        position = names.index(last) if last else -1
    for number, layer in enumerate(model.layers):
        layer.trainable = number > position and layer.name != "preprocess"
    return sum(number <= position for number in weighty)


def fit(
    student: keras.Model,
    batches: EpochBatches,
    settings: FitSettings,
    run: Path,
    *,
    loss: Any,
    evaluate: Callable[[], dict[str, float]],
    save: Callable[[Path], None],
    report: Callable[[dict[str, Any]], None] = lambda entry: print(entry, flush=True),
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[dict[str, Any]]:
    """Train ``student``; its variables end as the weight average of the last epoch.

    Args:
        student: the network in training, with one output, uncompiled.
        batches: a `keras.utils.PyDataset` whose ``start_epoch`` shuffles.
        settings: settings of the optimisation.
        run: directory for ``backup/``, ``log.json``, ``averaged.weights.h5`` and ``best.weights.h5``.
        loss: a Keras loss.
        evaluate: returns figures of the averaged weights; called after each epoch.
        save: writes the averaged weights to a path.
        report: called with the entry of each epoch.
        callbacks: more Keras callbacks; they see the held-back figures as logs.

    Returns:
        One entry per epoch: ``epoch``, ``loss``, ``seconds`` and the figures of ``evaluate``.
    """
    run.mkdir(parents=True, exist_ok=True)
    log_path, backup = run / "log.json", Backup(run / "backup")
    log: list[dict[str, Any]] = json.loads(log_path.read_text()) if log_path.exists() else []
    optimizer = keras.optimizers.AdamW(
        _schedule(settings, len(batches)), weight_decay=settings.weight_decay, use_ema=settings.average > 0,
        ema_momentum=settings.average or 0.99, clipnorm=settings.clip,
    )  # fmt: skip
    student.compile(optimizer, loss, jit_compile=False)
    done = backup.restore(student)
    before = log[-1]["seconds"] if log else 0
    started = time.monotonic()

    def begin_epoch(epoch: int, logs: dict[str, float]) -> None:
        batches.start_epoch(epoch)
        if settings.schedule == "plateau":
            optimizer.learning_rate = plateau_rate(
                log[:epoch],
                settings.monitor,
                settings.rate,
                settings.plateau_patience,
                settings.plateau_factor,
            )

    def finish_epoch(epoch: int, logs: dict[str, float]) -> None:
        # Evaluate and save the averaged weights, then continue from the raw ones.
        raw = student.get_weights()
        optimizer.finalize_variable_values(student.trainable_variables)
        entry = {"epoch": epoch + 1, "loss": float(logs["loss"]), **evaluate()}
        entry["seconds"] = round(before + time.monotonic() - started)
        del log[epoch:]
        log.append(entry)
        save(run / "averaged.weights.h5")
        if settings.monitor in entry and best_epoch(log, settings.monitor) == epoch:
            save(run / "best.weights.h5")
        replace_durably(write_tmp(run, log_path.name, json.dumps(log, indent=1).encode()), log_path)
        student.set_weights(raw)
        logs.update({key: value for key, value in entry.items() if isinstance(value, float)})
        report(entry)
        student.stop_training = _stops(log, settings)

    if done < settings.epochs and not _stops(log, settings):
        student.fit(
            batches,
            initial_epoch=done,
            epochs=settings.epochs,
            verbose=0,
            callbacks=[
                keras.callbacks.LambdaCallback(on_epoch_begin=begin_epoch, on_epoch_end=finish_epoch),
                *callbacks,
                # Last, so that it saves the state that the next epoch starts from.
                keras.callbacks.LambdaCallback(
                    on_epoch_end=lambda epoch, logs: backup.save(student, epoch + 1)
                ),
            ],
        )
    optimizer.finalize_variable_values(student.trainable_variables)
    return log


def _schedule(settings: FitSettings, steps_an_epoch: int) -> Any:
    if settings.schedule == "plateau":
        return settings.rate
    steps = settings.epochs * steps_an_epoch
    warmup = min(settings.warmup, max(1, steps // 10))
    return keras.optimizers.schedules.CosineDecay(  # the decay begins after the warm-up
        settings.rate / 20, max(1, steps - warmup), alpha=0.02, warmup_target=settings.rate,
        warmup_steps=warmup,
    )  # fmt: skip


def _stops(log: list[dict[str, Any]], settings: FitSettings) -> bool:
    return bool(settings.stop_after) and should_stop(log, settings.monitor, settings.stop_after)
