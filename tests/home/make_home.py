"""How ``home.tar.xz`` was made, by the program of commit cddeaa4 (version 0.1.0, before the packages moved).

In a checkout of that commit: ``PYTHONPATH=.:tests/training python make_home.py home.tar.xz``. A tiny
network with few different weights, so that it packs well, was retrained once on flags of coloured squares;
there are decisions, what of it all is published, and three flags that wait.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import tiny_bundle
from PIL import Image
from smartbreed.config import load_settings
from smartbreed.models.watcher import Watcher
from smartbreed.vision.bundle import load_bundle, write_config
from smartbreed.vision.classifier import Classifier
from training.replay import save_replay

from smartbreed.hub import client
from smartbreed.hub.connection import embedded_store
from smartbreed.review import rulings
from smartbreed.services import Services

REVIEWER = "0" * 64
RNG = np.random.default_rng(0)


def sparse_network(model, seed: int) -> None:
    """Weights of three values: nothing that looks like noise to a compressor."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            fan_in = np.prod(kernel.shape[:2]) * (1 if "depthwise" in layer.name else kernel.shape[2])
            share = 1.0 if "depthwise" in layer.name else 0.1
            scale = np.sqrt(2 / fan_in / share)
            signs = rng.choice([-1.0, 1.0], kernel.shape) * (rng.random(kernel.shape) < share)
            layer.set_weights([np.float16(scale) * signs, np.zeros_like(bias)])


def photo(label: int) -> bytes:
    """A picture of one colour and some noise; the colour stands for the breed."""
    shade = np.array([[200, 60, 40], [40, 190, 70], [50, 70, 210], [210, 200, 40], [180, 50, 190]])[label]
    pixels = np.clip(shade + RNG.normal(0, 12, (12, 12, 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.repeat(8, 0).repeat(8, 1)).save(buffer, "PNG")
    return buffer.getvalue()


def first_version(settings) -> None:
    tiny_bundle.random_network = sparse_network
    with tempfile.TemporaryDirectory() as folder:
        bundle = tiny_bundle.write_bundle(Path(folder) / "bundle")
        classifier = Classifier(load_bundle(bundle), 1)
        labels = np.repeat(np.arange(len(tiny_bundle.BREEDS)), 12)
        embeddings = []
        for label in labels:
            picture = Image.open(io.BytesIO(photo(label))).convert("RGB")
            embeddings.append(classifier.classify(picture, (0.0, 0.0, 96.0, 96.0)).embedding)
        save_replay(bundle / "replay.npz", np.array(embeddings), labels, list(tiny_bundle.BREEDS))
        config = json.loads((bundle / "config.json").read_text())
        write_config(bundle, config | {"version": "0.1.0", "name": "tiny"})
        api = client.connect(settings)
        client.ensure_repo(api, settings.model_repo, "model")
        files = {path.name: path for path in bundle.iterdir()}
        sha = client.commit_files(api, settings.model_repo, "model", files, title="The first version")
        client.tag(api, settings.model_repo, "model", "v0.1.0", sha)


def flag(services: Services, data: bytes, flagger: str, **said) -> str:
    answer = services.identify(data, whole=True, name="rex.png")
    receipt = services.flag(services.read(data), answer, consent=True, flagger=flagger, **said)
    return receipt.flag_id


def main(target: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        settings = load_settings(home=home, hub="embedded", model="smartbreed/pets")
        first_version(settings)
        services = Services(settings)
        for label, breed in enumerate(tiny_bundle.BREEDS):
            for n in range(6):
                flag(services, photo(label), f"visitor {n}", number=1, verdict="wrong", label=breed)
        waiting = [item.id for item in services.review.queue()]
        services.review.decide(waiting[:-1], rulings.accept("right"), REVIEWER)
        services.review.decide(waiting[-1:], rulings.reject("no photo of a pet"), REVIEWER)
        job = services.retraining.wait(services.retrain().order.id)
        assert job.state == "released", job.sentence
        Watcher(services.model).look()
        flag(services, photo(0), "visitor 1", number=1, verdict="unsure")
        flag(services, photo(1), "visitor 2", number=1, verdict="correct")
        flag(services, photo(2), "visitor 3", number=1, verdict="not_a_pet")
        services.flags.close()
        embedded_store(settings).close()
        with tarfile.open(target, "w:xz", preset=9) as tar:
            # Everything but the plots of the trainer's report.
            tar.add(home, "home", filter=lambda one: None if one.name.endswith(".png") else one)


if __name__ == "__main__":
    main(sys.argv[1])
