"""Descriptions of the endpoints for Gradio's API page. MCP clients read the docstrings instead."""

from __future__ import annotations

from typing import Any

from smartbreed.web.api.arguments import FlagArguments, IdentifyArguments

_FORMS = "An uploaded file (handle_file), a web address, a data URL or base64."
_PARAMETERS = {
    **{name: str(field.description) for name, field in FlagArguments.model_fields.items()},
    **{name: str(field.description) for name, field in IdentifyArguments.model_fields.items()},
    "photo": _FORMS,
    "photos": f"A list. {_FORMS}",
    "breed": "Id of the breed to explain, as /breeds lists it. Empty: the first guess.",
    "flag_id": "Id of the flag, as /flag answered it.",
    "receipt": "The receipt that /flag answered.",
}
#: The page shows this as ``handle_file('rex.jpg')``.
_FILE = {"path": "rex.jpg", "url": "rex.jpg", "meta": {"_type": "gradio.FileData"}}
_EXAMPLES: dict[str, Any] = {"photo": _FILE, "photos": [_FILE], "verdict": "correct", "consent": True}
_OBJECT = {"type": "object", "additionalProperties": {}}
_FAILURE = 'for a photo that cannot be used {"image", "error": {"code", "message"}}'
_ANSWERS: dict[str, dict[str, Any]] = {
    "identify": {
        **_OBJECT,
        "description": '{"image", "sha256", "width", "height", "pets": [{"box", "score", "species", '
        '"verdict", "breeds": [{"id", "name", "probability"}], "group"}], "model", "milliseconds"}; '
        + _FAILURE,
    },
    "identify_many": {
        "type": "array",
        "items": _OBJECT,
        "description": "for each photo, in order, what /identify answers",
    },
    "explain": {"type": "object", "description": f"the path of a JPEG picture; {_FAILURE}"},
    "flag": {**_OBJECT, "description": f'{{"flag_id", "sample_id", "created", "receipt"}}; {_FAILURE}'},
    "withdraw": {**_OBJECT, "description": '{"flag_id", "withdrawn"}'},
    "breeds": {
        "type": "array",
        "items": _OBJECT,
        "description": '[{"id", "name", "aliases", "species", "group"}]',
    },
}


def describe(event: Any, endpoint: str, parameters: list[str]) -> None:
    """Add the descriptions that a signature cannot hold to an event of ``gr.api``.

    Args:
        event: Gradio's record of the event, ``blocks.fns[…]``.
        endpoint: name of the endpoint's function.
        parameters: names of the function's parameters, in order.
    """
    for name, component in zip(parameters, event.inputs, strict=True):
        component.label = name
        component._api_info["additional_description"] = _PARAMETERS[name]
        if name in _EXAMPLES:
            example = _EXAMPLES[name]
            component.example_payload = component.example_value = lambda example=example: example
    for component in event.outputs:
        component.label = "answer"
        component._api_info = dict(_ANSWERS[endpoint])
