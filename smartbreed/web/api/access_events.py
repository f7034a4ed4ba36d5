"""Every event handler and endpoint, and who may call it; `docs/security.md` has the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from smartbreed.web.api.access import ROUTES, SPACE_ROUTES


@dataclass(frozen=True)
class Event:
    """One function that the pages or clients can call.

    Attributes:
        page: the page's address without the slash; empty for the front page and the named endpoints.
        function: its qualified name.
        who: ``visitor``, or ``maintainer``, who needs a session and its token.
        what: what it does, in a few words.
    """

    page: str
    function: str
    who: Literal["visitor", "maintainer"]
    what: str


EVENTS = (
    Event("", "_endpoints.<locals>.identify", "visitor", "endpoint and MCP tool: name the pets of a photo"),
    Event("", "_endpoints.<locals>.identify_many", "visitor", "endpoint and MCP tool: of several photos"),
    Event("", "_endpoints.<locals>.explain", "visitor", "endpoint and MCP tool: heat map"),
    Event("", "_endpoints.<locals>.flag", "visitor", "endpoint and MCP tool: save a flag, with consent"),
    Event("", "_endpoints.<locals>.withdraw", "visitor", "endpoint and MCP tool: take a flag back"),
    Event("", "_endpoints.<locals>.breeds", "visitor", "endpoint and MCP tool: list of breeds"),
    Event("", "IdentifyPage._added", "visitor", "identify uploads of the visitor's own"),
    Event("", "IdentifyPage._example", "visitor", "identify an example"),
    Event("", "IdentifyPage._whole", "visitor", "identify the photo shown as one picture"),
    Event("", "IdentifyPage._choose", "visitor", "show another photo of one's own"),
    Event("", "IdentifyPage._page", "visitor", "show other pets of the photo"),
    Event("", "IdentifyPage._again", "visitor", "identify again with other settings"),
    Event("", "IdentifyPage._restart", "visitor", "start over"),
    Event("", "IdentifyPage._wire.<locals>.<lambda>", "visitor", "show the button of the chosen method"),
    Event("", "IdentifyPage.show_now", "visitor", "which version answers, how many flags wait"),
    Event("", "PetCard._explain", "visitor", "heat map of another breed"),
    Event("", "PetCard._explain_guess", "visitor", "heat map of a breed whose bar is pressed"),
    Event("", "PetCard._explain_deeper", "visitor", "heat map by a slower method"),
    Event("", "FlagForm._chooser.<locals>.choose", "visitor", "open the form of a flag"),
    Event("", "FlagForm.wire.<locals>.<lambda>", "visitor", "show a field of the form"),
    Event("", "FlagForm._chosen", "visitor", "say whether a breed is learnt, and how many people showed it"),
    Event("", "FlagForm._save", "visitor", "save a flag, with consent"),
    Event("", "FlagForm.reset", "visitor", "close the form"),
    Event("", "FlagForm._take_back", "visitor", "withdraw a flag of one's own"),
    Event("ask", "AskPage._ask", "visitor", "answer a question, identify a photo of the visitor's own"),
    Event("ask", "AskPage._example", "visitor", "answer one of the example questions"),
    Event("ask", "AskPage._clear", "visitor", "forget the conversation"),
    Event("tour", "TourPage._fill", "visitor", "numbers of the loop"),
    Event("tour", "TourPage._show", "visitor", "what was answered before and now"),
    Event("train", "TrainPage._tick", "maintainer", "show the page"),
    Event("train", "TrainPage._choose_mode", "maintainer", "say what the chosen mode needs"),
    Event("train", "TrainPage._start", "maintainer", "start a retraining"),
    Event("train", "TrainPage._cancel", "maintainer", "stop it"),
    Event("train", "TrainPage._use", "maintainer", "answer with another version"),
    Event("train", "TrainPage._back", "maintainer", "go back to the version before"),
    Event("review", "ReviewPage._guarded.<locals>.handle", "maintainer", "show, filter, decide, take back"),
    Event("review", "Acts.wire.<locals>.<lambda>", "visitor", "show an empty form; tells nothing"),
    Event("review", "groups_of", "visitor", "groups of a species, from the catalogue"),
)


def event_key(function: Any) -> str:
    """Return the qualified name of a handler without its wrappers; "" if an event has none on the server."""
    while isinstance(function, partial) or hasattr(function, "__wrapped__"):
        function = function.func if isinstance(function, partial) else function.__wrapped__
    return str(getattr(function, "__qualname__", "")) if function is not None else ""


def tables() -> str:
    """Return the tables of `docs/security.md` as Markdown."""
    routes = ((f"`{route.path}`", route.methods, route.who, route.what) for route in ROUTES)
    events = (
        (f"`/{event.page}`", f"`{event.function.replace('<locals>.', '')}`", event.who, event.what)
        for event in EVENTS
    )
    return (
        f"{_table(('address', 'methods', 'who', 'what'), routes)}\n\n"
        f"On a Space with sign-in also {', '.join(f'`{one.path}`' for one in SPACE_ROUTES)}, for visitors. "
        "Any other address answers 404 before gradio sees it.\n\n"
        f"{_table(('page', 'event handler or endpoint', 'who', 'what'), events)}"
    )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
