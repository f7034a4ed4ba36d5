"""Tables of the review: decisions, what the model makes of a flag, known answers, trust."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

#: What can be decided about a flag; ``undo`` takes the decision before it back.
DECISIONS = ("accept", "relabel", "reject", "new_breed", "undo")
#: Where a decision stands on its way into the dataset.
STATES = ("pending", "published")
#: Reviewers who are no person.
AGREEMENT, GOLD = "agreement", "gold"


class Decision(Base):
    """One decision on one flag; columns as in the dataset's configuration ``reviews``."""

    __tablename__ = "decisions"
    __table_args__ = (
        sa.CheckConstraint(sa.column("decision").in_(DECISIONS), "decision"),
        sa.CheckConstraint(sa.column("state").in_(STATES), "state"),
        # Two decisions on one flag are never of one moment, or their order would be lost.
        sa.UniqueConstraint("flag_id", "decided_at"),
        sa.Index(None, "state", "decision_id"),
        sa.Index(None, "decision", "decided_at"),
    )

    decision_id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: No foreign key: when a flag is erased, what was decided about it stays.
    flag_id: Mapped[str] = mapped_column(sa.String(26))
    sample_id: Mapped[str] = mapped_column(sa.String(64), index=True)
    decision: Mapped[str] = mapped_column(sa.String(16))
    #: Breed id the sample has from now on; null for none (rejected, undone, no pet).
    label: Mapped[str | None] = mapped_column(sa.String(80))
    #: Display name, species and group of a new breed; the species also of a missed pet without a breed.
    name: Mapped[str | None] = mapped_column(sa.String(80))
    species: Mapped[str | None] = mapped_column(sa.String(8))
    group: Mapped[str | None] = mapped_column(sa.String(80))
    #: Box of a missed pet as the maintainer corrected it, in pixels of the upright photo; null: the flag's.
    x0: Mapped[float | None]
    y0: Mapped[float | None]
    x1: Mapped[float | None]
    y1: Mapped[float | None]
    #: Salted hash of a maintainer's session, or ``agreement`` or ``gold``.
    reviewer: Mapped[str] = mapped_column(sa.String(64))
    reason: Mapped[str | None] = mapped_column(sa.String(500))
    decided_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(sa.String(16), default="pending")
    published_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """The corrected box ``(x0, y0, x1, y1)``; None where the flag's own stands."""
        if self.x0 is None or self.y0 is None or self.x1 is None or self.y1 is None:
            return None
        return (self.x0, self.y0, self.x1, self.y1)


class Signals(Base):
    """What a model makes of a flagged pet; made again when another model is served."""

    __tablename__ = "signals"

    flag_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("flags.id", ondelete="CASCADE"), primary_key=True
    )
    #: Revision of that model.
    model: Mapped[str] = mapped_column(sa.String(200), index=True)
    #: float16, of unit length.
    embedding: Mapped[bytes | None]
    #: 64-bit difference hash of the crop, 16 hex digits.
    phash: Mapped[str | None] = mapped_column(sa.String(16))
    #: JSON ``[[breed id, probability], …]``, likeliest first.
    top: Mapped[str | None] = mapped_column(sa.Text)
    #: All in [0, 1]; see `smartbreed.review.scores`.
    uncertainty: Mapped[float | None]
    #: 1 - label quality.
    suspicion: Mapped[float | None]
    #: The outlier score.
    novelty: Mapped[float | None]
    #: Probability of the label given; null when the model does not know it.
    given: Mapped[float | None]
    #: Share of the nearest known examples that have the label given.
    support: Mapped[float | None]
    #: Why there is nothing above.
    problem: Mapped[str | None] = mapped_column(sa.String(300))
    looked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class Gold(Base):
    """A pet whose answer is known: it measures the flaggers of that pet."""

    __tablename__ = "gold"
    __table_args__ = (sa.Index(None, "sample_id"),)

    #: The flag it was made of.
    flag_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("flags.id", ondelete="CASCADE"), primary_key=True
    )
    sample_id: Mapped[str] = mapped_column(sa.String(64))
    #: Breed id; null: there is no pet.
    label: Mapped[str | None] = mapped_column(sa.String(80))
    reviewer: Mapped[str] = mapped_column(sa.String(64))
    marked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class Trust(Base):
    """How often a flagger was right where the answer is known; derived from decisions."""

    __tablename__ = "trust"

    flagger: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    right: Mapped[int]
    wrong: Mapped[int]
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class Rank(Base):
    """Where a flag stands in the queue: all that its place depends on but how rare its breed is.

    Made by `smartbreed.review.ranking`. Triggers note which flags have to be ranked anew, and count the rows.
    """

    __tablename__ = "review_ranks"
    __table_args__ = (
        # The order within a list: to read its first rows is to read no others.
        sa.Index(
            "ix_review_ranks_order", "state", "verdict", "label", "place", "rank", "flagged_at", "flag_id"
        ),
        sa.Index(None, "flagger", "place"),
        sa.Index(None, "flagger", "flagged_at"),
        sa.Index(None, "predicted"),
        sa.Index(None, "decided"),
    )

    flag_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("flags.id", ondelete="CASCADE"), primary_key=True
    )
    #: ``open`` or what was decided; see `smartbreed.review.decisions.OUTCOMES`.
    state: Mapped[str] = mapped_column(sa.String(16))
    verdict: Mapped[str] = mapped_column(sa.String(16))
    #: Breed id that the person gives; empty for none.
    label: Mapped[str] = mapped_column(sa.String(80))
    #: One of `smartbreed.review.ordering.PLACES`.
    place: Mapped[int]
    #: Less `smartbreed.review.ordering.own_points`, so that the most useful comes first.
    rank: Mapped[int]
    flagged_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    flagger: Mapped[str] = mapped_column(sa.String(64))
    #: Beyond its flagger's first flags of the day.
    beyond: Mapped[bool]
    #: The model has looked at it.
    seen: Mapped[bool]
    #: Breed ids that the model gave, and that was decided on.
    predicted: Mapped[str | None] = mapped_column(sa.String(80))
    decided: Mapped[str | None] = mapped_column(sa.String(80))


class Unranked(Base):
    """A flag to be ranked anew, and with it all flags of its photo; triggers add rows."""

    __tablename__ = "review_unranked"

    flag_id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)


class RankCount(Base):
    """How many rows of `Rank` have these values in common; triggers keep it."""

    __tablename__ = "review_rank_counts"

    state: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    verdict: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    label: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seen: Mapped[bool] = mapped_column(primary_key=True)
    number: Mapped[int]


class AcceptedCount(Base):
    """How many flags were accepted as a breed (its id; empty for none); triggers keep it."""

    __tablename__ = "review_accepted_counts"

    label: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    number: Mapped[int]


class RankRule(Base):
    """By which rule the rows of `Rank` were made, in one row; see `smartbreed.review.ranking`."""

    __tablename__ = "review_rank_rule"

    rule: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
