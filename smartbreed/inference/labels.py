"""The labels of a model as breeds, kept with every answer that it gives.

An answer may outlive its model: after another model has taken over, its names
and its Grad-CAM still come from here, without the networks.
"""

from __future__ import annotations

import numpy as np

from smartbreed.breeds.catalogue import GROUPS, Breed, breed_of_label, get_breed
from smartbreed.core.errors import RequestError
from smartbreed.inference.bundle_config import ClassifierConfig
from smartbreed.inference.grad_cam import grad_cam


class Labels:
    """The labels of one model, in the order of its logits.

    Args:
        config: of the classifier.

    Attributes:
        breeds: one per label, with the catalogue's aliases if it has the id.
        ids: of the breeds.
        bias: float32 ``(labels,)``, of the class-map layer.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        self.breeds: tuple[Breed, ...] = tuple(
            breed_of_label(label.id, label.name, label.species, label.group) for label in config.labels
        )
        self.ids = tuple(breed.id for breed in self.breeds)
        self.names = {breed.id: breed.name for breed in self.breeds}
        self.bias = np.array(config.bias or np.zeros(len(self.ids)), np.float32)
        self._index = {label: place for place, label in enumerate(self.ids)}

    def index(self, breed: str) -> int:
        """Return the position of a breed id in the logits.

        Raises:
            RequestError: this model does not know the breed.
        """
        if breed not in self._index:
            raise RequestError("unknown_breed", f"This model knows no breed with the id {breed[:60]!r}.")
        return self._index[breed]

    @property
    def of_pets(self) -> bool:
        """True when any label is a cat or a dog."""
        return any(breed.species for breed in self.breeds)

    def breed(self, breed_id: str) -> Breed:
        """Return the breed of an id; if this model does not know it, what the catalogue says."""
        place = self._index.get(breed_id)
        return get_breed(breed_id) if place is None else self.breeds[place]

    def group_name(self, group: str) -> str:
        """Return the name of a group, or of a label that is a group of its own."""
        return GROUPS[group].name if group in GROUPS else self.breed(group).name

    def heat(self, class_maps: np.ndarray, breed: str) -> np.ndarray:
        """Return the Grad-CAM of a breed: float32 ``(h, w)`` in 0…1.

        Args:
            class_maps: ``(h, w, labels)`` of a pet.
            breed: id of a label.

        Raises:
            RequestError: this model does not know the breed.
        """
        index = self.index(breed)
        return grad_cam(class_maps, index, float(self.bias[index]))
