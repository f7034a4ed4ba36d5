"""What the bundle that ships knows of its breeds without a picture: head, replay memory and gate set."""

from __future__ import annotations

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle
from training.continual.challenger import head_of, raw_config
from training.continual.memory import load_memory
from training.export.gate_set import load_gate, stand_in


class ShippedHead:
    """The gate set is a part of the memory where the bundle has none."""

    def __init__(self) -> None:
        bundle = load_bundle(EMBEDDED_BUNDLE)
        self.config = raw_config(bundle)
        self.names = [label.id for label in bundle.config.classifier.labels]
        self.groups = [label.group for label in bundle.config.classifier.labels]
        self.head = head_of(bundle)
        self.memory = load_memory(bundle.path("replay.npz"), self.names).base
        gate = load_gate(bundle)
        if gate is None:
            gate, self.memory = stand_in(self.memory, self.names)
        self.gate = gate
