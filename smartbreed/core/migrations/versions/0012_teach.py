"""Models of one's own: their classes and photographs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "teach_models",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("member_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("subject", sa.String(8), nullable=False),
        sa.Column("address", sa.String(40)),
        sa.Column("repo", sa.String(200)),
        sa.Column("bundle", sa.Integer(), nullable=False),
        sa.Column("report", sa.Text()),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("subject IN ('pet', 'whole')", name=op.f("ck_teach_models_subject")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_teach_models_member_id_members"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teach_models")),
        sa.UniqueConstraint("address", name=op.f("uq_teach_models_address")),
    )
    op.create_index(op.f("ix_teach_models_member_id"), "teach_models", ["member_id"])
    op.create_table(
        "teach_classes",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("model_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["teach_models.id"], name=op.f("fk_teach_classes_model_id_teach_models"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teach_classes")),
        sa.UniqueConstraint("model_id", "name", name=op.f("uq_teach_classes_model_id_name")),
    )  # fmt: skip
    op.create_table(
        "teach_photos",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("model_id", sa.String(26), nullable=False),
        sa.Column("class_id", sa.String(26), nullable=False),
        sa.Column("sample_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.String(200), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("phash", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["teach_models.id"], name=op.f("fk_teach_photos_model_id_teach_models"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["class_id"], ["teach_classes.id"], name=op.f("fk_teach_photos_class_id_teach_classes"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teach_photos")),
        sa.UniqueConstraint("model_id", "sample_id", name=op.f("uq_teach_photos_model_id_sample_id")),
    )  # fmt: skip
    op.create_index(op.f("ix_teach_photos_class_id"), "teach_photos", ["class_id"])
