"""Tables of the review: decisions, the model's signals, known answers, trust, ranks."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

#: What can be decided about a flag; ``undo`` cancels the decision before it.
DECISIONS = ("accept", "relabel", "reject", "new_breed", "undo")
#: State of a decision on its way into the dataset.
STATES = ("pending", "published")
#: Reviewers that are not people.
AGREEMENT, GOLD = "agreement", "gold"


class Decision(Base):
    """One decision about one flag; columns as in the dataset's configuration ``reviews``."""

    __tablename__ = "decisions"
    __table_args__ = (
        sa.CheckConstraint(sa.column("decision").in_(DECISIONS), "decision"),
        sa.CheckConstraint(sa.column("state").in_(STATES), "state"),
        # Two decisions about one flag never have the same time, or their order would be lost.
        sa.UniqueConstraint("flag_id", "decided_at"),
        sa.Index(None, "state", "decision_id"),
        sa.Index(None, "decision", "decided_at"),
    )

    decision_id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: No foreign key: when a flag is erased, the decisions about it stay.
    flag_id: Mapped[str] = mapped_column(sa.String(26))
    sample_id: Mapped[str] = mapped_column(sa.String(64), index=True)
    decision: Mapped[str] = mapped_column(sa.String(16))
    #: Breed id that the sample has from now on; null for none (rejected, undone, no pet).
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
        """The corrected box ``(x0, y0, x1, y1)``; None if the flag's own box is right."""
        if self.x0 is None or self.y0 is None or self.x1 is None or self.y1 is None:
            return None
        return (self.x0, self.y0, self.x1, self.y1)


class Signals(Base):
    """A model's signals for a flagged pet; computed again when another model is served."""

    __tablename__ = "signals"

    flag_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("flags.id", ondelete="CASCADE"), primary_key=True
    )
    #: Revision of the model.
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
    #: Probability of the person's label; null if there is none, or the model does not know it.
    given: Mapped[float | None]
    #: Share of the nearest known examples that have the person's label; null if no example has it.
    support: Mapped[float | None]
    #: Why the signals above are missing; null if they are not.
    problem: Mapped[str | None] = mapped_column(sa.String(300))
    looked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class Gold(Base):
    """A pet with a known answer, by which people who flag the pet are measured."""

    __tablename__ = "gold"
    __table_args__ = (sa.Index(None, "sample_id"),)

    #: The flag whose decision is the known answer.
    flag_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("flags.id", ondelete="CASCADE"), primary_key=True
    )
    sample_id: Mapped[str] = mapped_column(sa.String(64))
    #: Breed id; null: there is no pet.
    label: Mapped[str | None] = mapped_column(sa.String(80))
    reviewer: Mapped[str] = mapped_column(sa.String(64))
    marked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class Trust(Base):
    """How often a flagger was right and wrong in answers that could be checked; derived from decisions."""

    __tablename__ = "trust"

    flagger: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    right: Mapped[int]
    wrong: Mapped[int]
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class Rank(Base):
    """A flag's rank in the queue: all that its place depends on, except the rarity of its breed.

    Written by `smartbreed.review.ranking`. Triggers record which flags have to be ranked again, and count
    the rows.
    """

    __tablename__ = "review_ranks"
    __table_args__ = (
        # The order within a list, so that its first rows can be read without the others.
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
    #: Negated `smartbreed.review.ordering.own_points`, so that the most useful flag sorts first.
    rank: Mapped[int]
    flagged_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    flagger: Mapped[str] = mapped_column(sa.String(64))
    #: Whether it is beyond its flagger's daily cap.
    beyond: Mapped[bool]
    #: Whether it has the model's signals.
    seen: Mapped[bool]
    #: Breed id that the model gave, and the one of the latest decision.
    predicted: Mapped[str | None] = mapped_column(sa.String(80))
    decided: Mapped[str | None] = mapped_column(sa.String(80))


class Unranked(Base):
    """A flag to be ranked again, together with all flags of its photo; triggers add rows."""

    __tablename__ = "review_unranked"

    flag_id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)


class RankCount(Base):
    """The number of rows of `Rank` with these values; triggers keep it up to date."""

    __tablename__ = "review_rank_counts"

    state: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    verdict: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    label: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seen: Mapped[bool] = mapped_column(primary_key=True)
    number: Mapped[int]


class AcceptedCount(Base):
    """The number of flags accepted as a breed (its id; empty for none); triggers keep it up to date."""

    __tablename__ = "review_accepted_counts"

    label: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    number: Mapped[int]


class RankRule(Base):
    """The rule by which the rows of `Rank` were made, in a single row; see `smartbreed.review.ranking`."""

    __tablename__ = "review_rank_rule"

    rule: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
