"""Train the pet detector: ``python -m training.train_detector --data … --init …``.

Starts from COCO weights (their cat and dog columns) and trains every layer on
composed scenes. A quarter of the pet-less photographs and a tenth of the others,
chosen by content hash, are held back for the choice of the score threshold.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
import typer
from keras import layers
from PIL import Image

from smartbreed.vision.boxes import decode, non_maximum_suppression, ssd_anchors
from training.architectures.ssd_mobilenet_v1 import build_detector
from training.batches import scale
from training.data import HELD_BACK_PETS, Scene, held_back, load_crops, load_scenes, split_scenes
from training.detection_metrics import Detections, average_precision, false_alarm_rate, recall
from training.initial_weights import load_plain, read_npz
from training.scene_augmentation import SceneComposer
from training.ssd_loss import SSDLoss, match

#: COCO's numbers of the classes kept, in our order (cat, dog).
COCO_COLUMNS = (17, 18)
COCO_CLASSES = 91
SIZE = 300


def coco_start(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep only the cat and dog columns of every score head."""
    arrays = dict(arrays)
    for key in [key for key in arrays if key.startswith("cls_")]:
        values = arrays[key].reshape(*arrays[key].shape[:-1], -1, COCO_CLASSES)
        arrays[key] = values[..., list(COCO_COLUMNS)].reshape(*arrays[key].shape[:-1], -1)
    return arrays


def detect(
    model: keras.Model, images: list[np.ndarray], *, score: float = 0.05, overlap: float = 0.5
) -> list[Detections]:
    """Boxes in 0…1 and scores of each picture, after suppression; for judging a network in training."""
    anchors, results = ssd_anchors(), []
    for start in range(0, len(images), 16):
        batch = np.stack(
            [
                np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
                for image in images[start : start + 16]
            ]
        )
        output = model.predict_on_batch(scale(batch))
        for codes, logits in zip(np.asarray(output["boxes"]), np.asarray(output["scores"]), strict=True):
            scores = 1 / (1 + np.exp(-logits.max(1)))
            likely = scores >= score
            boxes = np.clip(decode(codes[likely], anchors[likely]), 0, 1)
            kept = non_maximum_suppression(boxes, scores[likely], overlap, 20)
            results.append((boxes[kept], scores[likely][kept]))
    return results


def judge(model: keras.Model, scenes: list[Scene]) -> dict[str, float]:
    """COCO's mAP (mean AP over IoU .5, .55 … .95), AP50, AP75 and recall; false alarms without a pet."""
    pets = [scene for scene in scenes if len(scene.boxes)]
    empty = [scene for scene in scenes if not len(scene.boxes)]
    truths = [s.boxes / np.array([s.image.shape[1], s.image.shape[0]] * 2, np.float32) for s in pets]
    found, alarms = detect(model, [s.image for s in pets]), detect(model, [s.image for s in empty])
    by_overlap = {t: average_precision(truths, found, t / 100) for t in range(50, 100, 5)}
    result = {"map": round(float(np.mean(list(by_overlap.values()))), 4)}
    result |= {f"ap{t}": round(by_overlap[t], 4) for t in (50, 75)}
    for score in (0.3, 0.4, 0.5, 0.6):
        result[f"recall@{score}"] = round(recall(truths, found, 0.5, score), 4)
        result[f"false_alarms@{score}"] = round(false_alarm_rate(alarms, score), 4)
    return result


def hardness(detections: list[Detections]) -> np.ndarray:
    """Draw a pet-less photograph up to seven times as often when the starting network sees a pet in it.

    Without COCO's other 88 classes to lose against, badgers and monkeys look like dogs.
    """
    return np.array([1 + 6 * min(1.0, 2 * scores.max(initial=0.0)) for _, scores in detections])


class SceneBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Composed scenes with matched targets; the same seed gives the same batches."""

    def __init__(self, composer: SceneComposer, steps: int, batch: int, seed: int) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self.composer, self.steps, self.batch, self.seed, self.epoch = composer, steps, batch, seed, 0
        self.anchors = ssd_anchors()
        half = self.anchors[:, 2:] / 2
        low, high = self.anchors[:, :2] - half, self.anchors[:, :2] + half
        self.corners = np.stack([low[:, 1], low[:, 0], high[:, 1], high[:, 0]], axis=1)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        samples = [self.composer.draw(rng) for _ in range(self.batch)]
        targets = [match(s.boxes, s.species, self.anchors, self.corners, 2) for s in samples]
        return scale(np.stack([s.pixels for s in samples])), np.stack(targets)

    def start_epoch(self, epoch: int) -> None:
        """Draw the scenes of ``epoch``, counting from 0; a resumed run starts in the middle."""
        self.epoch = epoch

    def on_epoch_end(self) -> None:
        self.epoch += 1


def main(
    data: Annotated[
        str, typer.Option(help="Dataset repo or folder with `scenes` and `breeds` configurations.")
    ],
    init: Annotated[Path, typer.Option(help="SSD MobileNet v1 0.75 COCO weights (.npz).")],
    out: Annotated[Path, typer.Option(help="Run directory.")] = Path("runs/detector"),
    epochs: Annotated[int, typer.Option(help="Epochs of 2,500 composed scenes.")] = 10,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1.5e-4,
    batch: Annotated[int, typer.Option(help="Batch size.")] = 16,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 7,
) -> None:
    """Train and leave ``detector.weights.h5`` and ``training.json`` in the run directory."""
    keras.utils.set_random_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    train, validation = split_scenes(load_scenes(data, "train"))
    crops = load_crops(data, "train")
    some = np.random.default_rng(seed).permutation(np.flatnonzero(~held_back(crops.hashes, HELD_BACK_PETS)))[
        :3000
    ]
    model = build_detector()
    missing = load_plain(model, coco_start(read_npz(init)))
    assert not missing, f"{init} has no fitting weights for {', '.join(missing)}"
    empties = [s.image for s in train if not len(s.boxes)]
    composer = SceneComposer(
        pets=[(s.image, s.boxes, s.species) for s in train if len(s.boxes)],
        empties=empties,
        empty_weights=hardness(detect(model, empties)),
        crops=[(crops.images[i], int(crops.species[i])) for i in some],
    )
    log: dict[str, Any] = {"started": time.time(), "start": judge(model, validation), "epochs": []}
    print(
        f"{len(train)} training scenes, {len(validation)} held back; COCO weights:", log["start"], flush=True
    )

    steps = 2500 // batch
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, steps * epochs, alpha=0.02, warmup_target=rate, warmup_steps=min(150, steps)
    )
    student = keras.Model(
        model.input, layers.Concatenate(axis=-1)([model.output["boxes"], model.output["scores"]])
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=1e-4, use_ema=True, ema_momentum=0.998, clipnorm=5.0
    )
    student.compile(optimizer, SSDLoss(), jit_compile=False)

    def checkpoint(epoch: int, logs: dict[str, float]) -> None:
        raw = student.get_weights()
        optimizer.finalize_variable_values(student.trainable_variables)
        entry = {"epoch": epoch + 1, "loss": float(logs["loss"]), **judge(model, validation)}
        entry["seconds"] = round(time.time() - log["started"])
        log["epochs"].append(entry)
        print(entry, flush=True)
        model.save_weights(out / "detector.weights.h5")
        (out / "training.json").write_text(json.dumps(log, indent=1))
        student.set_weights(raw)

    student.fit(
        SceneBatches(composer, steps, batch, seed),
        epochs=epochs,
        verbose=2,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=checkpoint)],
    )


if __name__ == "__main__":
    typer.run(main)
