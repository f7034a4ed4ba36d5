"""Time the feedback loop, and test learning a breed from ten photos: ``python -m benchmarks.loop``.

First table: 50 wrong answers are flagged, accepted, published, trained on, compared, released and swapped in.
Each step runs as in the app, on the bundle that ships and an embedded Hub in a temporary folder.

Second table: each of five breeds in turn is removed from the head, learnt again from ten of its training
photos, and tested on its test photos.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.photographs import DATA
from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings

BREEDS = "pug,keeshond,siamese,norfolk_terrier,toy_poodle"
REVIEWER = "0" * 64
_console = Console()


def crops(data: Path, split: str, wanted: set[str] | None = None) -> tuple[list[bytes], list[str]]:
    """Load the encoded crops of a split and their breed ids; ``wanted`` selects breeds, None takes all."""
    import json

    import pyarrow.parquet as pq

    pictures, labels = [], []
    for path in sorted((data / "breeds").glob(f"{split}-*.parquet")):
        table = pq.read_table(path, columns=["image", "breed"])
        names = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["breed"]["names"]
        for row in table.to_pylist():
            if wanted is None or names[row["breed"]] in wanted:
                pictures.append(row["image"]["bytes"])
                labels.append(names[row["breed"]])
    return pictures, labels


@contextmanager
def timed(steps: list[tuple[str, str, float]], name: str) -> Iterator[Callable[[str], None]]:
    said: list[str] = []
    started = time.perf_counter()
    yield said.append
    steps.append((name, " ".join(said), time.perf_counter() - started))


def first_guess(services: Any, picture: bytes) -> str:
    return str(services.identify(picture, whole=True).pets[0].breeds[0].id)


def wrong_answers(services: Any, pictures: list[bytes], labels: list[str], count: int) -> list[Any]:
    """Find crops that the model gets wrong, and return them as (file, label, answer), at most ``count``.

    The breeds with most errors come first, as in real use, where every visitor flags what a model confuses.
    """
    found: dict[str, list[Any]] = {}
    for data, label in zip(pictures, labels, strict=True):
        answer = services.identify(data, whole=True)
        if answer.pets[0].breeds[0].id != label:
            found.setdefault(label, []).append((data, label, answer))
    often = sorted(found.values(), key=len, reverse=True)
    return [one for wrong in often for one in wrong][:count]


def loop(data: Path, count: int) -> None:
    """Run the feedback loop once and print the seconds of each step."""
    from smartbreed.registry.watcher import Watcher
    from smartbreed.review import decisions
    from smartbreed.services import Services

    steps: list[tuple[str, str, float]] = []
    with tempfile.TemporaryDirectory(prefix="smartbreed-loop-") as folder:
        services = Services(load_settings(home=Path(folder) / "home", hub="embedded", model=""))
        wrong = wrong_answers(services, *crops(data, "test"), count)
        with timed(steps, "flag") as say:
            for number, (picture, label, answer) in enumerate(wrong):
                services.flag(
                    services.read(picture), answer, number=1, verdict="wrong", label=label, consent=True,
                    flagger=f"visitor {number}",
                )  # fmt: skip
            say(f"{len(wrong)} corrections by as many visitors")
        with timed(steps, "accept") as say:
            ids = [item.id for item in services.review.queue()]
            done = services.review.decide(ids, decisions.accept("benchmark"), REVIEWER)
            say(f"{len(done.decisions)} accepted")
        with timed(steps, "publish") as say:
            services.publisher.run(by_hand=True)
            say("flags and decisions, parquet, to the embedded Hub")
        with timed(steps, "retrain, gate, release") as say:
            job = services.retraining.wait(services.retrain().spec.id)
            assert job is not None
            say(job.sentence)
        if job.progress.result is not None and job.progress.result.published:
            with timed(steps, "swap") as say:
                Watcher(services.model).check()
                say(f"version {services.model.current.version.version} answers")
            fixed = sum(first_guess(services, picture) == label for picture, label, _ in wrong)
        else:
            fixed = 0
        services.stop()
    table = Table("step", "what", "seconds", title="Flag to swap")
    for name, said, seconds in steps:
        table.add_row(name, said, f"{seconds:.1f}")
    table.add_row("all", "goal: at most 60", f"{sum(seconds for *_, seconds in steps):.1f}", style="bold")
    _console.print(table)
    _console.print(f"Of the {len(wrong)} photos flagged, {fixed} are named right now.")
    for reason in job.progress.result.reasons if job.progress.result else [job.stderr_tail]:
        _console.print(f"- {reason}")


def new_breeds(data: Path, breeds: list[str], draws: int, photos: int) -> None:
    """Print how well breeds are learnt from a few photos, and how much accuracy the others lose."""
    from smartbreed.inference.bundle import load_bundle
    from smartbreed.inference.classifier import Classifier
    from training.continual.challenger import head_of
    from training.continual.fit_head import LabelledViews, fit_head
    from training.continual.memory import load_memory
    from training.continual.new_breed import ParentHead
    from training.continual.views import views_of
    from training.export.gate_set import load_gate
    from training.models.linear_head import Examples

    bundle = load_bundle(EMBEDDED_BUNDLE)
    classifier, names = Classifier(bundle, 2), [label.id for label in bundle.config.classifier.labels]
    side = bundle.config.classifier.input_size
    whole, memory = head_of(bundle), load_memory(bundle.path("replay.npz"), names).base
    gate = load_gate(bundle)
    out_of_distribution = gate.out_of_distribution if gate else None

    def embed(pictures: list[np.ndarray]) -> np.ndarray:
        with ThreadPoolExecutor(2) as pool:
            return np.stack(list(pool.map(lambda pixels: classifier.run(pixels).embedding, pictures)))

    pictures, labels = crops(data, "test")
    test, truth = (
        embed([_pixels(p, side) for p in pictures]),
        np.array([names.index(label) for label in labels]),
    )
    photos_of = dict[str, list[bytes]]()
    for picture, label in zip(*crops(data, "train", set(breeds)), strict=True):
        photos_of.setdefault(label, []).append(picture)
    table = Table(
        "breed", "named right", "others lose (points)", "seconds", title=f"Learnt from {photos} photos"
    )
    every = []
    for breed in breeds:
        gone = names.index(breed)
        rest, mine = memory.labels != gone, truth == gone
        kept = Examples.of(memory.embeddings[rest], _shifted(memory.labels[rest], gone))
        parent = ParentHead(whole.without(gone), kept, out_of_distribution)
        others, right = test[~mine], _shifted(truth[~mine], gone)
        before = (parent.head.logits(others).argmax(1) == right).mean()
        for draw in range(draws):
            chosen = np.random.default_rng(draw).permutation(len(photos_of[breed]))[:photos]
            pixels = [_pixels(photos_of[breed][i], side) for i in chosen]
            started = time.perf_counter()
            views = np.stack([embed(views_of(p, int(i))) for p, i in zip(pixels, chosen, strict=True)])
            learnt_views = LabelledViews(views, np.full(len(views), len(names) - 1))
            head = fit_head(ParentHead(parent.head, kept, out_of_distribution), learnt_views, len(names))
            seconds = time.perf_counter() - started
            own = (head.logits(test[mine]).argmax(1) == len(names) - 1).mean()
            lost = 100 * (before - (head.logits(others).argmax(1) == right).mean())
            every.append((breed, own, lost, seconds))
        _row(table, breed, [row for row in every if row[0] == breed])
    _row(table, "mean (goals: 80%, 0.5)", every, style="bold")
    _console.print(table)


def _row(table: Table, name: str, rows: list[tuple[str, float, float, float]], style: str = "") -> None:
    own, lost, seconds = (np.array([row[column] for row in rows]) for column in (1, 2, 3))
    table.add_row(
        name, f"{own.mean():.1%} ± {own.std():.1%}", f"{lost.mean():.2f} ± {lost.std():.2f}",
        f"{seconds.mean():.1f}", style=style,
    )  # fmt: skip


def _pixels(picture: bytes, side: int) -> np.ndarray:
    with Image.open(io.BytesIO(picture)) as opened:
        return np.asarray(opened.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))


def _shifted(labels: np.ndarray, gone: int) -> np.ndarray:
    return np.asarray(labels - (labels > gone))


def main(
    data: Annotated[Path, typer.Option(help="Folder with breeds/*.parquet.")] = Path(DATA),
    count: Annotated[int, typer.Option(min=1, help="Accepted photos of the feedback loop.")] = 50,
    breeds: Annotated[str, typer.Option(help="Breeds to take out and learn.")] = BREEDS,
    draws: Annotated[int, typer.Option(min=1, help="Random choices of photos a breed.")] = 5,
    photos: Annotated[int, typer.Option(min=3, help="Photos to learn from.")] = 10,
    only: Annotated[str, typer.Option(help="loop or breeds; default: both.")] = "",
) -> None:
    """Print both tables."""
    if only != "breeds":
        loop(data, count)
    if only != "loop":
        new_breeds(data, [name for name in breeds.split(",") if name], draws, photos)


if __name__ == "__main__":
    typer.run(main)
