"""Decisions about flags: checked first, then added as rows; a new decision never replaces an old row."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from smartbreed.breeds.catalogue import BREEDS, GROUPS, Breed, get_breed, resolve
from smartbreed.core.database import batches
from smartbreed.core.errors import FlagError, ReviewError
from smartbreed.feedback.request import drawn_box
from smartbreed.feedback.tables import Flag
from smartbreed.imaging.photo import Box
from smartbreed.review.claims import answer_of, label_of
from smartbreed.review.tables import AGREEMENT, GOLD, Decision

#: Maximum lengths of texts, in characters.
MAX_NAME = 80
MAX_REASON = 500
_ID = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True)
class NewBreed:
    """A breed that the catalogue lacks.

    Attributes:
        species: ``cat`` or ``dog``; empty for a model of other things.
        group: key of `breeds.catalogue.GROUPS`, or empty.
    """

    id: str
    name: str
    species: str
    group: str


@dataclass(frozen=True)
class NewDecision:
    """A decision that is not a row yet; fields as in `smartbreed.review.tables.Decision`."""

    decision: str
    label: str | None = None
    name: str | None = None
    species: str | None = None
    group: str | None = None
    reason: str | None = None
    box: Box | None = None


def accept(reason: str = "", *, species: str = "", box: Box | None = None) -> NewDecision:
    """Build the decision that the person is right; `applied` takes the label from the flag.

    Args:
        species: ``cat`` or ``dog``, of a missed pet whose breed is unknown; empty: as the flag says.
        box: of a missed pet, in pixels, if the flag's box is wrong or missing.

    Raises:
        ReviewError: ``unknown_species``.
    """
    if species not in ("", "cat", "dog"):
        raise ReviewError("unknown_species", f"A species is cat or dog. Received: {species!r:.50}")
    return NewDecision(
        "accept", species=species or None, reason=clean(reason, MAX_REASON, "The reason"), box=box
    )


def at(new_decision: NewDecision, box: Box | None) -> NewDecision:
    """Return the decision with a corrected box for a missed pet; None: the flag's box is right."""
    return replace(new_decision, box=box)


def reject(reason: str = "") -> NewDecision:
    """Build the decision that no model may learn from the flag."""
    return NewDecision("reject", reason=clean(reason, MAX_REASON, "The reason"))


def relabel(
    breed: str, new: Mapping[str, NewBreed], reason: str = "", known: Callable[[], Iterable[Breed]] = tuple
) -> NewDecision:
    """Build the decision that the pet is of another breed.

    A breed that an earlier decision introduced is repeated in full, so that no row depends on another one
    that may be undone.

    Args:
        breed: id, name or alias.
        new: breeds that earlier decisions introduced, by id.
        known: returns the model's breeds; called if the catalogue has no such breed.

    Raises:
        ReviewError: ``unknown_breed``.
    """
    why = clean(reason, MAX_REASON, "The reason")
    if breed and (found := resolve(breed) or resolve(breed, known())):
        return NewDecision("relabel", found.id, reason=why)
    words = _plain(breed or "")
    for other in new.values():
        if words in (_plain(other.id), _plain(other.name)):
            return NewDecision(
                "new_breed", other.id, other.name, other.species or None, other.group or None, why
            )
    raise ReviewError(
        "unknown_breed",
        f"No breed of that name; choose one, or introduce it as a new breed. Received: {breed!r:.90}",
    )


def new_breed(
    name: str,
    species: str,
    group: str,
    new: Mapping[str, NewBreed],
    breed_id: str = "",
    reason: str = "",
    *,
    things: bool = False,
) -> NewDecision:
    """Build the decision that the pet is of a breed that the catalogue lacks.

    Args:
        name: display name.
        species: ``cat`` or ``dog``.
        group: key of `smartbreed.breeds.catalogue.GROUPS` of that species, or empty.
        new: breeds that earlier decisions introduced, by id.
        breed_id: lower-case words joined by ``_``; empty: derived from the name.
        things: the model recognises things other than pets, so that there is neither species nor group.

    Raises:
        ReviewError: ``bad_name``, ``bad_id``, ``unknown_species``, ``unknown_group``, or
            ``known_breed`` for one that is in the catalogue or was introduced with other values.
    """
    shown = clean(name, MAX_NAME, "The name")
    if not shown or not any(c.isalpha() for c in shown):
        raise ReviewError("bad_name", f"Give the name people use. Received: {name!r:.90}")
    label = (breed_id or "").strip() or id_of(shown)
    if not _ID.fullmatch(label) or not 3 <= len(label) <= MAX_NAME:
        raise ReviewError(
            "bad_id",
            f"Give an id: lower-case words joined by _, such as treeing_cur. Received: {label!r:.90}",
        )
    if things:
        species = group = ""
    elif species not in ("cat", "dog"):
        raise ReviewError("unknown_species", f"A species is cat or dog. Received: {species!r:.50}")
    if group and (group not in GROUPS or GROUPS[group].species != species):
        raise ReviewError(
            "unknown_group",
            f"No group of {species}s has this id; leave it empty if none fits. Received: {group!r:.50}",
        )
    for text in (shown, label):
        if (known := resolve(text)) is not None:
            raise ReviewError(
                "known_breed", f"The catalogue has {known.name} ({known.id}) already; relabel instead."
            )
    asked = NewBreed(label, shown, species, group or "")
    for other in new.values():
        if (other.id == label or _plain(other.name) == _plain(shown)) and other != asked:
            raise ReviewError(
                "known_breed",
                f"{other.name} ({other.id}, {other.species or 'no species'}, {other.group or 'no group'}) "
                "was introduced before; relabel instead, or give exactly the same.",
            )
    return NewDecision(
        "new_breed", label, shown, species or None, group or None, clean(reason, MAX_REASON, "The reason")
    )


def applied(new_decision: NewDecision, flag: Flag) -> NewDecision:
    """Apply a decision to one flag: accepting takes its label, relabelling to the same label accepts.

    A missed pet needs a box; a species is enough if its breed is unknown.

    Raises:
        ReviewError: ``nothing_to_accept``: the flag names no breed of the catalogue; ``no_box``: it
            does not say where the missed pet is; ``bad_box``.
    """
    label, box, missed = label_of(flag), _corrected(new_decision, flag), flag.verdict == "missed"
    if new_decision.decision in ("reject", "undo"):
        return replace(new_decision, box=None)
    if missed and (box or flag.box) is None:
        raise ReviewError(
            "no_box", "This flag does not say where the missed pet is; draw a box around it, or reject it."
        )
    if new_decision.decision == "relabel" and new_decision.label == label:
        return NewDecision("accept", label, reason=new_decision.reason, box=box)
    if new_decision.decision != "accept":
        return replace(new_decision, box=box)
    species = None
    if label is None and missed:
        species = new_decision.species or flag.species
    if label is None and species is None and flag.verdict != "not_a_pet":
        if missed:
            raise ReviewError(
                "nothing_to_accept",
                "This flag names no breed of the catalogue; say whether it is a dog or a cat, relabel it, "
                "introduce a new breed, or reject it.",
            )
        raise ReviewError(
            "nothing_to_accept",
            "This flag names no breed of the catalogue; relabel it, introduce a new breed, or reject it.",
        )
    return NewDecision("accept", label, species=species, reason=new_decision.reason, box=box)


def _corrected(new_decision: NewDecision, flag: Flag) -> Box | None:
    """Return the box of a decision, checked; None if there is none or it equals the flag's."""
    if new_decision.box is None:
        return None
    if flag.verdict != "missed":
        raise ReviewError("bad_box", "Only the box of a missed pet can be corrected.")
    try:
        box = drawn_box(new_decision.box, flag.photo_width, flag.photo_height)
    except FlagError as error:
        raise ReviewError(error.code, error.message) from None
    return None if box == flag.box else box


def breed_name(breed_id: str | None, names: Mapping[str, str]) -> str:
    """Return the display name of a breed from ``names``, else from the catalogue; empty for None."""
    return "" if breed_id is None else names.get(breed_id) or get_breed(breed_id).name


def names_of(new: Mapping[str, NewBreed]) -> dict[str, str]:
    """Return the names of new breeds by id, except of those that the catalogue has by now."""
    return {breed_id: breed.name for breed_id, breed in new.items() if breed_id not in BREEDS}


def id_of(name: str) -> str:
    """Derive an id from a name: ``"Treeing Cur"`` → ``"treeing_cur"``; may be empty."""
    return "_".join(re.findall(r"[a-z0-9]+", _bare(name)))


def clean(text: str | None, limit: int, what: str) -> str | None:
    """Return a text in one line, without control or formatting characters; None if nothing is left.

    Raises:
        ReviewError: ``text_too_long``.
    """
    if not text:
        return None
    if len(text) > 10 * limit:
        raise ReviewError("text_too_long", f"{what} is too long: at most {limit} characters.")
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    words = " ".join(unicodedata.normalize("NFC", visible).split())
    if len(words) > limit:
        raise ReviewError("text_too_long", f"{what} is too long: at most {limit} characters.")
    return words or None


def _bare(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold().replace("’", "").replace("'", ""))
    return "".join(c for c in plain if not unicodedata.combining(c))


def _plain(text: str) -> str:
    return "".join(c for c in _bare(text) if c.isalnum())


#: Latest decision about a flag → state of the flag.
OUTCOMES = {
    "accept": "accepted",
    "relabel": "relabelled",
    "reject": "rejected",
    "new_breed": "new breed",
    "undo": "open",
}
#: Decisions after which a model may learn from the photo.
ACCEPTING = ("accept", "relabel", "new_breed")


def is_latest() -> sa.ColumnElement[bool]:
    """Return the condition that a decision is the latest one of its flag, in a form that can use an index."""
    other = aliased(Decision)
    newest = sa.select(sa.func.max(other.decided_at)).where(other.flag_id == Decision.flag_id)
    return Decision.decided_at == newest.correlate(Decision).scalar_subquery()


def latest_decisions(session: Session, flag_ids: Sequence[str] | None = None) -> dict[str, Decision]:
    """Return the latest decision of each flag that has one, ``undo`` included.

    Args:
        flag_ids: only of these flags; None: of all.
    """
    query = sa.select(Decision).where(is_latest())
    if flag_ids is None:
        return {row.flag_id: row for row in session.scalars(query)}
    found: dict[str, Decision] = {}
    for some in batches(flag_ids):
        found |= {row.flag_id: row for row in session.scalars(query.where(Decision.flag_id.in_(some)))}
    return found


def introduced(session: Session) -> dict[str, NewBreed]:
    """Return the breeds that decisions introduced and that were not undone, by id."""
    rows = session.scalars(
        sa.select(Decision)
        .where(Decision.decision == "new_breed", is_latest())
        .order_by(Decision.decided_at, Decision.decision_id)
    )
    return {
        row.label: NewBreed(row.label, row.name or "", row.species or "", row.group or "")
        for row in rows
        if row.label
    }


def outcome(decision: Decision | None) -> str:
    """Return the state of a flag: ``open``, ``accepted``, ``relabelled``, ``rejected`` or ``new breed``."""
    return "open" if decision is None else OUTCOMES[decision.decision]


def history(session: Session, flag_id: str) -> list[Decision]:
    """Return all decisions about a flag, oldest first."""
    return list(
        session.scalars(sa.select(Decision).where(Decision.flag_id == flag_id).order_by(Decision.decided_at))
    )


def flags_by_id(session: Session, flag_ids: Iterable[str]) -> dict[str, Flag]:
    """Return the flags with these ids, by id; ids without a flag are left out."""
    ids = [flag_id for flag_id in flag_ids if flag_id.isascii() and flag_id.isalnum()]
    found: dict[str, Flag] = {}
    for some in batches(ids):
        rows = session.scalars(sa.select(Flag).where(Flag.id.in_(some)))
        found |= {flag.id: flag for flag in rows}
    return found


def append(
    session: Session,
    flag: Flag,
    new_decision: NewDecision,
    reviewer: str,
    last: Decision | None,
    now: dt.datetime,
) -> Decision:
    """Add a decision about a flag, dated after its last one even if the clock went back."""
    if last is not None and now <= last.decided_at:
        now = last.decided_at + dt.timedelta(microseconds=1)
    x0, y0, x1, y1 = new_decision.box or (None, None, None, None)
    row = Decision(
        flag_id=flag.id,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        sample_id=flag.sample_id,
        decision=new_decision.decision,
        label=new_decision.label,
        name=new_decision.name,
        species=new_decision.species,
        group=new_decision.group,
        reviewer=reviewer,
        reason=new_decision.reason,
        decided_at=now,
        state="pending",
    )
    session.add(row)
    return row


#: Maximum number of flags decided at once.
_MOST = 1000


def few(flag_ids: Sequence[str]) -> list[str]:
    """Return the ids without duplicates, in order.

    Raises:
        ReviewError: no flag, or more than `_MOST`.
    """
    ids = list(dict.fromkeys(flag_ids))
    if not 1 <= len(ids) <= _MOST:
        raise ReviewError("bad_number", f"Choose from 1 to {_MOST} flags. Received: {len(ids)}.")
    return ids


def for_all(new_decision: NewDecision) -> NewDecision:
    """Turn accepting the first of several pictures of one pet into a decision for all of them."""
    return (
        NewDecision("relabel", new_decision.label, reason=new_decision.reason)
        if new_decision.label
        else new_decision
    )


def at_odds(flag: Flag | None, first: Flag | None, new_decision: NewDecision, together: bool) -> str:
    """Return why a decision about the first of several pictures does not fit this one; empty if it does."""
    if not together or flag is None or first is None or answer_of(flag) == answer_of(first):
        return ""
    no_pet = new_decision.decision == "accept" and new_decision.label is None
    if new_decision.decision == "reject" or no_pet:
        return f"Flag {flag.id} says something else, so it is left to be decided by itself."
    return ""


def not_open(flag: Flag | None, last: Decision | None, new: Mapping[str, NewBreed]) -> str:
    """Return why a flag cannot be decided; empty if it can."""
    if flag is None:
        return unknown("").message
    if flag.state == "withdrawn":
        return f"The person took flag {flag.id} back meanwhile."
    if last is not None and last.decision != "undo":
        label = f" as {breed_name(last.label, names_of(new))}" if last.label else ""
        who = {AGREEMENT: "by agreement", GOLD: "by a known answer"}.get(last.reviewer, "by a maintainer")
        return (
            f"Flag {flag.id} was {outcome(last)}{label} {who} at {last.decided_at:%H:%M} UTC; "
            "undo that first to decide it anew."
        )
    return ""


def unknown(flag_id: str) -> ReviewError:
    """Return the error for a flag that does not exist."""
    return ReviewError("unknown_flag", f"There is no such flag. Received: {flag_id!r:.40}", status=404)
