"""The input for photos from disk, camera or clipboard, which are passed on unopened.

A gr.Image would open each file with Pillow before the app's code runs, so a damaged
photo would end in a traceback and a HEIC one in an error. A gr.Gallery of file paths
leaves the files untouched; only `smartbreed.imaging.photo.read_photo` opens them.
(A custom component class would work too, but gradio writes a ``.pyi`` file beside the
source of every subclass when it is imported.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from smartbreed.i18n import gettext

#: Path of a temporary file, and the name to show for it.
Upload = tuple[str, str]

#: File types in the browser's file dialog. "file" makes gradio's server accept everything, and identify.js
#: does the same for its frontend: only a file's bytes are checked, and the app's own message refuses it.
_OFFERED = ["image", ".heic", ".heif", ".avif", ".tif", ".tiff", "file"]


def photo_input() -> gr.Gallery:
    """Return the component in which photos are dropped, chosen, taken or pasted."""
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
    """Return the gallery's value as ``(path, name)`` pairs; gradio keeps the file's name in the path."""
    return tuple((str(path), Path(str(path)).name) for path, _ in value or [])
