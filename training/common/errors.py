"""Errors of training that the user can fix; each message is a sentence that ends with what was received."""

from __future__ import annotations

from smartbreed.core.errors import SmartBreedError


class TrainingError(SmartBreedError):
    """Base of all errors here: a training run cannot start or continue, and the message says why."""

    status = 422


class RecipeError(TrainingError):
    """A recipe with an unknown key, a wrong value or an impossible combination."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_recipe", message)


class DataError(TrainingError):
    """Training pictures that cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_data", message)


class MissingSplitError(DataError):
    """A dataset without the configuration or split that was asked for."""


class InitialWeightsError(TrainingError):
    """Initial weights that cannot be loaded or do not fit the network."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_start", message)


class StageError(TrainingError):
    """A stage that cannot run yet, or a run directory that another process uses."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_stage", message)
