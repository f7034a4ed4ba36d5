"""Feature switches and caps that admins set; they take effect without a restart.

A value in the database overrides the settings of the environment. Every process on the database follows
within a second.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.admin.audit import note
from smartbreed.admin.tables import SiteSwitch
from smartbreed.core.database import Sessions, read, write
from smartbreed.core.errors import RequestError, StorageError

if TYPE_CHECKING:  # importing pydantic takes 0.3 s, and only the type is needed
    from smartbreed.core.settings import Settings

#: Maximum age of cached values, in seconds.
_FRESH_S = 1.0


@dataclass(frozen=True)
class Feature:
    """A feature that can be switched off.

    Attributes:
        name: its name on the page for admins.
        closed: the sentence shown to people who ask for it while it is off.
    """

    name: str
    closed: str


FEATURES: Mapping[str, Feature] = {
    "flags": Feature("Collecting flags", "Flags are not accepted here at the moment."),
    "sign_up": Feature(
        "New accounts",
        ("New accounts cannot be created here at the moment. Everything public works without one."),
    ),
    "quiz": Feature("Quiz", "The quiz is switched off at the moment; come back another time."),
    "ask": Feature("Ask", "Questions are not answered here at the moment; see the breed pages instead."),
    "teach": Feature("Teach", "New models cannot be made here at the moment; existing ones are kept."),
    "contact": Feature("Contact form", "The contact form is switched off at the moment."),
}
#: Caps on what is collected: name of the setting → its name on the page. 0 means no cap.
CAPS: Mapping[str, str] = {
    "client_flags": "Flags a day from one person or network",
    "total_flags": "Flags a day in total",
    "quota": "Bytes of all flagged photos",
}
_MOST = 10**15


class Switches:
    """The current switches and caps; safe for any number of threads and processes.

    Args:
        settings: apply where no admin has set anything.
        sessions: opens the database, on first use.
    """

    def __init__(self, settings: Settings, sessions: Callable[[], Sessions]) -> None:
        self._settings, self._open = settings, sessions
        self._known: tuple[float, dict[str, int]] = (-_FRESH_S, {})

    def is_on(self, feature: str) -> bool:
        """Return whether a feature is on; never raises.

        If the database refuses, the last known value is kept.
        """
        return feature not in self.off

    def require(self, feature: str) -> None:
        """Raise if a feature is switched off.

        Raises:
            RequestError: ``switched_off`` (404), with the feature's sentence.
        """
        if not self.is_on(feature):
            raise RequestError("switched_off", FEATURES[feature].closed, status=404)

    @property
    def off(self) -> frozenset[str]:
        """The features that are off."""
        return frozenset(name for name in FEATURES if not self.value(name))

    def value(self, name: str) -> int:
        """Return the current value: 1 or 0 for a feature, the number for a cap."""
        made, known = self._known
        if time.monotonic() - made >= _FRESH_S:
            with suppress(StorageError):  # keep the last known values, and do not ask again for each of them
                known = _rows(self._open)
            self._known = (time.monotonic(), known)
        return known.get(name, default_of(self._settings, name))

    def set_by_hand(self) -> dict[str, int]:
        """Return the values that admins have set, by name.

        Raises:
            StorageError: the database refused.
        """
        return _rows(self._open)

    def set(self, name: str, value: int | None) -> None:
        """Switch a feature or set a cap, and record it in the audit log in the same transaction.

        Args:
            value: 1 or 0 for a feature, the number for a cap; None: back to the settings.

        Raises:
            RequestError: ``unknown_switch`` or ``bad_value``.
            StorageError: the database refused; nothing was changed.
        """
        if name not in FEATURES and name not in CAPS:
            raise RequestError("unknown_switch", "There is no such switch.", status=404)
        most = 1 if name in FEATURES else _MOST
        if value is not None and not 0 <= value <= most:
            raise RequestError("bad_value", f"Give a whole number from 0 to {most}.")
        with write(self._open()) as session:
            row = session.get(SiteSwitch, name)
            if (None if row is None else row.value) == value:
                return
            if row is not None:
                session.delete(row)
                session.flush()
            if value is not None:
                session.add(SiteSwitch(name=name, value=value, changed_at=dt.datetime.now(dt.UTC)))
            words = "as the settings say" if value is None else str(value)
            if name in FEATURES and value is not None:
                words = "on" if value else "off"
            note(session, "switch", f"{name}: {words}")
        self._known = (-_FRESH_S, self._known[1])


def default_of(settings: Settings, name: str) -> int:
    """Return the value that applies if no admin has set one."""
    if name in CAPS:
        return int(getattr(settings, name))
    off = {part.strip() for part in settings.off.split(",")}
    return int(name not in off and (name != "flags" or settings.take_flags))


def current(session: Session, settings: Settings, *names: str) -> list[int]:
    """Return the current values of some switches or caps, as a transaction sees them."""
    found = {row.name: row.value for row in session.scalars(sa.select(SiteSwitch))}
    return [found.get(name, default_of(settings, name)) for name in names]


def _rows(sessions: Callable[[], Sessions]) -> dict[str, int]:
    with read(sessions()) as session:
        return {row.name: row.value for row in session.scalars(sa.select(SiteSwitch))}
