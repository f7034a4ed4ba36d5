"""MCP answers as JSON text.

Gradio turns an endpoint's answer into text with ``str``. For a dictionary that is
Python's notation, with ``None`` and single quotes, which JSON parsers reject. This
module wraps one method, so that the text is the same JSON as at the other interfaces.
"""

from __future__ import annotations

import json
from typing import Any

from gradio.mcp import GradioMCPServer
from gradio_client.utils import is_file_obj_with_meta


def answer_in_json(server: GradioMCPServer) -> None:
    """Make ``server`` send lists and dictionaries as JSON; files are left unchanged."""
    postprocess = server.postprocess_output_data

    def to_content(data: Any, root_url: str) -> list[Any]:
        return list(postprocess([_text(value) for value in data], root_url))

    server.postprocess_output_data = to_content  # type: ignore[method-assign]


def _text(value: Any) -> Any:
    if isinstance(value, (dict, list)) and not is_file_obj_with_meta(value):
        return json.dumps(value, ensure_ascii=False)
    return value
