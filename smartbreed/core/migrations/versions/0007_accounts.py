"""Accounts: members, how they sign in, which flags are theirs, and receipts of deletion."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _member(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    return sa.Column("member_id", sa.String(26), nullable=False), sa.ForeignKeyConstraint(
        ["member_id"], ["members.id"], name=op.f(f"fk_{table}_member_id_members"), ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "members",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("email", sa.String(254)),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("password_hash", sa.String(200)),
        sa.Column("role", sa.String(16), nullable=False),
        _moment("created_at"),
        _moment("verified_at", null=True),
        _moment("disabled_at", null=True),
        sa.CheckConstraint("role IN ('member', 'maintainer', 'admin')", name=op.f("ck_members_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.UniqueConstraint("email", name=op.f("uq_members_email")),
    )
    op.create_table(
        "member_identities",
        sa.Column("issuer", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        *_member("member_identities"),
        _moment("joined_at"),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_member_identities")),
    )
    op.create_table(
        "member_sessions",
        sa.Column("id", sa.String(64), nullable=False),
        *_member("member_sessions"),
        _moment("opened_at"),
        _moment("expires_at"),
        sa.Column("browser", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_sessions")),
    )
    op.create_table(
        "used_tokens",
        sa.Column("id", sa.String(32), nullable=False),
        _moment("expires_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_used_tokens")),
    )
    op.create_table(
        "member_flags",
        sa.Column("flag_id", sa.String(26), nullable=False),
        *_member("member_flags"),
        sa.ForeignKeyConstraint(
            ["flag_id"], ["flags.id"], name=op.f("fk_member_flags_flag_id_flags"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("flag_id", name=op.f("pk_member_flags")),
    )
    op.create_table(
        "deletion_receipts",
        sa.Column("id", sa.String(32), nullable=False),
        _moment("rows_at"),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        _moment("photos_at", null=True),
        _moment("dataset_at", null=True),
        sa.Column("pending", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion_receipts")),
    )
    for table in ("member_identities", "member_sessions", "member_flags"):
        op.create_index(op.f(f"ix_{table}_member_id"), table, ["member_id"])
    for table in ("member_sessions", "used_tokens"):
        op.create_index(op.f(f"ix_{table}_expires_at"), table, ["expires_at"])
