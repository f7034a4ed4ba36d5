"""Photos from the visitor's disk, camera or clipboard, handed on unopened.

A gr.Image would open each file with Pillow before our code runs, so that a damaged
photo ends in a traceback and a HEIC one in an error. A gr.Gallery of file paths
leaves files as they came; `smartbreed.imaging.photo.read_photo` is the only one to open
them. (A component class of our own would do too, but gradio writes a ``.pyi`` file
beside the source of every subclass when it is imported.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from smartbreed.i18n import gettext

#: Path of a temporary file, and the name to show for it.
Upload = tuple[str, str]

#: What the browser's file dialog offers. "file" makes gradio's server pass on everything, and
#: page.js its browser part: a file is checked by its bytes alone and refused with our own sentence.
_OFFERED = ["image", ".heic", ".heif", ".avif", ".tif", ".tiff", "file"]


def photo_input() -> gr.Gallery:
    """The place to drop, choose, take or paste photos."""
    return gr.Gallery(
        label=gettext("Photos"),
        show_label=False,
        interactive=True,
        sources=["upload", "webcam", "clipboard"],
        type="filepath",
        file_types=_OFFERED,
        height=260,
        columns=4,
        allow_preview=False,
        object_fit="cover",
        buttons=[],
        elem_id="photo-input",
    )


def uploads(value: list[tuple[Any, str | None]] | None) -> tuple[Upload, ...]:
    """What the gallery hands over as ``(path, name)``; gradio keeps the file's own name in the path."""
    return tuple((str(path), Path(str(path)).name) for path, _ in value or [])
