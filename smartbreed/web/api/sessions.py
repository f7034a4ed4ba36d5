"""Small and bounded replacements for gradio's session state.

gradio copies the configuration of all components, about a megabyte, into each session, so that it can make a
link to the page in its present state. This app offers no such links. gradio also keeps a session until
10,000 newer ones exist. This module replaces both.
"""

from __future__ import annotations

import datetime
import os
from copy import copy
from typing import Any

from gradio import mcp, route_utils, state_holder
from gradio.components import State
from gradio.state_holder import SessionState, StateHolder

#: Most sessions, and most bytes of state in all of them together. The least recently used are evicted first.
CAPACITY, MOST_BYTES = 500, 192_000_000
#: Seconds that an unused session is kept while its page is open, and after the page was closed.
IDLE_S, CLOSED_S = 3600.0, 600.0


class LightSession(SessionState):
    """A session without a copy of the page's configuration.

    Attributes:
        sizes: bytes held by each state, by the id of its component.
    """

    def __init__(self, blocks: Any) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, Any] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 1 if os.getenv("GRADIO_IS_E2E_TEST") else CLOSED_S
        self.sizes: dict[int, int] = {}

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        if isinstance(block, State):
            self._state_ttl[key] = (block.time_to_live, datetime.datetime.now())
            self.state_data[key] = value
            self.sizes[key] = int(getattr(value, "nbytes", 0))
        else:
            self.blocks_config.blocks[key] = value

    def _update_config(self, key: int) -> None:
        """Do nothing: this session has no copy of the configuration."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Do nothing: this session has no copy of the configuration."""


class BoundedHolder(StateHolder):
    """The sessions of all visitors, limited by `CAPACITY`, `MOST_BYTES`, `IDLE_S` and `CLOSED_S`."""

    def update(self, session_id: str) -> None:
        super().update(session_id)
        with self.lock:
            held = sum(sum(session.sizes.values()) for session in self.session_data.values())
            while held > MOST_BYTES and len(self.session_data) > 1:
                evicted, session = self.session_data.popitem(last=False)
                self.time_last_used.pop(evicted, None)
                held -= sum(session.sizes.values())

    def delete_all_expired_state(self) -> None:
        super().delete_all_expired_state()
        now = datetime.datetime.now()
        with self.lock:
            for session_id, used in list(self.time_last_used.items()):
                session = self.session_data.get(session_id)
                age = (now - used).total_seconds()
                if session is None or age > (CLOSED_S if session.is_closed else IDLE_S):
                    self.session_data.pop(session_id, None)
                    self.time_last_used.pop(session_id, None)


def bound_sessions() -> None:
    """Make gradio use `LightSession` and `BoundedHolder`. Call this before ``launch``."""
    from gradio import routes

    for module in (state_holder, route_utils, mcp):
        module.SessionState = LightSession
    routes.StateHolder = BoundedHolder
