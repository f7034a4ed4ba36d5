"""Database tables of members' custom models: each model has classes, and each class has photos."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id
from smartbreed.teach.photos import SUBJECTS


class TeachModel(Base):
    """A member's model; its photos and its bundle are in ``SMARTBREED_HOME/teach/<id>``."""

    __tablename__ = "teach_models"
    __table_args__ = (sa.CheckConstraint(sa.column("subject").in_(SUBJECTS), "subject"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    member_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("members.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(sa.String(60))
    subject: Mapped[str] = mapped_column(sa.String(8))
    #: The address below ``/m/`` where it is served; None if it is not published here.
    address: Mapped[str | None] = mapped_column(sa.String(40), unique=True)
    #: Id of its repo on the Hub; None if it has none.
    repo: Mapped[str | None] = mapped_column(sa.String(200))
    #: Number of the bundle that is served, from 1; 0 if it has not been trained.
    bundle: Mapped[int] = mapped_column(default=0)
    #: JSON of the training's report, see `smartbreed.teach.views.Report`.
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
    """A photo of a class, with the embedding and hash computed from it."""

    __tablename__ = "teach_photos"
    __table_args__ = (sa.UniqueConstraint("model_id", "sample_id"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    model_id: Mapped[str] = mapped_column(sa.String(26), sa.ForeignKey("teach_models.id", ondelete="CASCADE"))
    class_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("teach_classes.id", ondelete="CASCADE"), index=True
    )
    #: sha256 of the stored copy, which is also its file name.
    sample_id: Mapped[str] = mapped_column(sa.String(64))
    #: Name of the member's file.
    name: Mapped[str] = mapped_column(sa.String(200))
    #: Size of the stored copy, in bytes.
    size: Mapped[int]
    #: True if the embedding is of the whole photo: no pet was found, or none was looked for.
    whole: Mapped[bool]
    #: Revision of the model that computed the embedding.
    revision: Mapped[str] = mapped_column(sa.String(200))
    #: float16 ``(d,)``.
    embedding: Mapped[bytes]
    #: 64-bit difference hash of the subject, 16 hex digits.
    phash: Mapped[str] = mapped_column(sa.String(16))
