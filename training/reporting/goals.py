"""Goals for the figures of the default model, with what frozen ImageNet features reach."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """One goal, a row of the card's table.

    Attributes:
        text: what is measured.
        path: where the figure is in a bundle's metrics; "" if this dataset cannot measure it.
        target: figure to reach.
        at_most: True if the figure must be at most the target, not at least.
        start: figure of a frozen backbone with a head from the ImageNet rows; None if never measured.
        unknown: why the figure is unknown, if ``path`` is "".
    """

    text: str
    path: str
    target: float
    at_most: bool = False
    start: float | None = None
    unknown: str = ""

    def reached(self, value: float) -> bool:
        return value <= self.target if self.at_most else value >= self.target


GOALS = (
    Goal("top-1, public test", "classifier.top1", 0.915, start=0.860),
    Goal("top-5, public test", "classifier.top5", 0.994, start=0.984),
    Goal("top-1, cats", "classifier.top1_cats", 0.95, start=0.869),
    Goal("expected calibration error", "classifier.ece", 0.0125, at_most=True),
    Goal("species, whole photographs", "pipeline.species", 0.99),
    Goal("species of cats of no breed", "others.no_breed_cats.species", 0.99),
    Goal("detector: recall at IoU .5", "detector.recall", 0.985, start=0.96),
    Goal("detector: AP50", "detector.ap50", 0.97),
    Goal("detector: AP75", "detector.ap75", 0.85),
    Goal("detector: recall on photographs of several pets", "detector.groups.recall", 0.90),
    Goal(
        "false alarms on pet-less photographs", "detector.false_alarms", 0.01, at_most=True, start=0.033
    ),
    Goal(
        "pet-less photographs called a breed, each taken as a pet", "strangers.taken_as_a_pet", 0.01,
        at_most=True,
    ),
    Goal(
        "wild cats and dogs called a breed, of kinds never shown", "others.kinds.wild.unseen_named", 0.02,
        at_most=True,
    ),
    Goal(
        "other animals called a breed, of kinds never shown", "others.kinds.animal.unseen_named", 0.01,
        at_most=True,
    ),
    Goal("drawings called a breed", "others.kinds.drawing.named", 0.04, at_most=True),
    Goal("toys called a breed", "others.kinds.toy.named", 0.02, at_most=True),
    Goal("names that are wrong, of clear crops", "robustness.clean_named_wrong", 0.05, at_most=True),
    Goal("accuracy lost by int8", "forms.classifier.int8_loses", 0.005, at_most=True),
    Goal("photo to breed, web-like dogs", "", 0.91, start=0.80, unknown="unknown: judged on an unseen set"),
    Goal("photo to breed, web-like cats", "", 0.94, start=0.84, unknown="unknown: judged on an unseen set"),
)  # fmt: skip
