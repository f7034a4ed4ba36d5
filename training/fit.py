"""Fit a network so that a killed run goes on from its last epoch.

After each epoch the run directory holds ``backup/`` (weights and optimizer, to go
on from), ``log.json`` (what each epoch scored) and ``averaged.weights.h5`` (the
exponential average of the weights, the one that is judged and kept).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from smartbreed.durable import replace_durably, write_tmp


class EpochBatches(Protocol):
    """What `fit` asks of its batches."""

    def start_epoch(self, epoch: int) -> None: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class FitSettings:
    """Optimisation.

    Attributes:
        epochs: passes over the data.
        rate: peak learning rate, reached after ``warmup`` steps, then cosine down to a fiftieth.
        warmup: steps of linear warm-up; at most a tenth of the run.
        weight_decay: of AdamW.
        average: momentum of the exponential average of the weights.
        clip: largest norm of the gradient of a variable.
        towards_start: weight of the squared distance of the head from its start (L2-SP, Li et al. 2018,
            https://arxiv.org/abs/1802.01483): a hundred pictures a breed know less than ImageNet's thousand.
    """

    epochs: int
    rate: float
    warmup: int = 200
    weight_decay: float = 1e-4
    average: float = 0.998
    clip: float = 1.0
    towards_start: float = 0.0


class TowardsStart(keras.Model):  # type: ignore[misc]
    """A model pulled towards where one kernel stood when `anchor` was called."""

    def anchor(self, kernel: Any, weight: float) -> None:
        self.pull = weight
        self.pulled, self.origin = kernel, ops.convert_to_tensor(np.asarray(kernel.value))

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        distance = ops.sum(ops.square(ops.convert_to_tensor(self.pulled) - self.origin))
        return super().compute_loss(*args, **kwargs) + self.pull * distance


def freeze_till(model: keras.Model, name: str) -> int:
    """Freeze every layer up to and including the one called ``name``; "" freezes none.

    Returns:
        How many layers with weights are frozen.

    Raises:
        ValueError: the model has no such layer.
    """
    names = [layer.name for layer in model.layers]
    if name and name not in names:
        raise ValueError(f"freeze_till must name a layer of {model.name}. Received: freeze_till={name}")
    last = names.index(name) if name else -1
    for position, layer in enumerate(model.layers):
        layer.trainable = position > last
    return sum(bool(layer.weights) for layer in model.layers[: last + 1])


def fit(
    student: keras.Model,
    batches: EpochBatches,
    settings: FitSettings,
    run: Path,
    *,
    loss: Any,
    judge: Callable[[], dict[str, float]],
    save: Callable[[Path], None],
    report: Callable[[dict[str, Any]], None] = lambda entry: print(entry, flush=True),
) -> list[dict[str, Any]]:
    """Train ``student``; its variables end as the average of the last epoch.

    Args:
        student: the network as trained: one output, uncompiled.
        batches: a `keras.utils.PyDataset` whose ``start_epoch`` shuffles.
        settings: optimisation.
        run: directory for ``backup/``, ``log.json`` and ``averaged.weights.h5``.
        loss: a Keras loss.
        judge: figures of the averaged weights, called after each epoch.
        save: writes the averaged weights to a path.
        report: told the entry of each epoch.

    Returns:
        One entry an epoch: ``epoch``, ``loss``, ``seconds`` and what ``judge`` said.
    """
    run.mkdir(parents=True, exist_ok=True)
    log_path = run / "log.json"
    log: list[dict[str, Any]] = json.loads(log_path.read_text()) if log_path.exists() else []
    steps = settings.epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.rate / 20, steps, alpha=0.02, warmup_target=settings.rate,
        warmup_steps=min(settings.warmup, max(1, steps // 10)),
    )  # fmt: skip
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=settings.weight_decay, use_ema=True, ema_momentum=settings.average,
        clipnorm=settings.clip,
    )  # fmt: skip
    student.compile(optimizer, loss, jit_compile=False)
    before = log[-1]["seconds"] if log else 0
    started = time.monotonic()

    def finish_epoch(epoch: int, logs: dict[str, float]) -> None:
        # Judge and keep the averaged weights, then go on from the raw ones.
        raw = student.get_weights()
        optimizer.finalize_variable_values(student.trainable_variables)
        entry = {"epoch": epoch + 1, "loss": float(logs["loss"]), **judge()}
        entry["seconds"] = round(before + time.monotonic() - started)
        del log[epoch:]
        log.append(entry)
        save(run / "averaged.weights.h5")
        replace_durably(write_tmp(run, log_path.name, json.dumps(log, indent=1).encode()), log_path)
        student.set_weights(raw)
        report(entry)

    student.fit(
        batches,
        epochs=settings.epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: batches.start_epoch(epoch), on_epoch_end=finish_epoch
            ),
            # Last, so that what it saves is what the next epoch starts from.
            keras.callbacks.BackupAndRestore(str(run / "backup"), delete_checkpoint=False),
        ],
    )
    optimizer.finalize_variable_values(student.trainable_variables)
    return log
