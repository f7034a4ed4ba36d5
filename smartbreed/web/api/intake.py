"""Keep Gradio's own handling of bad input quiet, and away from photos.

Gradio moves files and checks arguments before it calls an endpoint. If that fails, it
prints a traceback with the upload's path. `guard` wraps this step: the endpoints of
`smartbreed.web.api.endpoints` receive a photo as it was sent and check it themselves.
For every other event, a failure becomes one sentence for the caller and one log line
without private data.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import gradio as gr
from gradio.utils import get_type_hints

from smartbreed.services import explain_failure

log = logging.getLogger(__name__)


class CallerError(gr.Error):
    """An error with a message for the caller; nothing is printed on the server.

    Args:
        message: what is wrong and what to do about it.
        code: stable identifier, shown as the title.
    """

    def __init__(self, message: str, code: str = "Error") -> None:
        super().__init__(message, title=code, print_exception=False)

    def __str__(self) -> str:
        return str(self.message)  # shown to MCP clients; gr.Error would add quotes


def guard(blocks: gr.Blocks, own: set[int]) -> None:
    """Wrap the methods with which ``blocks`` prepares arguments and calls handlers.

    Args:
        blocks: the app.
        own: ids of the events whose functions receive file arguments as they were sent.
    """
    prepare = blocks.preprocess_data

    async def guarded(block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        if not block_fn.fn:  # the event runs in the browser only; gradio would print a traceback
            raise CallerError("This event runs in the browser alone.", "bad_arguments")
        if block_fn._id in own:
            inputs = [_plain(value) for value in inputs]
        try:
            return await prepare(block_fn, inputs, *args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            log.warning("input of /%s refused: %s", block_fn.api_name, type(error).__name__)
            raise CallerError(
                "These arguments cannot be used here: their number is wrong, or a file was not uploaded, "
                "is gone again or cannot be opened.",
                "bad_arguments",
            ) from None

    blocks.preprocess_data = guarded  # type: ignore[method-assign]
    call = blocks.call_function

    async def called(
        block_fn: Any, inputs: Any, iterator: Any = None, requests: Any = None, event_id: Any = None,
        event_data: gr.EventData | None = None, *args: Any, **kwargs: Any,
    ) -> Any:  # fmt: skip
        if not _fits(block_fn.fn, event_data):
            raise CallerError("What happened on the page is missing from this call.", "bad_arguments")
        return await call(block_fn, inputs, iterator, requests, event_id, event_data, *args, **kwargs)

    blocks.call_function = called  # type: ignore[method-assign]


def _fits(function: Callable[..., Any], event: gr.EventData | None) -> bool:
    """True if the call contains the event data that the handler reads, such as the index of a choice."""
    kinds = [kind for kind in get_type_hints(function).values() if isinstance(kind, type)]
    wanted = next((kind for kind in kinds if issubclass(kind, gr.EventData)), None)
    if wanted is None:
        return True
    sent = event._data if event is not None else None
    if not isinstance(sent, dict):
        return False
    if not issubclass(wanted, gr.SelectData):
        return True
    index = sent.get("index")
    return "value" in sent and isinstance(index, int) and not isinstance(index, bool)


def _plain(value: Any) -> Any:
    """Return ``value`` without the key by which Gradio recognises a file."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and "path" in value:
        return {key: item for key, item in value.items() if key != "meta"}
    return value


def answering(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Decorate an endpoint, so that whatever it raises reaches the caller as a `CallerError`."""

    @wraps(function)
    async def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            known = explain_failure(error)
            raise CallerError(known.message, known.code) from None

    return answer
