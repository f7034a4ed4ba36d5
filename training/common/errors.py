"""What a person can do wrong when training; each message is a sentence that ends with what was received."""

from __future__ import annotations

from smartbreed.core.errors import SmartBreedError


class TrainingError(SmartBreedError):
    """A training run that cannot start or go on, and why."""

    status = 422


class RecipeError(TrainingError):
    """A recipe with an unknown key, a wrong value or an impossible combination."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_recipe", message)


class DataError(TrainingError):
    """Training pictures that cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_data", message)


class InitialWeightsError(TrainingError):
    """Start weights that cannot be had or do not fit."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_start", message)


class StageError(TrainingError):
    """A stage that cannot run yet, or a run directory that another process uses."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_stage", message)
