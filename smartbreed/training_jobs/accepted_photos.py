"""Compare the accepted photos of this installation with what the model to be retrained has learnt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from smartbreed.breeds.catalogue import BREEDS
from smartbreed.core.database import Sessions
from smartbreed.core.settings import Settings
from smartbreed.dataset.accepted import accepted_pets, read_model, waiting_for
from smartbreed.dataset.needs import LEAST_PICTURES, Model, Need, capped, need
from smartbreed.inference.bundle import Bundle
from smartbreed.registry.model_source import read_source
from smartbreed.registry.release_history import Releases
from smartbreed.registry.state import StateFile
from smartbreed.review.decisions import NewBreed, breed_name, names_of
from smartbreed.training_jobs.jobs import MODES


@dataclass(frozen=True)
class VisitorsBreed:
    """A breed that is not in the catalogue and that visitors have added, or are adding.

    Attributes:
        id: breed id.
        name: display name.
        species: ``cat``, ``dog`` or empty.
        photos: number of photos of it that are accepted or already learnt.
        counting: number of those that a retraining may learn from, given the cap per person.
        people: number of people who gave the accepted photos.
        known: True if the model in use can name it.
    """

    id: str
    name: str
    species: str
    photos: int
    counting: int
    people: int
    known: bool

    @property
    def missing(self) -> int:
        """Number of photos still missing before it can be learnt; 0 if it is known."""
        return 0 if self.known else max(0, LEAST_PICTURES - self.counting)


class AcceptedPhotos:
    """Counts of accepted photos, for pages and triggers.

    Args:
        settings: settings that name the model.
        sessions: sessions of the database with the decisions.
        releases: releases of the model repo.
        new_breeds: returns the breeds that decisions introduced, by id.
        bundle: returns the bundle in use; called only when it is needed.
    """

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        releases: Releases,
        new_breeds: Callable[[], Mapping[str, NewBreed]],
        bundle: Callable[[], Bundle],
    ) -> None:
        self._settings, self._sessions, self._releases = settings, sessions, releases
        self._new_breeds, self._bundle = new_breeds, bundle
        self._model: tuple[str, Model] | None = None

    def waiting(self) -> Counter[str]:
        """Count the accepted photos that were not learnt yet, by the name of the breed.

        Raises:
            StorageError: the database refused.
        """
        found = waiting_for(accepted_pets(self._sessions), self._learnt())
        names = names_of(self._new_breeds())
        return Counter(pet.name or breed_name(pet.label, names) for pet in found)

    def needs(self) -> dict[str, Need]:
        """Return what each mode of retraining has and needs, with new breeds by their names.

        Raises:
            StorageError: the database refused.
        """
        model = replace(self._served(), learnt=self._learnt())
        pets, names = accepted_pets(self._sessions), names_of(self._new_breeds())
        found = {mode: need(mode, pets, model) for mode in MODES}
        return {
            mode: replace(one, new_breeds=tuple((breed_name(id_, names), n) for id_, n in one.new_breeds))
            for mode, one in found.items()
        }

    def visitors_breeds(self) -> tuple[VisitorsBreed, ...]:
        """Return the breeds that are not in the catalogue, sorted by name.

        These are the breeds that decisions introduced, and those that the model learnt before.

        Raises:
            StorageError: the database refused.
        """
        model, new, pets = self._served(), self._new_breeds(), accepted_pets(self._sessions)
        kept = {pet.key for pet in capped(pets)}
        labels = {label.id: label for label in self._bundle().config.classifier.labels}
        names = names_of(new)
        found = []
        for breed in (set(new) | (model.known - model.base)) - set(BREEDS):
            learnt = {key for key, label in model.learnt.items() if label == breed}
            given = {pet.key: pet.flagger for pet in pets if pet.label == breed}
            label, introduced = labels.get(breed), new.get(breed)
            found.append(
                VisitorsBreed(
                    breed,
                    (label and label.name) or breed_name(breed, names),
                    label.species if label else introduced.species if introduced else "",
                    len(learnt | set(given)),
                    len(learnt | (set(given) & kept)),
                    len(set(given.values())),
                    breed in model.known,
                )
            )
        return tuple(sorted(found, key=lambda one: one.name.casefold()))

    def _learnt(self) -> Mapping[str, str]:
        """Return what the model to be retrained (the pinned one, else the newest) has learnt, by key."""
        pinned = StateFile(self._settings.home_dir).read(read_source(self._settings).key).pin
        learnt = None if pinned else self._releases.learnt()
        # If the Hub has never answered, the served model is the best guess.
        return self._served().learnt if learnt is None else learnt

    def _served(self) -> Model:
        bundle, known = self._bundle(), self._model
        if known is None or known[0] != bundle.version.revision:
            known = self._model = (bundle.version.revision, read_model(bundle))
        return known[1]
