"""Messages to the operator, switches and caps that admins set, and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "contact_messages",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("member_id", sa.String(26)),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("topic", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.CheckConstraint(
            "topic IN ('question', 'problem', 'idea', 'privacy', 'other')",
            name=op.f("ck_contact_messages_topic"),
        ),
        sa.CheckConstraint("state IN ('new', 'read', 'answered')", name=op.f("ck_contact_messages_state")),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["members.id"],
            name=op.f("fk_contact_messages_member_id_members"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_messages")),
    )
    op.create_index(op.f("ix_contact_messages_sent_at"), "contact_messages", ["sent_at"])
    op.create_index(op.f("ix_contact_messages_member_id"), "contact_messages", ["member_id"])
    op.create_table(
        "site_switches",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_site_switches")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(16), nullable=False),
        sa.Column("member_id", sa.String(26)),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("words", sa.String(300), nullable=False),
        sa.Column("about_id", sa.String(26)),
        sa.CheckConstraint(
            "actor IN ('member', 'password', 'machine', 'command line', 'app')",
            name=op.f("ck_audit_entries_actor"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    for column in ("member_id", "action", "about_id"):
        op.create_index(op.f(f"ix_audit_entries_{column}"), "audit_entries", [column])
    _append_only()


def _append_only() -> None:
    """What was done stays noted as it was; only the ids of a deleted account may become empty."""
    events = {"delete": "DELETE", "update": "UPDATE OF id, at, actor, action, words"}
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute(
            "CREATE FUNCTION audit_entries_stay() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$"
        )
    act = (
        "FOR EACH ROW EXECUTE FUNCTION audit_entries_stay()"
        if postgresql
        else "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
    )
    for name, when in events.items():
        op.execute(f"CREATE TRIGGER audit_entries_no_{name} BEFORE {when} ON audit_entries {act}")
