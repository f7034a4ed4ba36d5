"""Run one iteration of the feedback loop, from a wrong answer to a right one, in a folder of its own.

``python examples/loop.py`` removes one breed from the model, flags twenty photographs of it with
corrections, reviews and publishes them, retrains, runs the gate, releases and swaps the model, and
identifies held-out photographs before and after. Everything is real: the services of the app, the
embedded Hub, the trainer's process. Nothing outside the folders that it names is touched.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartbreed.inference.results import Pet
    from smartbreed.services import Services

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data" / "pets"
REVIEWER = "0" * 64

Steps = list[tuple[str, str, float]]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--photos", type=Path, default=SHARED, help="<label>/*.jpg, or a dataset like the default"
    )
    parser.add_argument("--breed", default="keeshond", help="what the model is not to know at first")
    parser.add_argument("--count", type=int, default=20, help="photographs to flag")
    parser.add_argument("--out", type=Path, default=Path("loop-out"), help="where pictures and plot go")
    parser.add_argument("--keep", type=Path, help="SMARTBREED_HOME to use and keep; else a temporary one")
    asked = parser.parse_args()
    for name in list(os.environ):
        if name.startswith(("SMARTBREED_", "HF_")):
            del os.environ[name]  # the example must not use the settings of the person who runs it
    with tempfile.TemporaryDirectory(prefix="smartbreed-loop-") as folder:
        return walk(asked, Path(asked.keep or Path(folder) / "home"))


def walk(asked: argparse.Namespace, home: Path) -> int:
    """Run the whole iteration; return the exit status."""
    from examples.page import LoopResult, write_page
    from examples.photos import read_photos
    from examples.pictures import answers, plot
    from smartbreed.core.settings import load_settings
    from smartbreed.registry.watcher import Watcher
    from smartbreed.services import Services

    steps: Steps = []
    asked.out.mkdir(parents=True, exist_ok=True)
    photos = read_photos(asked.photos, asked.breed, asked.count)
    settings = load_settings(home=home, hub="embedded", model="smartbreed/pets")
    with step(steps, f"a model without {asked.breed}") as say:
        say(begin(settings, asked.breed))
    services = Services(settings)
    first = services.model.current.version.version
    kept = photos.held_back[asked.breed]
    others = [
        (label, photo) for label, some in photos.held_back.items() if label != asked.breed for photo in some
    ]
    with step(steps, "asked before") as say:
        before, wrong = ask(services, kept), right(services, others)
        say(f"{named(before, asked.breed)} of {len(kept)} right")
    with step(steps, f"{asked.count} photographs flagged") as say:
        say(f"{flag(services, photos.to_flag[asked.breed], asked.breed)} flags")
    with step(steps, "reviewed") as say:
        say(f"{review(services)} accepted")
    with step(steps, "published, retrained, compared") as say:
        job = services.retraining.wait(services.retrain().spec.id)
        assert job is not None
        result = job.progress.result
        say(job.sentence)
    if result is None or not result.published:
        print_steps(steps)
        print("\n".join([job.sentence, *(result.reasons if result else [job.stderr_tail])]))
        return 1
    with step(steps, "swapped") as say:
        Watcher(services.model).check()
        say(f"version {services.model.current.version.version} answers")
    with step(steps, "asked again") as say:
        after, still = ask(services, kept), right(services, others)
        say(f"{named(after, asked.breed)} of {len(kept)} right")
    releases = services.releases.known()
    answers(asked.out / "before-and-after.png", kept, before, after, asked.breed)
    shares = [
        (named(some, asked.breed) / len(kept), correct / len(others))
        for some, correct in ((before, wrong), (after, still))
    ]
    plotted = asked.out / "accuracy-per-version.png"
    plot(plotted, [one.version for one in reversed(releases)], shares, asked.breed)
    versions = (first, services.model.current.version.version)
    others_right = (shares[0][1], shares[1][1])
    write_page(
        asked.out / "loop.html",
        LoopResult(asked.breed, versions, kept, before, after, others_right, steps, result.reasons),
        plotted,
    )
    print_steps(steps)
    print(f"\n{'version':<10}{asked.breed:>16}{'other breeds':>16}")
    for release, (mine, rest) in zip(reversed(releases), shares, strict=False):
        print(f"{release.version:<10}{mine:>16.1%}{rest:>16.1%}")
    print("\n" + "\n".join(f"- {reason}" for reason in result.reasons))
    print(f"\npage and pictures: {asked.out / 'loop.html'}; the trainer's report: {result.report}")
    services.stop()
    return 0


def begin(settings: object, breed: str) -> str:
    """Publish the model that ships, without one breed, as the first version."""
    from examples.hold_out import hold_out
    from smartbreed.core.settings import EMBEDDED_BUNDLE, Settings
    from smartbreed.hub import client
    from smartbreed.inference.bundle import load_bundle

    assert isinstance(settings, Settings)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        hold_out(EMBEDDED_BUNDLE, bundle, breed)
        version = load_bundle(bundle).config.version
        api = client.connect(settings)
        client.ensure_repo(api, settings.model_repo, "model")
        files: dict[str, bytes | Path] = {path.name: path for path in bundle.iterdir()}
        sha = client.commit_files(api, settings.model_repo, "model", files, title="The first version")
        client.tag(api, settings.model_repo, "model", f"v{version}", sha)
    return f"{version} at {sha[:10]}"


def ask(services: Services, photos: list[bytes]) -> list[Pet]:
    """Return the model's answer to each photograph, classified as a whole."""
    from smartbreed.inference.results import Identification

    most, pets = services.settings.max_photos, []
    for start in range(0, len(photos), most):
        found = services.identify_many([(photo, "") for photo in photos[start : start + most]], whole=True)
        pets += [answer.pets[0] for answer in found if isinstance(answer, Identification)]
    return pets


def right(services: Services, photos: list[tuple[str, bytes]]) -> int:
    """Return how many photographs get their label as the first guess."""
    pets = ask(services, [photo for _, photo in photos])
    return sum(pet.breeds[0].id == label for pet, (label, _) in zip(pets, photos, strict=True))


def named(pets: list[Pet], breed: str) -> int:
    """Return how many of the pets have the breed as their first guess."""
    return sum(pet.breeds[0].id == breed for pet in pets)


def flag(services: Services, photos: list[bytes], breed: str) -> int:
    """Flag each photograph as another visitor who corrects the answer; return how many flags are new."""
    from smartbreed.inference.results import Identification

    saved = 0
    for number, data in enumerate(photos):
        answer = services.identify(data, whole=True)
        assert isinstance(answer, Identification)
        receipt = services.flag(
            services.read(data), answer, number=1, verdict="wrong", label=breed, consent=True,
            flagger=f"visitor {number}",
        )  # fmt: skip
        saved += receipt.created
    return saved


def review(services: Services) -> int:
    """Accept all waiting flags, as a maintainer would; return how many."""
    from smartbreed.review import decisions

    waiting = [item.id for item in services.review.queue()]
    return len(services.review.decide(waiting, decisions.accept("an example"), REVIEWER).decisions)


@contextmanager
def step(steps: Steps, name: str) -> Iterator[Callable[[str], None]]:
    """Time a step; the block reports its outcome by calling the yielded function."""
    print(f"{name} …", file=sys.stderr)
    said: list[str] = []
    started = time.perf_counter()
    yield said.append
    steps.append((name, " ".join(said), time.perf_counter() - started))


def print_steps(steps: Steps) -> None:
    for name, said, seconds in steps:
        print(f"{name:<32}{said:<44}{seconds:>7.1f} s")
    print(f"{'':<76}{sum(seconds for *_, seconds in steps):>7.1f} s")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
