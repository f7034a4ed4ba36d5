"""Read, check, split and describe the pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.common.errors import DataError
from training.data.crops import Crops
from training.data.detector_photos import detector_photos
from training.data.duplicates import groups_of, near_duplicates
from training.data.label_errors import Suspect, out_of_fold, suspects
from training.data.labels import describe_labels
from training.data.listing import difference, listing
from training.data.prepared import Prepared, save_prepared
from training.data.reading import Read, pet_finder, read_crops
from training.data.sources import PictureSource, Sample, open_source
from training.data.splits import TEST, TRAIN, VALIDATION, require_enough, split_crops
from training.fitting.classifier import crop_augmentation
from training.pipeline.stage import Context
from training.recipe.recipe import Recipe
from training.reporting.crop_report import Findings, write_report
from training.reporting.scene_report import write_scene_report

#: List of the files that the pictures were prepared from, in the run directory.
LISTING = "prepared/listing.json"
#: Cost of running the network on a picture in the progress, in pictures read.
LOOKS = 3


def run(context: Context) -> dict[str, Any]:
    """Write ``prepared/`` and ``report/``.

    Raises:
        DataError: the pictures cannot be read or are too few.
    """
    if context.recipe.task == "detect":
        return _prepare_scenes(context)
    recipe, say = context.recipe, context.run.say
    context.run.write_json(LISTING, listing(recipe.data.source))
    source = open_source(recipe.data)
    labels = describe_labels(source.labels, recipe.data)
    samples = _limited(source, recipe)
    say(f"reading {len(samples)} pictures of {len(labels)} classes from {recipe.data.source} ({source.kind})")
    find = pet_finder(recipe.data.find) if recipe.data.find else None
    looks = LOOKS if _looks_for_errors(recipe) else 0
    context.run.expect(len(samples) * (1 + looks))
    reading = f"Reading {len(samples)} pictures"
    read = read_crops(
        samples, source.labels, recipe.data, recipe.model.input_size, recipe.seed, find,
        lambda count: context.run.advance(count, reading),
    )  # fmt: skip
    for item in read.dropped[:10]:
        say(f"dropped {item['origin']}: {item['reason']}", **item)
    if len(read.dropped) > 10:
        say(f"dropped {len(read.dropped) - 10} more; report/report.json lists them")
    crops = _named(read.crops, labels)
    require_enough(crops.labels[~read.copy], source.labels, recipe.data.least)
    pairs, groups = _groups(crops, read, recipe)
    places = split_crops(crops, read.splits, groups, recipe.split)
    places[read.copy & (places != TRAIN)] = ""
    _require_splits(places, crops, source.labels, recipe)
    prepared = Prepared(crops, places, labels)
    save_prepared(context.run, prepared)
    found, reason = _label_errors(context, crops, places, groups)
    report = write_report(
        Findings(crops, labels, places, read.sizes, pairs, read.dropped, found, reason),
        context.run / "report", crop_augmentation(recipe.augment), recipe.seed,
    )  # fmt: skip
    splits = report["splits"]
    say(
        f"{splits['train']} pictures to train on, {splits['validation']} to choose by, "
        f"{splits['test']} to test on; "
        f"{len(read.dropped)} dropped, {len(pairs)} near-duplicate pairs, "
        f"{'no look for' if found is None else len(found)} suspected label errors: see report/README.md",
        **splits,
    )
    return {"splits": splits}


def outdated(context: Context) -> str:
    """Return what has changed in the folder of the pictures since then; "" if nothing or without a folder."""
    before = context.run.read_json(LISTING)
    return difference(before, listing(context.recipe.data.source)) if before else ""


def _prepare_scenes(context: Context) -> dict[str, Any]:
    """Write ``report/`` for a detector, whose photographs are read again when it is trained.

    Raises:
        DataError: there is too little to train on.
    """
    data, run = context.recipe.data, context.run
    if not data.scenes:
        raise DataError("A detector needs data.scenes, the photographs with boxes. Received: data.scenes=''")
    dropped: list[dict[str, str]] = []
    found = detector_photos(data.source, data.scenes, data.accepted, data.others, data.held_classes, dropped)
    for item in dropped[:10]:
        run.say(f"dropped {item['origin']}: {item['reason']}", **item)
    train, validation = found.train, found.held_back
    for name, part in (("train on", train), ("hold back", validation)):
        pets, empty = sum(len(s.boxes) > 0 for s in part), sum(not len(s.boxes) for s in part)
        if not pets or not empty:
            raise DataError(
                f"There must be photographs with and without a pet to {name}. Received: {pets} "
                f"with, {empty} without"
            )
    if data.accepted:
        why = "; ".join(f"{count} {reason}" for reason, count in found.not_accepted.items())
        run.say(f"{found.accepted} photographs of accepted missed pets; left out: {why or 'none'}")
    write_scene_report(
        run / "report", train, validation, context.recipe.seed, near_duplicates=found.near_pairs,
        left_out_as_duplicates=found.duplicates, dropped=dropped, accepted=found.accepted,
    )  # fmt: skip
    run.say(
        f"{len(train)} photographs to train on, {len(validation)} held back, {len(dropped)} dropped, "
        f"{found.duplicates} left out because they nearly equal one held back or of the test split"
    )
    return {"splits": {"train": len(train), "validation": len(validation)}}


def _limited(source: PictureSource, recipe: Recipe) -> list[Sample]:
    """Return at most ``data.limit`` samples of each class and split, chosen by the seed."""
    if not recipe.data.limit:
        return source.samples
    taken: dict[tuple[str, str], int] = {}
    chosen = []
    for number in np.random.default_rng(recipe.seed).permutation(len(source.samples)):
        sample = source.samples[number]
        key = (sample.label, sample.split)
        taken[key] = taken.get(key, 0) + 1
        if taken[key] <= recipe.data.limit:
            chosen.append(int(number))
    return [source.samples[number] for number in sorted(chosen)]


def _named(crops: Crops, labels: list[dict[str, str]]) -> Crops:
    """Return the crops with the labels' ids, and with their species where the source does not say it."""
    numbers = {"cat": 0, "dog": 1}
    by_label = np.array([numbers.get(label["species"], -1) for label in labels], np.int64)
    species = np.where(crops.species < 0, by_label[crops.labels], crops.species)
    return Crops(
        crops.images, crops.labels, species, crops.sources, crops.hashes, [label["id"] for label in labels]
    )


def _groups(crops: Crops, read: Read, recipe: Recipe) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Return near-duplicate pairs for the report, and the groups that must not straddle a split."""
    originals = np.flatnonzero(~read.copy)
    bits = recipe.split.near_duplicates
    found = near_duplicates(crops.images[originals], bits if bits >= 0 else 4)
    pairs = [(int(originals[i]), int(originals[j])) for i, j in found]
    if bits < 0:  # off: near-duplicates are only reported
        return pairs, np.arange(len(crops))
    return pairs, groups_of(len(crops), pairs, crops.hashes)


def _require_splits(places: np.ndarray, crops: Crops, labels: list[str], recipe: Recipe) -> None:
    if not (places == VALIDATION).any():
        raise DataError(
            "No picture was held back to choose by; raise split.validation. "
            f"Received: split.validation={recipe.split.validation} of {len(crops)} pictures"
        )
    missing = np.setdiff1d(np.arange(len(labels)), crops.labels[places == TRAIN])
    if len(missing):
        raise DataError(
            "A class has no picture left to train on: all equal, or nearly equal, pictures of another split. "
            f"Received: {labels[missing[0]]}"
        )


def _looks_for_errors(recipe: Recipe) -> bool:
    return recipe.data.label_errors and recipe.model.start != "none"


def _label_errors(
    context: Context, crops: Crops, places: np.ndarray, groups: np.ndarray
) -> tuple[list[Suspect] | None, str]:
    recipe = context.recipe
    if not recipe.data.label_errors:
        return None, "data.label_errors is off."
    if recipe.model.start == "none":
        return None, "the network starts from nothing, so there are no embeddings to compare by."
    from training.models.embeddings import embed
    from training.models.initial_network import build_start

    looked_at = np.flatnonzero((places != TEST) & (places != ""))
    start = build_start(recipe.model, len(crops.names))
    embeddings = embed(
        start.model,
        crops.images[looked_at],
        advance=lambda count: context.run.advance(LOOKS * count, "Looking for wrong labels"),
    )
    chance = out_of_fold(embeddings, crops.labels[looked_at], groups[looked_at], len(crops.names))
    found = suspects(chance, crops.labels[looked_at])
    return [Suspect(int(looked_at[s.index]), s.label, s.thinks, s.confidence, s.instead) for s in found], ""
