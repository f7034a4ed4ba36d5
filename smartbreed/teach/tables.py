"""Tables of the models that members make: each has classes, and each class has photographs."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id
from smartbreed.teach.photos import SUBJECTS


class TeachModel(Base):
    """A model of a member's; its photos and its bundle lie under ``SMARTBREED_HOME/teach/<id>``."""

    __tablename__ = "teach_models"
    __table_args__ = (sa.CheckConstraint(sa.column("subject").in_(SUBJECTS), "subject"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    member_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("members.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(sa.String(60))
    subject: Mapped[str] = mapped_column(sa.String(8))
    #: Where it is served, below ``/m/``; None: it is not published here.
    address: Mapped[str | None] = mapped_column(sa.String(40), unique=True)
    #: Its repo on the Hub; None: it has none.
    repo: Mapped[str | None] = mapped_column(sa.String(200))
    #: Which of its bundles answers, counted from 1; 0: it has not been trained.
    bundle: Mapped[int] = mapped_column(default=0)
    #: JSON of what came of the training, see `smartbreed.teach.views.Report`.
    report: Mapped[str | None] = mapped_column(sa.Text)
    made_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class TeachClass(Base):
    """A class of a model."""

    __tablename__ = "teach_classes"
    __table_args__ = (sa.UniqueConstraint("model_id", "name"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    model_id: Mapped[str] = mapped_column(sa.String(26), sa.ForeignKey("teach_models.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(60))


class TeachPhoto(Base):
    """A photo of a class, and what the model that answered then made of it."""

    __tablename__ = "teach_photos"
    __table_args__ = (sa.UniqueConstraint("model_id", "sample_id"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    model_id: Mapped[str] = mapped_column(sa.String(26), sa.ForeignKey("teach_models.id", ondelete="CASCADE"))
    class_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("teach_classes.id", ondelete="CASCADE"), index=True
    )
    #: sha256 of the copy that is kept, which is its name.
    sample_id: Mapped[str] = mapped_column(sa.String(64))
    #: Of the member's file.
    name: Mapped[str] = mapped_column(sa.String(200))
    #: In bytes.
    size: Mapped[int]
    #: No pet was found in it, or none was looked for: the whole photo counts.
    whole: Mapped[bool]
    #: Of the model that the embedding is of.
    revision: Mapped[str] = mapped_column(sa.String(200))
    #: float16.
    embedding: Mapped[bytes]
    #: 64-bit difference hash of the subject, 16 hex digits.
    phash: Mapped[str] = mapped_column(sa.String(16))
