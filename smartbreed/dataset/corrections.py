"""The corrected photos that the public may see: flagged with consent, accepted and not withdrawn.

The tour, a public page, shows them. Gold items, whose known answer measures the flaggers, are left out,
because the page would give the answer away.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.breeds.catalogue import get_breed
from smartbreed.core.database import Sessions, read
from smartbreed.dataset.accepted import sample_key
from smartbreed.feedback.tables import Flag
from smartbreed.imaging.photo import Box
from smartbreed.review import decisions
from smartbreed.review.claims import label_of, said
from smartbreed.review.decisions import ACCEPTING
from smartbreed.review.tables import AGREEMENT, Decision, Gold

#: Rows read per photo wanted, since several people may have flagged the same pet.
_SPARE = 4


@dataclass(frozen=True)
class Correction:
    """An accepted flag of one pet, with the model's answer.

    Attributes:
        key: `sample_key` of the pet.
        sample_id: name of the photo's blob.
        box: box of the pet in pixels; None for the whole photo.
        said: the person's statement as a sentence, such as "It is a Siamese".
        label, name: id and name of the accepted breed.
        agreed: True if a consensus accepted it instead of a maintainer.
        flagged_at, decided_at: when it was flagged, and when it was accepted.
        published_at: when it was published in the dataset; None if it is not published yet.
        predicted, predicted_name: id and name of the breed that the model gave.
        probability: probability of that breed, 0…1; None if unknown.
        revision: revision of the model that gave it.
    """

    key: str
    sample_id: str
    box: Box | None
    said: str
    label: str
    name: str
    agreed: bool
    flagged_at: dt.datetime
    decided_at: dt.datetime
    published_at: dt.datetime | None
    predicted: str
    predicted_name: str
    probability: float | None
    revision: str

    @property
    def was_right(self) -> bool:
        """True if the model named the accepted breed."""
        return self.predicted == self.label


def corrections(sessions: Sessions, limit: int) -> list[Correction]:
    """Return the pets accepted last, each once; at most ``limit``.

    Raises:
        StorageError: the database refused.
    """
    with read(sessions) as session:
        names = {breed.id: breed.name for breed in decisions.introduced(session).values()}
        found: dict[str, Correction] = {}
        for flag, decision in accepted_rows(session, limit * _SPARE):
            correction = _correction(flag, decision, names)
            if correction is not None and len(found) < limit:
                found.setdefault(correction.key, correction)
        return list(found.values())


def accepted_rows(
    session: Session, limit: int, flag_ids: Sequence[str] | None = None
) -> list[tuple[Flag, Decision]]:
    """Return the flags whose photos the public may see, each with its decision, the latest first.

    Args:
        session: a session of the database.
        limit: the most rows to return.
        flag_ids: flags to choose from; None for all.
    """
    query = (
        sa.select(Flag, Decision)
        .join(Decision, Decision.flag_id == Flag.id)
        .where(
            decisions.is_latest(),
            Decision.decision.in_(ACCEPTING),
            Flag.consent.is_(True),
            Flag.state != "withdrawn",
            # Without a predicted breed there is nothing to compare the label with.
            Flag.predicted.is_not(None),
            Flag.sample_id.not_in(sa.select(Gold.sample_id)),
            *([] if flag_ids is None else [Flag.id.in_(flag_ids)]),
        )
        .order_by(Decision.decided_at.desc(), Flag.id.desc())
        .limit(limit)
    )
    return [(flag, decision) for flag, decision in session.execute(query)]


def _correction(flag: Flag, decision: Decision, names: dict[str, str]) -> Correction | None:
    label = decision.label or (label_of(flag) if decision.decision == "accept" else None)
    if not label or flag.predicted is None:  # what was accepted is that there is no pet
        return None
    predicted = get_breed(flag.predicted)
    return Correction(
        key=sample_key(flag.sample_id, flag.box),
        sample_id=flag.sample_id,
        box=flag.box,
        said=said(flag, names.get(label_of(flag) or "")),
        label=label,
        name=decision.name or names.get(label) or get_breed(label).name,
        agreed=decision.reviewer == AGREEMENT,
        flagged_at=flag.flagged_at,
        decided_at=decision.decided_at,
        published_at=flag.published_at,
        predicted=flag.predicted,
        predicted_name=names.get(flag.predicted) or predicted.name,
        probability=flag.probability,
        revision=flag.model_revision,
    )
