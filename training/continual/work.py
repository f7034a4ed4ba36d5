"""A retraining under way: what was chosen, how far it is, and how it ends."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from smartbreed.core.files import disk_errors, make_dirs
from smartbreed.core.settings import Settings
from training.continual.gate import GateResult
from training.continual.plan import Plan
from training.continual.progress import ProgressReporter
from training.continual.report import write_report
from training.data.accepted_scenes import LabelledPhotos

if TYPE_CHECKING:
    from huggingface_hub import HfApi


#: How a retraining that came to its end can have ended, and the sentence about it; ``{}`` is the version.
OUTCOMES = MappingProxyType(
    {
        "published": "{} is published",
        "passed": "{} passed every check; it was not published",
        "refused": "{} was not good enough, so nothing was published",
        "nothing_new": "no new model was made, as no photo was accepted that {} has not learnt from",
        "too_few": "no new model was made, as too few photos were accepted since {}",
    }
)


class Progress(Protocol):
    """How far a stage is: so much is done, of so much; and what is being done."""

    def __call__(self, done: float, of: float, said: str = "") -> None: ...


@dataclass(frozen=True)
class Choices:
    """What somebody may choose.

    Attributes:
        dataset: dataset repo.
        repo: model repo releases go to; empty: none will be made.
        mode: ``head`` or ``full``.
        publish: whether a challenger that passes is published.
        by_count: newly accepted samples without which nothing is done; 0: any number.
        overrides: ``key=value`` of the training recipe, for ``full``.
        now: of this retraining, aware; names the report's folder and dates the changelog.
    """

    dataset: str
    repo: str
    mode: str = "head"
    publish: bool = True
    by_count: int = 0
    overrides: tuple[str, ...] = ()
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


@dataclass
class Work:
    """A retraining under way.

    Attributes:
        scratch: folder for what must not stay: whatever holds photographs, and unfinished files. On the
            file system of SMARTBREED_HOME.
        before_publishing: called before anything is sent; may raise to stop.
        missed: photographs with accepted missed pets.
        facts: for the report.
        seconds: of each stage.
    """

    settings: Settings
    choices: Choices
    reporter: ProgressReporter
    api: HfApi
    scratch: Path
    before_publishing: Callable[[], None] = lambda: None
    missed: LabelledPhotos = field(default_factory=LabelledPhotos)
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Of the report."""
        return self.settings.home_dir / "retraining" / self.choices.now.strftime("%Y%m%dT%H%M%SZ")

    @contextmanager
    def stage(self, name: str, message: str) -> Iterator[Progress]:
        """Tell of a stage and time it; yields what tells how far it is, and may say it in other words."""
        started = time.perf_counter()
        self.reporter.step(name, message)

        def progress(done: float, of: float, said: str = "") -> None:
            self.reporter.step(name, said or message, done, of)

        yield progress
        self.reporter.step(name, message, 1, 1)
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 2)

    def keep(self, bundle: Path) -> None:
        """Move a finished bundle that is not published into the report's folder.

        Raises:
            StorageError: the disk refused.
        """
        make_dirs(self.folder)
        with disk_errors("The new version was not kept"):
            shutil.move(bundle, self.folder / "bundle")

    def end(
        self,
        plan: Plan,
        gate_result: GateResult | None,
        reasons: list[str],
        version: str,
        history: list[dict[str, Any]],
        revision: str = "",
        *,
        why_none: str = "nothing_new",
    ) -> dict[str, Any]:
        """Write the report.

        Args:
            gate_result: None when nothing was compared.
            version: the challenger's; without one the champion's.
            history: an entry a version, the challenger's last.
            revision: full sha when it was published.
            why_none: the key of `OUTCOMES` where nothing was compared, as there was no new model.

        Returns:
            The ``result`` of the contract.
        """
        passed = gate_result is not None and gate_result.passed
        outcome = why_none
        if gate_result is not None:
            outcome = "published" if revision else "passed" if passed else "refused"
        sentence = OUTCOMES[outcome].format(version)
        result = {
            "outcome": outcome,
            "message": sentence,
            "passed": passed,
            "published": bool(revision),
            "version": version if passed else "",
            "revision": revision,
            "learnt": plan.learnt() if passed else [],
            "learnt_names": plan.learnt_names() if passed else [],
            "reasons": reasons,
            "undecided": gate_result.undecided if gate_result is not None else [],
            "report": str(self.folder),
            "took": int(plan.fresh.sum()),
        }
        facts = {**self.facts, **result, "version": version, "learnt": plan.sentences()}
        write_report(self.folder, {**facts, "seconds": self.seconds}, gate_result, history)
        return result
