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

from training.architectures.mobilenet_v2 import build_classifier
from training.batches import CropBatches, oversampled, scale
from training.crop_augmentation import CropAugmentation
from training.data import HELD_BACK, Crops, held_back, load_crops, load_scenes, split_scenes
from training.fit import FitSettings, TowardsStart, fit, freeze_till
from training.imagenet import CATS, imagenet_classes
from training.initial_weights import imagenet_mobilenet_v2, load_mobilenet_v2, read_npz
from training.mixing import Mixing
from training.outliers import outlier_crops
from training.teachers import edgetpu_probabilities, restricted_softmax, soft_targets

#: Weight of the squared distance of the head from its start (L2-SP, Li et al. 2018,
#: https://arxiv.org/abs/1802.01483): a hundred pictures a breed know less than ImageNet's thousand.
TOWARDS_START = 2e-3
#: Points on the line from the start to the fine-tuned weights tried in the end (Wortsman et al. 2022,
#: https://arxiv.org/abs/2109.01903); the best on held-back data is kept.
BLENDS = (0.6, 0.8, 1.0)


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
    head.anchor(dense.kernel, TOWARDS_START)
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


def start_from_frozen(
    model: keras.Model,
    crops: Crops,
    arrays: dict[str, np.ndarray],
    teacher: Path | None,
    weight: float,
    smoothing: float,
    seed: int,
) -> np.ndarray:
    """Fit the head on the frozen backbone; returns the soft targets ``(count, classes)``."""
    known = imagenet_classes(crops)
    clean = embed(model, crops.images)
    classes = np.array(list(known.values()))
    opinions = restricted_softmax(clean, arrays["predictions/kernel"], arrays["predictions/bias"], classes)
    if teacher:
        opinions = (opinions + edgetpu_probabilities(teacher, crops.images, classes)) / 2
    columns = {label: column for column, label in enumerate(known)}
    targets = soft_targets(
        crops.labels, len(crops.names), opinions, columns, weight=weight, smoothing=smoothing
    )
    augmented = embed(model, crops.images, CropAugmentation(), seed)
    fit_head(
        model,
        np.concatenate([clean, augmented]),
        np.concatenate([targets] * 2),
        start_head(crops, arrays, known),
        20,
    )
    return targets


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
    epochs: Annotated[int, typer.Option(help="Epochs of fine-tuning.")] = 12,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 8e-5,
    freeze: Annotated[str, typer.Option(help="Last layer that stays as it is.")] = "block_2_add",
    cats: Annotated[float, typer.Option(help="How often a cat is shown an epoch.")] = 2.5,
    mixup: Annotated[float, typer.Option(help="Share of batches blended.")] = 0.2,
    cutmix: Annotated[float, typer.Option(help="Share of batches cut and mixed.")] = 0.2,
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

    targets_path, head_path = out / "targets.npy", out / "head.weights.h5"
    if head_path.exists():  # written last: a killed run goes on from here
        model.load_weights(head_path)
        targets = np.load(targets_path)
    else:
        targets = start_from_frozen(model, crops, arrays, teacher, teacher_weight, smoothing, seed)
        np.save(targets_path, targets)
        model.save_weights(head_path)
    log["head"] = accuracy(model, validation)
    print("head on the frozen backbone, held-back data:", log["head"], flush=True)

    strangers = outlier_crops(
        [s.image for s in split_scenes(load_scenes(data, "train"))[0] if not len(s.boxes)], seed
    )
    flat = np.full((len(strangers), len(crops.names)), 1 / len(crops.names), np.float32)
    times = np.concatenate([np.where(crops.species == 0, cats, 1.0), np.ones(len(strangers))])
    batches = CropBatches(
        np.concatenate([crops.images, strangers]), np.concatenate([targets, flat]), batch, seed,
        draw=oversampled(times), augment=CropAugmentation(), mixing=Mixing(mixup=mixup, cutmix=cutmix),
    )  # fmt: skip
    start = model.get_weights()
    print(f"{freeze_till(model, freeze)} layers frozen, {len(batches)} steps an epoch", flush=True)
    student = TowardsStart(model.input, model.output["logits"])
    settings = FitSettings(epochs=epochs, rate=rate, average=0.999, towards_start=TOWARDS_START)
    student.anchor(model.get_layer("class_maps").kernel, settings.towards_start)
    log["epochs"] = fit(
        student, batches, settings, out,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        judge=lambda: accuracy(model, validation),
        save=model.save_weights,
    )  # fmt: skip
    model.save_weights(out / "classifier.weights.h5")
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
