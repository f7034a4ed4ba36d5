"""The sections of a recipe that come after training, and what every section is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Unknown keys are refused, values are checked and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Calibrate(Section):
    """Probabilities that mean what they say, and from which one on to say a name."""

    precision: Share = Field(default=0.95, description="Share of named answers that must be right.")
    views: int = Field(
        default=0, ge=0, le=20, description="Mildly changed copies of each held-back crop that count like it."
    )
    prior: float = Field(default=4.0, ge=0, description="Pull of the temperature to 1, in pictures.")


class Export(Section):
    """The bundle."""

    name: str = Field(default="", description="Name of the model; empty: the recipe's.")
    version: str = Field(default="1.0.0", pattern=r"^\d+\.\d+\.\d+$", description="Version of the bundle.")
    detector: str = Field(
        default="", description="Bundle whose detector finds the pets: embedded, a folder, none."
    )
    classifier: str = Field(default="embedded", description="Bundle that names them (task detect).")
    form: Literal["float16", "int8"] = Field(
        default="float16", description="Numbers the network is served with; its outputs stay float."
    )
    replay: int = Field(default=40, ge=0, description="Embeddings of each label kept for retraining.")


class Evaluate(Section):
    """How the bundle is judged."""

    robustness: int = Field(default=200, ge=0, description="Pictures for the robustness curves; 0: none.")
    forms: bool = Field(default=False, description="Measure float32, float16 and int8 side by side.")


class Publish(Section):
    """Where a finished bundle goes."""

    repo: str = Field(
        default="", pattern=r"^$|^[\w.-]+/[\w.-]+$", description="Model repo `owner/name`; empty: nowhere."
    )


class Tune(Section):
    """A search over the recipe with KerasTuner."""

    trials: int = Field(default=0, ge=0, description="Recipes tried before the run; 0: no search.")
    search: Literal["random", "bayesian", "grid"] = Field(
        default="bayesian", description="How they are chosen."
    )
    epochs: int = Field(default=2, ge=0, description="Epochs of each trial.")
    space: dict[str, Any] = Field(
        default={}, description="Key → {choices: […]} or {low:, high:, log:, step:}."
    )


class Tracking(Section):
    """Beside TensorBoard, which is always written."""

    mlflow: str = Field(default="", description="MLflow tracking address; empty: none.")
    trackio: str = Field(default="", description="trackio project; empty: none.")
