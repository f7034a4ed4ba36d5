"""Train the breed classifier: ``python -m training.train_classifier --data … --init …``.

1. A head on the frozen, folded backbone, started from the ImageNet rows.
2. Gentle fine-tuning of every layer towards soft targets on jittered crops, with
   an exponential average of the weights. Each epoch ends in a checkpoint.

Training data held back by content hash (never seen here) is for calibration.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
import typer
from keras import ops

from training.architectures.mobilenet_v2 import build_classifier
from training.crop_augmentation import CropAugmentation
from training.data import Crops, held_back, load_crops
from training.imagenet import CATS, imagenet_classes
from training.initial_weights import imagenet_mobilenet_v2, load_mobilenet_v2, read_npz
from training.teachers import edgetpu_probabilities, restricted_softmax, soft_targets

HELD_BACK = 0.05
#: Weight of the squared distance of the head from its start (L2-SP, Li et al. 2018,
#: https://arxiv.org/abs/1802.01483): a hundred pictures a breed know less than ImageNet's thousand.
TOWARDS_START = 2e-3
#: Points on the line from the start to the fine-tuned weights tried in the end (Wortsman et al. 2022,
#: https://arxiv.org/abs/2109.01903); the best on held-back data is kept.
BLENDS = (0.6, 0.8, 1.0)


def scale(images: np.ndarray) -> np.ndarray:
    """uint8 0…255 → float32 -1…1, the networks' preprocessing."""
    return images.astype(np.float32) / 127.5 - 1.0


class TowardsStart(keras.Model):  # type: ignore[misc]
    """A model pulled towards where the kernel of one of its layers stood when `anchor` was called."""

    def anchor(self, kernel: Any) -> None:
        self.pulled, self.origin = kernel, ops.convert_to_tensor(np.asarray(kernel.value))

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        distance = ops.sum(ops.square(ops.convert_to_tensor(self.pulled) - self.origin))
        return super().compute_loss(*args, **kwargs) + TOWARDS_START * distance


class CropBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled, augmented batches; the same seed gives the same batches."""

    def __init__(self, images: np.ndarray, targets: np.ndarray, batch: int, seed: int) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self.images, self.targets, self.batch, self.seed = images, targets, batch, seed
        self.augment = CropAugmentation()
        self.epoch = 0
        self._shuffle()

    def _shuffle(self) -> None:
        self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.images))

    def __len__(self) -> int:
        return len(self.images) // self.batch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        return scale(np.stack([self.augment(self.images[i], rng) for i in chosen])), self.targets[chosen]

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._shuffle()


def embed(
    model: keras.Model, images: np.ndarray, augment: CropAugmentation | None = None, seed: int = 0
) -> np.ndarray:
    """Embeddings ``(count, 1280)`` of uint8 ``images``, optionally of one augmented view of each."""
    features = keras.Model(model.input, model.output["embedding"])
    rng = np.random.default_rng(seed)
    rows = []
    for start in range(0, len(images), 64):
        batch = images[start : start + 64]
        if augment:
            batch = np.stack([augment(image, rng) for image in batch])
        rows.append(np.asarray(features.predict_on_batch(scale(batch))))
    return np.concatenate(rows)


def fit_head(
    model: keras.Model,
    embeddings: np.ndarray,
    targets: np.ndarray,
    start: tuple[np.ndarray, np.ndarray],
    epochs: int,
) -> None:
    """Fit the class-map layer on pooled features (pooling and a 1x1 convolution commute)."""
    dense = keras.layers.Dense(targets.shape[1])
    inputs = keras.Input((embeddings.shape[1],))
    head = TowardsStart(inputs, dense(inputs))
    dense.set_weights(list(start))
    head.anchor(dense.kernel)
    steps = epochs * -(-len(embeddings) // 256)
    head.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    head.fit(embeddings, targets, batch_size=256, epochs=epochs, verbose=0)
    kernel, bias = dense.get_weights()
    model.get_layer("class_maps").set_weights([kernel[None, None], bias])


def start_head(
    crops: Crops, arrays: dict[str, np.ndarray], known: dict[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Head rows from the ImageNet head where it has the breed, else the mean of those rows."""
    kernel, bias = arrays["predictions/kernel"], arrays["predictions/bias"]
    rows = known | {crops.names.index(cat): number for cat, number in CATS.items() if cat in crops.names}
    dogs = list(known.values()) or [0]
    start_kernel = np.repeat(kernel[:, dogs].mean(1, keepdims=True), len(crops.names), 1)
    start_bias = np.full(len(crops.names), bias[dogs].mean(), np.float32)
    for label, number in rows.items():
        start_kernel[:, label], start_bias[label] = kernel[:, number], bias[number]
    return start_kernel, start_bias


def accuracy(model: keras.Model, crops: Crops) -> dict[str, float]:
    logits = embed_logits(model, crops.images)
    right = logits.argmax(1) == crops.labels
    top5 = (np.argsort(-logits, 1)[:, :5] == crops.labels[:, None]).any(1)
    return {
        "top1": float(right.mean()),
        "top5": float(top5.mean()),
        "cats": float(right[crops.species == 0].mean()),
    }


def embed_logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    outputs = keras.Model(model.input, model.output["logits"])
    batches = [outputs.predict_on_batch(scale(images[i : i + 64])) for i in range(0, len(images), 64)]
    return np.concatenate([np.asarray(batch) for batch in batches])


def main(
    data: Annotated[str, typer.Option(help="Dataset repo or folder with a `breeds` configuration.")],
    out: Annotated[Path, typer.Option(help="Run directory.")] = Path("runs/classifier"),
    init: Annotated[
        Path | None, typer.Option(help="MobileNetV2 weights (.npz); default: keras.applications.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="uint8 ImageNet classifier (.tflite) as second teacher.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Epochs of fine-tuning.")] = 4,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 4e-5,
    batch: Annotated[int, typer.Option(help="Batch size.")] = 32,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 7,
    teacher_weight: Annotated[float, typer.Option(help="Share of the teachers in a dog's target.")] = 0.6,
    smoothing: Annotated[
        float, typer.Option(help="Label smoothing where no teacher knows the breed.")
    ] = 0.08,
) -> None:
    """Train and leave ``classifier.weights.h5`` and ``training.json`` in the run directory."""
    keras.utils.set_random_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    log: dict[str, Any] = {"started": time.time(), "epochs": []}
    everything = load_crops(data, "train")
    kept = held_back(everything.hashes, HELD_BACK)
    crops, validation = everything.take(np.flatnonzero(~kept)), everything.take(np.flatnonzero(kept))
    print(
        f"{len(crops)} training pictures, {len(validation)} held back, {len(crops.names)} breeds", flush=True
    )

    arrays = read_npz(init) if init else imagenet_mobilenet_v2()
    model = build_classifier(len(crops.names))
    load_mobilenet_v2(model, arrays)
    known = imagenet_classes(crops)

    clean = embed(model, crops.images)
    classes = np.array(list(known.values()))
    opinions = restricted_softmax(clean, arrays["predictions/kernel"], arrays["predictions/bias"], classes)
    if teacher:
        opinions = (opinions + edgetpu_probabilities(teacher, crops.images, classes)) / 2
    columns = {label: column for column, label in enumerate(known)}
    targets = soft_targets(
        crops.labels, len(crops.names), opinions, columns, weight=teacher_weight, smoothing=smoothing
    )
    augmented = embed(model, crops.images, CropAugmentation(), seed)
    fit_head(
        model,
        np.concatenate([clean, augmented]),
        np.concatenate([targets] * 2),
        start_head(crops, arrays, known),
        20,
    )
    log["head"] = accuracy(model, validation)
    print("head on the frozen backbone, held-back data:", log["head"], flush=True)
    model.save_weights(out / "head.weights.h5")

    batches = CropBatches(crops.images, targets, batch, seed)
    steps = epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, steps, alpha=0.02, warmup_target=rate, warmup_steps=min(200, steps // 10)
    )
    student = TowardsStart(model.input, model.output["logits"])
    student.anchor(model.get_layer("class_maps").kernel)
    start = model.get_weights()
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=1e-4, use_ema=True, ema_momentum=0.998, clipnorm=1.0
    )
    student.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=False)

    def checkpoint(epoch: int, logs: dict[str, float]) -> None:
        # Judge and keep the averaged weights, then go on from the raw ones.
        raw = student.get_weights()
        optimizer.finalize_variable_values(student.trainable_variables)
        entry = {"epoch": epoch + 1, "loss": float(logs["loss"]), **accuracy(model, validation)}
        entry["seconds"] = round(time.time() - log["started"])
        log["epochs"].append(entry)
        print(entry, flush=True)
        model.save_weights(out / "classifier.weights.h5")
        (out / "training.json").write_text(json.dumps(log, indent=1))
        student.set_weights(raw)

    student.fit(
        batches, epochs=epochs, verbose=2, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=checkpoint)]
    )
    model.load_weights(out / "classifier.weights.h5")
    tuned, best = model.get_weights(), -1.0
    for share in BLENDS:
        model.set_weights([(1 - share) * a + share * b for a, b in zip(start, tuned, strict=True)])
        entry = {"share": share, **accuracy(model, validation)}
        log.setdefault("blends", []).append(entry)
        print(entry, flush=True)
        if entry["top1"] >= best:
            best = entry["top1"]
            model.save_weights(out / "classifier.weights.h5")
    (out / "training.json").write_text(json.dumps(log, indent=1))


if __name__ == "__main__":
    typer.run(main)
