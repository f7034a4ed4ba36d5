"""A home with an embedded Hub, photos to flag, and the trainer run in it, on the bundle that ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smartbreed.core.errors import HubCallError
from smartbreed.core.settings import Settings
from smartbreed.hub.client import connect, list_commits, list_tags, repo_state
from smartbreed.training_jobs.workspace import workspace
from support.photos import pattern
from support.shards import flag, push, review
from training.continual.full import retrain_everything
from training.continual.run import retrain_head
from training.continual.work import Choices, ProgressReporter, Work


@dataclass
class RetrainingWorld:
    """What a test of the trainer does and asks.

    `support.publishing.PublishingWorld` stays apart: the trainer reads a dataset repo and no database, so
    shards with dates of the test's choice are written here without flags, publisher and a Hub that fails.

    Attributes:
        shots: called at each point of no return of the trainer, before something is sent.
    """

    settings: Settings
    shots: list[Callable[[], None]] = field(default_factory=list)

    def accept(self, numbers: range, kind: str = "board", **changes: Any) -> None:
        """Publish photos and decisions about them; ``changes`` are those of the decisions."""
        push(self.settings, "flags", [flag(n, pattern(n, kind)) for n in numbers], numbers[0])
        push(self.settings, "reviews", [review(n, **changes) for n in numbers], numbers[0])

    def introduce(self, numbers: range) -> None:
        """Accept photos of an unknown breed."""
        self.accept(numbers, decision="new_breed", label="mudi", name="Mudi", species="dog", group="shepherd")

    def retrain(self, mode: str = "head", **choices: Any) -> dict[str, Any]:
        """One retraining in this process."""
        run = {"head": retrain_head, "full": retrain_everything}[mode]
        chosen = Choices(self.settings.dataset, self.settings.model_repo, mode, **choices)
        with workspace(self.settings.home_dir) as scratch:
            work = Work(
                self.settings,
                chosen,
                ProgressReporter(as_json=True),
                connect(self.settings),
                scratch,
                self._shot,
            )
            return run(work)

    def tags(self) -> dict[str, str]:
        """Releases by tag; none while there is no repo."""
        try:
            return list_tags(connect(self.settings), self.settings.model_repo, "model")
        except HubCallError as error:
            if error.kind != "no_repo":
                raise
            return {}

    def commits(self) -> list[str]:
        """Titles, the newest first, without the one that made the repo."""
        found = list_commits(connect(self.settings), self.settings.model_repo, "model")
        return [title for _, title in found if title != "initial commit"]

    def head(self) -> str:
        return repo_state(connect(self.settings), self.settings.model_repo, "model").sha

    def _shot(self) -> None:
        if self.shots:
            self.shots.pop(0)()
