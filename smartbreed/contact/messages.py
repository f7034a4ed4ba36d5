"""Messages of the contact form: send, list, mark and delete them, and delete old ones automatically."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa

from smartbreed.admin.audit import note
from smartbreed.contact.tables import STATES, TOPICS, ContactMessage
from smartbreed.core.database import Sessions, forget_deleted, read, write
from smartbreed.core.errors import RequestError
from smartbreed.feedback.tables import is_id

#: Maximum length of a message, in characters.
LONGEST = 4000


class Messages:
    """The contact messages of an installation; safe for any number of threads.

    Args:
        sessions: opens the database, on first use.
        keep_days: number of days after which a message is deleted; 0: never.
        sent: called with each message once it is saved; used to mail it.
        clock: returns the current time; replaced in tests.
    """

    def __init__(
        self,
        sessions: Callable[[], Sessions],
        keep_days: int = 0,
        sent: Callable[[ContactMessage], object] = lambda message: None,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._open, self._keep_days, self._sent, self._clock = sessions, keep_days, sent, clock

    def send(self, text: str, topic: str, email: str = "", member_id: str = "") -> ContactMessage:
        """Save a message.

        Args:
            email: address for an answer, normalised by `smartbreed.accounts.fields.normalise`; may be empty.

        Raises:
            RequestError: ``empty_message``, ``too_long`` or ``unknown_topic``.
            StorageError: the database refused; nothing was saved.
        """
        clean = clean_text(text)
        if not clean:
            raise RequestError("empty_message", "Write a few words first; the message is empty.")
        if len(clean) > LONGEST:
            raise RequestError(
                "too_long",
                f"A message has at most {LONGEST} characters; this one has {len(clean)}. Please shorten it.",
                status=413,
            )
        if topic not in TOPICS:
            raise RequestError("unknown_topic", "Choose what the message is about.")
        message = ContactMessage(
            sent_at=self._clock(), member_id=member_id or None, email=email, topic=topic, text=clean
        )
        with write(self._open()) as session:
            session.add(message)
        self._sent(message)
        return message

    def list(self, state: str = "", most: int = 200) -> list[ContactMessage]:
        """Return the newest messages, of one state or of all."""
        query = sa.select(ContactMessage).order_by(ContactMessage.id.desc()).limit(most)
        with read(self._open()) as session:
            return list(
                session.scalars(query.where(ContactMessage.state == state) if state in STATES else query)
            )

    def count(self) -> dict[str, int]:
        """Return the number of messages in each state."""
        query = sa.select(ContactMessage.state, sa.func.count()).group_by(ContactMessage.state)
        with read(self._open()) as session:
            return dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in session.execute(query)}

    def mark(self, message_id: str, state: str) -> None:
        """Set the state of a message.

        Raises:
            RequestError: ``no_such_message`` (404), ``unknown_state``.
        """
        if state not in STATES:
            raise RequestError("unknown_state", "A message is new, read or answered.")
        self._change(message_id, sa.update(ContactMessage).values(state=state), f"message marked as {state}")

    def delete(self, message_id: str) -> None:
        """Delete a message for good.

        Raises:
            RequestError: ``no_such_message`` (404).
        """
        self._change(message_id, sa.delete(ContactMessage), "message deleted")
        forget_deleted(self._open())

    def _change(self, message_id: str, change: sa.Update | sa.Delete, words: str) -> None:
        found = None
        with write(self._open()) as session:
            if is_id(message_id):
                found = session.get(ContactMessage, message_id)
            if found is None:
                raise RequestError(
                    "no_such_message", "This message is gone; another admin may have deleted it.", status=404
                )
            session.execute(change.where(ContactMessage.id == message_id))
            note(session, "message", words)

    def forget_old(self) -> int:
        """Delete messages that are older than ``keep_days``; return how many were deleted."""
        if not self._keep_days:
            return 0
        old = ContactMessage.sent_at < self._clock() - dt.timedelta(days=self._keep_days)
        with read(self._open()) as session:  # reading first keeps no writer waiting
            number = session.scalar(sa.select(sa.func.count()).select_from(ContactMessage).where(old)) or 0
        if number:
            with write(self._open()) as session:
                session.execute(sa.delete(ContactMessage).where(old))
            forget_deleted(self._open())
        return number


#: Characters between letters that words of some languages, and emojis, are made with.
_JOINERS = "\u200c\u200d"


def clean_text(text: str) -> str:
    """Normalise line breaks and blanks, and remove control characters and lone surrogates from a text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    spaced = "".join(" " if c not in "\n\t" and c.isspace() else c for c in lines)
    return "".join(c for c in spaced if c in "\n\t" or c.isprintable() or c in _JOINERS).strip()
