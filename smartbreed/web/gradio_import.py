"""Keeps gradio from writing type stubs when it is imported.

On import, gradio parses the source of each of its components and writes a ``.pyi`` file for editors beside
it. That takes a quarter of the import's CPU time at every start, and a server has no use for the files.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_MODULE, _WRITES = "gradio.component_meta", "create_or_modify_pyi"


class _WithoutStubs(MetaPathFinder):
    """Import hook that replaces the function that writes the stubs as soon as its module is loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        loader: Any = spec.loader if spec else None
        if loader is not None:
            execute = loader.exec_module

            def execute_and_patch(module: ModuleType) -> None:
                execute(module)
                if hasattr(module, _WRITES):
                    setattr(module, _WRITES, lambda *_: None)

            loader.exec_module = execute_and_patch
        return spec


def write_no_stubs() -> None:
    """Disable the stubs. Call this before importing gradio; afterwards it has no effect."""
    if _MODULE not in sys.modules and not any(isinstance(one, _WithoutStubs) for one in sys.meta_path):
        sys.meta_path.insert(0, _WithoutStubs())
