"""Known answers: pets whose breed a maintainer vouches for, by which flaggers are measured."""

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
    """Make what was decided about a flag the known answer for its pet.

    Raises:
        ReviewError: ``unknown_flag``, or ``not_decided`` when no maintainer said what it is.
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
        # Without a label an answer means that there is no pet.
        raise ReviewError(
            "not_decided", "Only a breed can be the known answer of a missed pet; relabel it first."
        )
    row = session.get(Gold, flag_id)
    if row is None:
        row = Gold(flag_id=flag_id, sample_id=flag.sample_id)
        session.add(row)
    row.label, row.reviewer, row.marked_at = last.label, reviewer, now


def unmark(session: Session, flag_id: str) -> None:
    """The answer is no longer known; what it measured before stays. Doing it twice is harmless."""
    row = session.get(Gold, flag_id)
    if row is not None:
        session.delete(row)


def request_for(identifier: Identifier, photo: Photo, breed: str) -> FlagRequest:
    """A maintainer's own photo of one pet, as a flag that says which breed it is.

    Raises:
        ReviewError: the photo does not show exactly one pet.
        FlagError: later, when it is saved: no breed of that name.
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
        verdict="wrong",  # kept as "correct" where that is what the model says
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
