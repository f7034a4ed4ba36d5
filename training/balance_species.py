"""A short last stage for the smaller species: ``python -m training.balance_species --data …``.

Cats are a tenth of the training crops, so whole epochs mostly teach dogs. Here
cats and as many dogs, drawn anew each epoch, are seen equally often. The dogs'
targets are what the model already says (learning without forgetting, Li & Hoiem
2016, https://arxiv.org/abs/1606.09282); the cats' are their labels.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import typer

from smartbreed.vision.classifier import softmax
from training.architectures.mobilenet_v2 import build_classifier
from training.data import held_back, load_crops
from training.train_classifier import HELD_BACK, CropBatches, accuracy, embed_logits


def main(
    data: Annotated[str, typer.Option(help="Dataset repo or folder.")],
    run: Annotated[Path, typer.Option(help="Run directory of the classifier.")] = Path("runs/classifier"),
    rounds: Annotated[int, typer.Option(help="Passes over the smaller species.")] = 3,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 3e-5,
    smoothing: Annotated[float, typer.Option(help="Label smoothing of the smaller species.")] = 0.08,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 7,
) -> None:
    """Go on from the run's weights; what was there stays as ``before_balance.weights.h5``."""
    keras.utils.set_random_seed(seed)
    crops = load_crops(data, "train")
    kept = held_back(crops.hashes, HELD_BACK)
    train, validation = crops.take(np.flatnonzero(~kept)), crops.take(np.flatnonzero(kept))
    model = build_classifier(len(crops.names))
    weights, before = run / "classifier.weights.h5", run / "before_balance.weights.h5"
    if not before.exists():
        shutil.copy(weights, before)
    model.load_weights(before)
    start = model.get_weights()

    few = np.flatnonzero(train.species == 0)
    rng = np.random.default_rng(seed)
    many = rng.choice(np.flatnonzero(train.species == 1), (rounds, len(few)), replace=False)
    cats = (1 - smoothing) * np.eye(len(crops.names), dtype=np.float32)[train.labels[few]]
    cats += smoothing / len(crops.names)
    dogs = softmax(embed_logits(model, train.images[many.ravel()])).astype(np.float32)
    images = np.concatenate([train.images[np.tile(few, rounds)], train.images[many.ravel()]])
    batches = CropBatches(images, np.concatenate([np.tile(cats, (rounds, 1)), dogs]), 32, seed)
    print(f"{len(images)} crops, half of them cats; before:", accuracy(model, validation), flush=True)

    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, len(batches), alpha=0.02, warmup_target=rate, warmup_steps=20
    )
    student = keras.Model(model.input, model.output["logits"])
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=1e-4, use_ema=True, ema_momentum=0.98, clipnorm=1.0
    )
    student.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=False)
    student.fit(batches, epochs=1, verbose=2)
    optimizer.finalize_variable_values(student.trainable_variables)
    # Halfway keeps what the cats gained on held-back data and most of what the dogs lose by it.
    halves = [(a + b) / 2 for a, b in zip(start, model.get_weights(), strict=True)]
    model.set_weights(halves)
    after = accuracy(model, validation)
    print("after:", after, flush=True)
    model.save_weights(weights)
    log = json.loads((run / "training.json").read_text())
    log["balance"] = {"rounds": rounds, "rate": rate, **after}
    (run / "training.json").write_text(json.dumps(log, indent=1))


if __name__ == "__main__":
    typer.run(main)
