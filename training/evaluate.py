"""Evaluate a bundle on the public test split and write its card: ``python -m training.evaluate --data …``."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from smartbreed.core.errors import SmartBreedError
from smartbreed.core.extras import require
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import CONFIG
from smartbreed.inference.evaluation import FILE
from training.data import HELD_BACK, Crops, Scene, held_back, load_crops, load_scenes, split_scenes
from training.data.others import Others, load_others, unseen_scenes
from training.data.scenes import scenes_of_test
from training.evaluation import evaluate_bundle
from training.evaluation.bundle_scores import rounded, write_scores
from training.evaluation.check import agreement, difference
from training.reporting.model_card import put_card, put_files, write_card

#: Folder in the repository that holds the plots of the default model.
PLOTS = Path("docs/plots")
#: Pictures for the robustness curves, the same with --quick, and crops evaluated with --quick.
ROBUSTNESS, QUICK_ROBUSTNESS, QUICK = 600, 60, 300


def main(
    data: Annotated[str, typer.Option(help="Dataset repo or folder.")],
    bundle: Annotated[Path, typer.Option(help="The bundle to evaluate.")] = EMBEDDED_BUNDLE,
    out: Annotated[Path, typer.Option(help="Folder for scores, plots and sheets of mistakes.")] = Path(
        "runs/evaluation"
    ),
    card: Annotated[Path, typer.Option(help="The model card to write.")] = Path("model_card.md"),
    plots: Annotated[Path, typer.Option(help="Folder the plots are copied to.")] = PLOTS,
    robustness: Annotated[
        int, typer.Option(help="Pictures for the robustness curves; 0: none.")
    ] = ROBUSTNESS,
    forms: Annotated[bool, typer.Option(help="Export and measure float32, float16 and int8.")] = True,
    ship: Annotated[
        bool, typer.Option(help="Put the forms that the rule chooses into the bundle, then evaluate it.")
    ] = False,
    write: Annotated[bool, typer.Option(help="Write card, plots and the bundle's figures.")] = True,
    crops_only: Annotated[
        bool, typer.Option(help="Only the test crops; writes nothing but the bundle's evaluation.json.")
    ] = False,
    quick: Annotated[bool, typer.Option(help="A few pictures, no forms; writes only to --out.")] = False,
    check: Annotated[
        bool, typer.Option(help="Write nothing; exit with 1 if the bundle's stored figures differ.")
    ] = False,
) -> None:
    """Evaluate a bundle and print its scores as JSON.

    With --write, also write the model card, its plots and the bundle's figures.
    """
    write = write and not quick and not check
    try:
        require("train", "Training needs")
        crops, scenes, empty, train = read(data, quick, crops_only)
        form_table: dict[str, Any] | None = None
        if forms and not quick and not check and not crops_only:
            form_table = measure_forms(bundle, data, crops, scenes, ship and write)
        scores = evaluate_bundle(
            bundle, crops, out, scenes=scenes, empty=empty, trained=train,
            others=None if quick or crops_only else read_others(bundle, data),
            other_scenes=[] if quick or crops_only else read_other_scenes(bundle, data),
            robustness=0 if crops_only else QUICK_ROBUSTNESS if quick and robustness else robustness,
        )  # fmt: skip
        if form_table:
            scores["forms"] = rounded(form_table)
            draw_forms(form_table, out / "plots")
            write_scores(out, scores)
    except SmartBreedError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    print(json.dumps(scores, indent=1, ensure_ascii=False))
    config = json.loads((bundle / CONFIG).read_text())
    # --crops-only replaces evaluation.json alone, so it must agree with the figures in config.json.
    if (check or crops_only) and (sentence := difference(config.get("metrics", {}), scores)):
        print(sentence, file=sys.stderr)
        raise typer.Exit(1)
    if check:
        print(agreement(config.get("metrics", {}), scores), file=sys.stderr)
    if write and crops_only:
        put_files(bundle, config, {FILE: out / FILE})
    elif write:
        plots.mkdir(parents=True, exist_ok=True)
        for plot in sorted((out / "plots").glob("*.png")):
            shutil.copyfile(plot, plots / plot.name)
        config["metrics"] = scores
        write_card(config, [card])
        put_card(bundle, config, out / FILE)


def read(
    data: str, quick: bool, crops_only: bool = False
) -> tuple[Crops, list[Scene], list[Scene], list[str]]:
    """Load what a bundle is evaluated on.

    Rows that cannot be read are left out and named on stderr.

    Args:
        data: dataset repo or folder.
        quick: keep at most `QUICK` crops and 20 photographs of each kind.
        crops_only: load no photographs.

    Returns:
        Test crops, test photographs with pets, held-back photographs without pets, and the names of the
        original files of the training crops.

    Raises:
        DataError: the dataset cannot be loaded or lacks a column.
    """
    from training.data.rows import read_rows

    dropped: list[dict[str, str]] = []
    crops = load_crops(data, "test", dropped)
    shown = [] if crops_only else scenes_of_test(data, "scenes", dropped)
    known = [] if crops_only else load_scenes(data, "train", dropped=dropped)
    scenes = [scene for scene in shown if len(scene.boxes)]
    empty = [scene for scene in split_scenes(known)[1] if not len(scene.boxes)]
    train = [row["source_id"] for row in read_rows(data, "breeds", "train", needed=("source_id",))[1]]
    for item in dropped:
        print(f"left out {item['origin']}: {item['reason']}", file=sys.stderr)
    if quick:
        crops = crops.take(np.linspace(0, len(crops) - 1, min(QUICK, len(crops))).round().astype(int))
        scenes, empty = scenes[:20], empty[:20]
    return crops, scenes, empty, train


def read_others(bundle: Path, data: str) -> Others | None:
    """Load other animals and pets of no breed as the bundle's recipe names them; None if it names none."""
    config, chosen = _recipe_data(bundle)
    if not chosen.get("others"):
        return None
    return load_others(data, chosen["others"], config["classifier"]["input_size"], chosen["held_classes"])


def read_other_scenes(bundle: Path, data: str) -> list[Scene]:
    """Load the held-back and test photographs of the recipe's ``data.others``; empty if it names none."""
    _, chosen = _recipe_data(bundle)
    return unseen_scenes(data, chosen["others"], chosen["held_classes"]) if chosen.get("others") else []


def _recipe_data(bundle: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    config = json.loads((bundle / CONFIG).read_text())
    return config, config.get("recipe", {}).get("data", {})


def measure_forms(bundle: Path, data: str, crops: Crops, scenes: list[Scene], ship: bool) -> dict[str, Any]:
    """Measure every number format of the bundle's networks; with ``ship``, install the chosen ones."""
    from training.evaluation.forms import Calibration, exported_forms, form_scores
    from training.evaluation.forms import ship as put
    from training.export.activation_ranges import photographs, spread

    train = load_crops(data, "train")
    some = spread(np.flatnonzero(~held_back(train.hashes, HELD_BACK)))
    calibration = Calibration(train.images[some], photographs(data, "scenes"))
    with exported_forms(bundle, calibration) as paths:
        scores = form_scores(bundle, paths, crops, scenes)
        if ship:
            for line in put(bundle, paths, scores):
                print(f"now ships {line}", file=sys.stderr)
    return scores


def draw_forms(scores: dict[str, Any], folder: Path) -> None:
    """Plot the number formats as ``forms.png`` in ``folder``."""
    from training.reporting.plots import forms

    tables: dict[str, Any] = {name: scores[name] for name in ("classifier", "detector") if name in scores}
    forms(tables, folder / "forms.png")


if __name__ == "__main__":
    typer.run(main)
