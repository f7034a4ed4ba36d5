"""The history of the database schema: one Alembic revision per file in ``versions/``.

A revision's id is the number its file name starts with (``0002_accounts.py`` has
``revision = "0002"``); `smartbreed.core.migrate` relies on it, and a test checks it.
A released revision is never edited. There is no ``alembic.ini``; a new revision is
drafted by comparing the tables in the code with a migrated scratch database::

    python - <<'PY'
    from alembic import command
    from smartbreed.core.database import make_engine
    from smartbreed.core.migrate import alembic_config, migrate
    import smartbreed.review.tables  # and every other package's tables, or they look deleted

    migrate("sqlite:////tmp/scratch.db")
    with make_engine("sqlite:////tmp/scratch.db").connect() as connection:
        command.revision(alembic_config(connection), "accounts", autogenerate=True, rev_id="0002")
    PY

Read the draft before keeping it. Write constants out instead of importing them, since
the code changes and a revision must not. ``upgrade`` carries rows over; there is no
``downgrade`` (restore a backup instead), because a flag must never be dropped.
"""
