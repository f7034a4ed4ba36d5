"""What is known about flags beyond their own rows, and the evidence for their order that follows from it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, defer

from smartbreed.core.database import batches
from smartbreed.feedback.tables import Flag
from smartbreed.review.claims import answer_of, label_of, same_pet
from smartbreed.review.ordering import Evidence, disagreement, rarity
from smartbreed.review.tables import Decision, Signals
from smartbreed.review.trust import Standing, standings


@dataclass(frozen=True)
class Known:
    """What is looked up once for all flags of a list.

    Attributes:
        latest: flag id → its latest decision.
        signals: flag id → the model's signals.
        records: flagger → their record, for all who flagged one of these photos.
        beyond: ids of flags beyond their flagger's daily cap.
        accepted: breed id → number of photos accepted as that breed.
        said: sample id → all flags of the photo that are not withdrawn, oldest first.
    """

    latest: Mapping[str, Decision]
    signals: Mapping[str, Signals]
    records: Mapping[str, Standing]
    beyond: Collection[str]
    accepted: Counter[str | None]
    said: Mapping[str, Sequence[Flag]]
    _answers: dict[Any, dict[str, int]] = field(default_factory=dict, repr=False)

    def answers(self, flag: Flag) -> dict[str, int]:
        """Count the people behind each claim about a flag's pet; only a person's last claim counts."""
        # Cached, because many people may flag one popular photo, most of them with the model's own box.
        pet = (flag.sample_id, flag.box, flag.verdict == "missed")
        if pet not in self._answers:
            self._answers[pet] = self._counted(flag)
        return self._answers[pet]

    def _counted(self, flag: Flag) -> dict[str, int]:
        by_person: dict[str, str] = {}
        for other in self.said[flag.sample_id]:
            answer = answer_of(other)
            record = self.records.get(other.flagger, Standing())
            if answer and same_pet(flag, other) and other.id not in self.beyond and record.level != "low":
                by_person[other.flagger] = answer
        return dict(Counter(by_person.values()))

    def evidence(self, flag: Flag) -> Evidence:
        """Return what a flag's place in the queue depends on."""
        found, label = self.signals.get(flag.id), label_of(flag)
        standing = self.records.get(flag.flagger, Standing())
        guess = 0.5 if flag.probability is None else 1.0 - flag.probability
        return Evidence(
            flag_id=flag.id,
            flagged_at=flag.flagged_at,
            uncertainty=guess if found is None or found.uncertainty is None else found.uncertainty,
            disagreement=disagreement(list(self.answers(flag).values())),
            label_issue=(found.suspicion if found else None) or 0.0,
            rarity=rarity_of(label, self.accepted),
            outlier_score=(found.novelty if found else None) or 0.0,
            held="trust" if standing.level == "low" else "cap" if flag.id in self.beyond else "",
        )


def rarity_of(label: str | None, accepted: Counter[str | None]) -> float:
    """Return how rare a breed is among accepted photos, 0…1; 0 while there are none, or without a breed."""
    return rarity(accepted[label]) if label and accepted else 0.0


def know(
    session: Session,
    said: Iterable[Flag],
    latest: Mapping[str, Decision],
    accepted: Counter[str | None],
    beyond: Collection[str],
    signals: Mapping[str, Signals],
) -> Known:
    """Look up what is known about flags; ``said`` are all flags of their photos that are not withdrawn."""
    by_photo: dict[str, list[Flag]] = defaultdict(list)
    for flag in sorted(said, key=lambda flag: (flag.flagged_at, flag.id)):
        by_photo[flag.sample_id].append(flag)
    people = {flag.flagger for flags in by_photo.values() for flag in flags}
    return Known(latest, signals, standings(session, people), beyond, accepted, by_photo)


def flags_of(session: Session, sample_ids: Iterable[str]) -> list[Flag]:
    """Return the flags of some photos, withdrawn ones included."""
    found: list[Flag] = []
    for some in batches(sample_ids):
        found += session.scalars(sa.select(Flag).where(Flag.sample_id.in_(some)))
    return found


def signals_of(session: Session, flag_ids: Iterable[str]) -> dict[str, Signals]:
    """Return the model's signals for some flags, without the embeddings."""
    found: dict[str, Signals] = {}
    for some in batches(flag_ids):
        query = sa.select(Signals).options(defer(Signals.embedding)).where(Signals.flag_id.in_(some))
        found |= {row.flag_id: row for row in session.scalars(query)}
    return found
