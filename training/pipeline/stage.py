"""The stages of a run in order, and the choices that each depends on.

``evaluate`` comes after ``export`` because it evaluates the files that are served.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.common.run_directory import RunDirectory
from training.recipe.file import digest
from training.recipe.recipe import Recipe


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Attributes:
        name: name of the stage and of its module in `training.pipeline.stages`. The module has
            ``run(context) -> dict``, which returns facts for the marker. It may have ``check(context)``,
            which refuses before results of an earlier attempt are removed, and ``outdated(context) -> str``,
            which says what has changed since.
        needs: sections (or ``section.key``) of the recipe whose change makes the stage stale, in addition to
            those of the stages before it.
        leaves: what it writes; removed before it starts over with other choices.
    """

    name: str
    needs: tuple[str, ...]
    leaves: tuple[str, ...]


#: Files and folders that `train` writes.
TRAINED = (
    "*.weights.h5", "targets.npy", "*.json", "tuned.yaml", "backup", "tensorboard", "tuning", "plots",
)  # fmt: skip

#: Plots that `evaluate` draws; the others in the folder belong to the training.
EVALUATED = (
    "reliability", "coverage", "confusion", "confused_labels", "hardest_breeds", "groups", "roc",
    "robustness", "forms", "detector",
)  # fmt: skip

#: Keys that decide which networks temperature and thresholds are fitted on.
NETWORKS = ("export.detector", "export.classifier", "export.form")

STAGES: tuple[Stage, ...] = (
    Stage("prepare", ("task", "seed", "data", "split", "model.input_size"), ("prepared", "report")),
    Stage("train", ("model", "augment", "head", "distil", "train", "tune"), TRAINED),
    Stage("calibrate", ("calibrate", *NETWORKS), ("calibration.json",)),
    Stage("export", ("name", "export"), ("bundle", "bundle.tmp", "bundle.old")),
    Stage(
        "evaluate",
        ("evaluate",),
        ("scores.json", "curves.json", "mistakes", *(f"plots/{name}.png" for name in EVALUATED)),
    ),
    Stage("card", (), ()),
    Stage("publish", ("publish",), ()),
)
NAMES = tuple(stage.name for stage in STAGES)


@dataclass(frozen=True)
class Context:
    """The input of a stage.

    Attributes:
        recipe: every choice; after a search, with the values it chose.
        run: the run directory.
        prepared: run directory with the output of `prepare`; another run's for the runs of a sweep.
    """

    recipe: Recipe
    run: RunDirectory
    prepared: RunDirectory


def choices_of(stage: str, recipe: Recipe) -> str:
    """Return a digest of every choice that the stage depends on, including those of the stages before it."""
    sections: list[str] = []
    for one in STAGES[: NAMES.index(stage) + 1]:
        sections += one.needs
    return digest(recipe, sections)
