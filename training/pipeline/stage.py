"""The stages of a run, in the order they run in, and which choices each depends on.

``evaluate`` comes after ``export``, because it evaluates the files that are served.
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
        name: also its module in `training.pipeline.stages`, which has ``run(context) -> dict`` of facts for
            the marker and may have ``check(context)``, which refuses before anything of an earlier try is
            cleared.
        needs: sections (or ``section.key``) of the recipe whose change makes it stale, beside those of
            the stages before.
        leaves: what it writes; cleared before it starts over with other choices.
    """

    name: str
    needs: tuple[str, ...]
    leaves: tuple[str, ...]


#: What `train` writes.
TRAINED = (
    "*.weights.h5", "targets.npy", "*.json", "tuned.yaml", "backup", "tensorboard", "tuning", "plots",
)  # fmt: skip

#: The plots that `evaluate` draws; the others in the folder are of the training.
EVALUATED = (
    "reliability", "coverage", "confusion", "confused_labels", "hardest_breeds", "groups", "roc",
    "robustness", "forms", "detector",
)  # fmt: skip

#: What decides which files are asked while temperature and thresholds are chosen.
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
    """What a stage is given.

    Attributes:
        recipe: every choice; after a search, with the values it chose.
        run: the run directory.
        prepared: where the stage `prepare` wrote; another run's for the runs of a sweep.
    """

    recipe: Recipe
    run: RunDirectory
    prepared: RunDirectory


def choices_of(stage: str, recipe: Recipe) -> str:
    """A digest of every choice the stage depends on, those of the stages before it included."""
    sections: list[str] = []
    for one in STAGES[: NAMES.index(stage) + 1]:
        sections += one.needs
    return digest(recipe, sections)
