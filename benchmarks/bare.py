"""Run the bare networks: record the inputs that the app makes for a photograph, then call only ``invoke``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from smartbreed.imaging.photo import Photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.runtime import Network

#: File name of a network, and one input for it.
Given = tuple[str, np.ndarray]


def inputs_of(identifier: Identifier, photo: Photo) -> list[Given]:
    """Record the inputs that both networks get for a photo, in order."""
    found: list[Given] = []
    original = Network.__call__

    def recorded(self: Network, image: np.ndarray) -> dict[str, np.ndarray]:
        found.append((self._name, image.copy()))
        return original(self, image)

    Network.__call__ = recorded  # type: ignore[method-assign]
    try:
        identifier.identify(photo)
    finally:
        Network.__call__ = original  # type: ignore[method-assign]
    return found


def invoker(identifier: Identifier, threads: int) -> Callable[[Iterable[Given]], None]:
    """Return a function that runs inputs on its own interpreters of ``threads`` threads; not thread-safe."""
    from ai_edge_litert.interpreter import Interpreter

    config = identifier.bundle.config
    ready: dict[str, Any] = {}
    for part in (config.classifier, config.detector):
        if part is not None:
            one = Interpreter(str(identifier.bundle.path(part.file)), num_threads=threads)
            one.allocate_tensors()
            ready[part.file] = (one, one.get_input_details()[0]["index"])

    def invoke(given: Iterable[Given]) -> None:
        for name, image in given:
            one, index = ready[name]
            one.set_tensor(index, image)
            one.invoke()

    return invoke
