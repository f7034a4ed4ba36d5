"""Average networks that started from the same weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from training.common.errors import RecipeError
from training.common.run_directory import RunDirectory
from training.data import Crops
from training.fitting.head import accuracy
from training.models.from_bundle import other_bundle, rebuild_classifier
from training.recipe.recipe import Recipe


def blend(
    recipe: Recipe, run: RunDirectory, model: keras.Model, start: list[np.ndarray], validation: Crops
) -> list[dict[str, Any]]:
    """Set the model to the best point on the line from the start to its weights; the later among equals.

    Returns:
        One entry per point of ``train.blends``: ``share`` of the way and the held-back figures.
    """
    tuned, best, log = model.get_weights(), None, []
    for share in recipe.train.blends:
        mixed = [(1 - share) * a + share * b for a, b in zip(start, tuned, strict=True)]
        model.set_weights(mixed)
        entry = {"share": share, **accuracy(model, validation)}
        log.append(entry)
        if len(recipe.train.blends) > 1:
            run.say(f"{share:.0%} of the way from the start: {sentence(entry)}", **entry)
        if best is None or entry["top1"] >= best[0]:
            best = (entry["top1"], mixed)
    assert best is not None
    model.set_weights(best[1])
    return log


def average_weights(name: str, run: RunDirectory, model: keras.Model, validation: Crops) -> dict[str, Any]:
    """Average the model with another bundle's classifier if that lowers the held-back loss.

    Model soups, Wortsman et al. 2022, https://arxiv.org/abs/2203.05482. Both started from the same weights,
    so the midpoint is often better than either.

    Args:
        name: ``embedded`` or a bundle's folder.
        run: logs the result.
        model: left at the better point.
        validation: held-back crops; their ``names`` are the ids of the model's labels, in order.

    Returns:
        ``with``, ``version``, ``kept`` and the held-back figures at the midpoint.

    Raises:
        RecipeError: the bundle is missing, or holds another network or other labels.
    """
    bundle, own = other_bundle(name, "train.soup"), model.get_weights()
    _require_labels(name, [label.id for label in bundle.config.classifier.labels], validation.names)
    before = accuracy(model, validation)
    other = rebuild_classifier(bundle).get_weights()
    if [w.shape for w in other] != [w.shape for w in own]:
        raise RecipeError(f"train.soup must hold the same network with the same labels. Received: {name}")
    model.set_weights([(a + b) / 2 for a, b in zip(own, other, strict=True)])
    halfway = accuracy(model, validation)
    kept = halfway["val_loss"] < before["val_loss"]
    if not kept:
        model.set_weights(own)
    run.say(f"halfway to {name}: {sentence(halfway)}, {'kept' if kept else 'not kept'}", **halfway)
    return {"with": name, "version": bundle.version.version, "kept": kept, **halfway}


def _require_labels(name: str, theirs: list[str], ours: list[str]) -> None:
    """Refuse a bundle with other labels: heads with the same number of rows may have different labels.

    Raises:
        RecipeError: the labels or their order differ.
    """
    if theirs == ours:
        return
    lacking = sorted(set(ours) - set(theirs))
    if lacking:
        what = f"does not know {lacking[0]}"
    elif len(theirs) > len(ours):
        what = f"knows {sorted(set(theirs) - set(ours))[0]} besides"
    else:
        what = "has them in another order"
    raise RecipeError(
        f"train.soup must hold the same network with the same labels; this one {what}. Received: {name}"
    )


def sentence(figures: dict[str, Any]) -> str:
    """Return the held-back figures as a sentence."""
    cats = f", cats {figures['cats']:.1%}" if "cats" in figures else ""
    top5 = f", top-5 {figures['top5']:.1%}" if "top5" in figures else ""
    return f"held-back top-1 {figures['top1']:.1%}{top5}{cats}, loss {figures['val_loss']:.3f}"
