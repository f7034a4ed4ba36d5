"""Turn what a person says about an answer into a flag that can be saved."""

from __future__ import annotations

import hashlib

from smartbreed.core.errors import RequestError
from smartbreed.feedback.request import FlagRequest, drawn_box
from smartbreed.imaging.photo import Box, Photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Identification, Pet


def request_of(
    photo: Photo,
    answer: Identification,
    identifier: Identifier,
    *,
    pet: Pet | None,
    number: int | None,
    verdict: str,
    label: str,
    label_text: str,
    consent: bool,
    flagger: str,
    box: Box | None,
    species: str,
) -> FlagRequest:
    """Build the request for `smartbreed.feedback.flags.FlagService.save`.

    All boxes of the request are in pixels of the stored photo.

    Args:
        identifier: finds the other pets of the photo if one was missed.
        pet, number: the pet that the flag is about, and its number from 1; None: the whole photo, or a
            missed pet.
        box: where a missed pet is, ``x0, y0, x1, y1`` in pixels of the upright photo.
        species: ``cat`` or ``dog``, of a missed pet.

    Raises:
        FlagError: ``bad_box``: the box does not fit the photo.
        RequestError: ``bad_box``, ``bad_pet``: box, number and verdict contradict each other.
    """
    missed = verdict == "missed"
    if box is not None and (not missed or number is not None):
        raise RequestError(
            "bad_box",
            "A box goes with the verdict missed and without a pet's number; a pet of the answer has one.",
        )
    if missed and number is not None:
        raise RequestError(
            "bad_pet", f"A missed pet is not in the answer, so it has no number. Received: pet {number}."
        )
    place = drawn_box(box, photo.width, photo.height) if box is not None else pet.box if pet else None
    return FlagRequest(
        pixels=photo.pixels,
        # The stored photo is the decoded one, which may be smaller than the original.
        box=None if place is None else photo.in_pixels(place),
        found=_found(photo, identifier) if missed and consent is True else None,
        pet_index=number,
        predicted=pet.breeds[0].id if pet else None,
        probability=pet.breeds[0].probability if pet else None,
        species=(species if missed else pet.species if pet else "") or None,
        verdict=verdict,
        label=label,
        label_text=label_text,
        model_revision=answer.model.revision,
        consent=consent,
        more_breeds=answer.labels.breeds if answer.labels else (),
        flagger_token=flagger or hashlib.sha256(photo.sha256.encode()).hexdigest(),
    )


def _found(photo: Photo, identifier: Identifier) -> list[tuple[Box, str]]:
    """Return box and species of the pets that the model finds, whatever the visitor's settings are."""
    answer = identifier.identify(photo)
    return [] if answer.whole else [(photo.in_pixels(pet.box), pet.species) for pet in answer.pets]
