"""Known answers: pets whose breed a maintainer vouches for, and by which flaggers are measured."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from smartbreed.core.errors import ReviewError
from smartbreed.feedback.flags import FlagRequest
from smartbreed.imaging.photo import Photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.review.decisions import flags_by_id, latest_decisions
from smartbreed.review.tables import AGREEMENT, Gold


def mark(session: Session, flag_id: str, reviewer: str, now: dt.datetime) -> None:
    """Make the decision about a flag the known answer for its pet.

    Raises:
        ReviewError: ``unknown_flag``, or ``not_decided`` if no maintainer decided what the pet is.
    """
    flag = flags_by_id(session, [flag_id]).get(flag_id)
    if flag is None or flag.state == "withdrawn":
        raise ReviewError("unknown_flag", f"There is no such flag. Received: {flag_id!r:.40}", status=404)
    last = latest_decisions(session, [flag_id]).get(flag_id)
    if last is None or last.decision == "undo" or last.reviewer == AGREEMENT:
        raise ReviewError("not_decided", "Only what a maintainer decided can be a known answer.")
    if last.decision == "reject":
        raise ReviewError("not_decided", "A rejected flag does not say what the pet is; relabel it first.")
    if flag.verdict == "missed" and last.label is None:
        # A known answer without a label means that there is no pet.
        raise ReviewError(
            "not_decided", "Only a breed can be the known answer of a missed pet; relabel it first."
        )
    row = session.get(Gold, flag_id)
    if row is None:
        row = Gold(flag_id=flag_id, sample_id=flag.sample_id)
        session.add(row)
    row.label, row.reviewer, row.marked_at = last.label, reviewer, now


def unmark(session: Session, flag_id: str) -> None:
    """Remove a known answer; decisions that it led to stay. The call is idempotent."""
    row = session.get(Gold, flag_id)
    if row is not None:
        session.delete(row)


def request_for(identifier: Identifier, photo: Photo, breed: str) -> FlagRequest:
    """Build a flag from a maintainer's own photo of one pet and its breed.

    Raises:
        ReviewError: the photo does not show exactly one pet.
        FlagError: raised only later, when the flag is saved: no breed has that name.
    """
    answer = identifier.identify(photo)
    if len(answer.pets) != 1:
        raise ReviewError(
            "not_one_pet",
            f"A known answer needs a photo of exactly one pet. Received: {len(answer.pets)} of them.",
        )
    pet = answer.pets[0]
    return FlagRequest(
        pixels=photo.pixels,
        verdict="wrong",  # becomes "correct" if the model names this breed
        label=breed,
        predicted=pet.breeds[0].id,
        probability=pet.breeds[0].probability,
        species=pet.species,
        pet_index=1,
        box=photo.in_pixels(pet.box),
        model_revision=answer.model.revision,
        consent=True,
        flagger_token="gold",
    )
