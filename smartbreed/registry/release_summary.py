"""What a maintainer needs to see before and after a retraining, as plain values."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from smartbreed.dataset.needs import Need


@dataclass(frozen=True)
class Release:
    """One version of the model.

    Attributes:
        version: ``1.2.0``.
        revision: full commit sha; the embedded model's is its own digest.
        released_at: None where nobody wrote it down.
        public: share of the public test photos named right, 0…1; None where not measured.
        gate: the same of the gate's pictures, on which every version is compared with the one before.
        ece: expected calibration error, 0…1.
        flagged: share of newly accepted photos it had not learnt from that it named right, 0…1.
        flagged_before: what the version before it made of the same photos.
        breeds: how many it knows.
        learnt: what is new against its parent, in words or breed names.
        served: it answers now.
        shipped: it came with the program, however late it was published.
        bad: why it may not be served; empty when it may.
    """

    version: str
    revision: str
    released_at: dt.datetime | None = None
    public: float | None = None
    gate: float | None = None
    ece: float | None = None
    flagged: float | None = None
    flagged_before: float | None = None
    breeds: int = 0
    learnt: tuple[str, ...] = ()
    served: bool = False
    shipped: bool = False
    bad: str = ""


@dataclass(frozen=True)
class Serving:
    """What answers now.

    Attributes:
        since: since when this process answers with it.
        chosen: why this one, see `smartbreed.registry.initial_model.Chosen`.
        problem: why a newer one could not be taken; empty when all is well.
        no_releases: why a retraining could not release anything here; empty when it can.
        pin, pin_revision: version and revision a maintainer has chosen; empty when none. It answers
            as soon as it has been loaded.
        before: version that a rollback goes back to; empty when there is none.
        next: version that is newer and will be taken; empty when there is none or none is taken.
    """

    version: str
    revision: str
    repo: str
    breeds: int
    since: dt.datetime | None = None
    chosen: str = "latest"
    problem: str = ""
    no_releases: str = ""
    pin: str = ""
    pin_revision: str = ""
    before: str = ""
    next: str = ""

    @property
    def loading(self) -> str:
        """The version that is to take its place; empty when there is none."""
        return (self.pin if self.pin != self.version else "") if self.pin else self.next


@dataclass(frozen=True)
class Waiting:
    """Photos on their way through the circle.

    Attributes:
        accepted: accepted photos that no version has learnt from yet.
        since: the version that learnt last; empty before the first.
        breeds: names of what those photos show, most frequent first, with their number.
        flags: flags saved in all.
        published: of them, in the dataset.
        reviewed: flags somebody has decided about.
        undecided: flags nobody has decided about; None where that is not known.
        pending: flags and decisions not yet in the dataset.
        parked: those the Hub refused until a person does something.
        problem: the last error of publishing; empty when all is well.
        details: sentences about single flags, shards and files that trouble publishing.
        published_at: when something was published last.
        needs: what each mode of retraining has and needs; empty where that is not known.
    """

    accepted: int = 0
    since: str = ""
    breeds: tuple[tuple[str, int], ...] = ()
    flags: int = 0
    published: int = 0
    reviewed: int = 0
    undecided: int | None = None
    pending: int = 0
    parked: int = 0
    problem: str = ""
    details: tuple[str, ...] = ()
    published_at: dt.datetime | None = None
    needs: tuple[Need, ...] = ()
