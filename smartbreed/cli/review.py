"""``smartbreed review``: decide about flags from a terminal or a script."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartbreed.cli.common import JsonOption, ends_well, say, settings_with

if TYPE_CHECKING:
    from smartbreed.review.decisions import NewDecision
    from smartbreed.review.queue import Item
    from smartbreed.review.service import Outcome
    from smartbreed.review.tables import Decision
    from smartbreed.services import Services


def item_of(item: Item) -> dict[str, Any]:
    """Return a flag as JSON."""
    flag = item.flag
    return {
        "flag": flag.id, "state": item.state, "usefulness": round(item.usefulness, 4),
        "verdict": flag.verdict, "label": item.label, "label_text": flag.label_text,
        "predicted": flag.predicted, "model_says": [[breed, round(p, 4)] for breed, p in item.top],
        "why": list(item.why), "held": item.held, "near_duplicates": [i for i in item.group if i != flag.id],
        "flagger": flag.flagger, "flagged_at": flag.flagged_at.isoformat(), "sample_id": flag.sample_id,
        "box": list((item.decision.box if item.decision else None) or flag.box or ()),
        "species": flag.species,
        "found": [[*box, species] for box, species in flag.found_pets or ()], "note": flag.note,
    }  # fmt: skip


def row_of(row: Decision) -> dict[str, Any]:
    """Return a decision as JSON."""
    names = ("decision_id", "flag_id", "decision", "label", "name", "species", "group", "reviewer", "reason")
    return {
        **{name: getattr(row, name) for name in names},
        "box": list(row.box or ()), "decided_at": row.decided_at.isoformat(),
    }  # fmt: skip


def short(row: dict[str, Any]) -> str:
    """Return a decision as one line of text."""
    what = row["label"] or row["species"]
    label = f" {what}" if what else ""
    reason = f" ({row['reason']})" if row["reason"] else ""
    return f"{row['decided_at'][:16]} {row['decision']}{label} by {row['reviewer'][:9]}{reason}"


def print_flags(found: Sequence[Item]) -> None:
    """Print flags as a table on stdout."""
    from smartbreed.cli.table import print_table
    from smartbreed.review.claims import said

    print_table(
        ("flag", "person said", "model says", "useful", "why"),
        [
            (
                item.id,
                said(item.flag, item.label_name),
                f"{item.top[0][0]} {item.top[0][1]:.0%}" if item.top else "",
                f"{item.usefulness:.2f}",
                " ".join(item.why[:2]),
            )
            for item in found
        ],
    )


app = typer.Typer(help="Review what visitors flagged.", no_args_is_help=True)

Flags = Annotated[list[str], typer.Argument(metavar="FLAG...", help="Ids, as `review list` shows them.")]
OneFlag = Annotated[str, typer.Argument(metavar="FLAG", help="Its id, as `review list` shows it.")]
Why = Annotated[str, typer.Option("--why", help="Kept with the decision, and published.")]
Corners = Annotated[
    str,
    typer.Option("--box", metavar="X0,Y0,X1,Y1", help="Box of a missed pet, if the flag's is wrong."),
]
Photos = Annotated[
    bool, typer.Option("--look/--no-look", help="Let the model look at flags it has not seen yet.")
]


@app.command("list")
def list_flags(
    as_json: JsonOption = False,
    state: Annotated[
        str, typer.Option(help="open, accepted, relabelled, rejected, 'new breed', decided or all.")
    ] = "open",
    verdict: Annotated[str, typer.Option(help="correct, wrong, not_a_pet, missed or unsure.")] = "",
    breed: Annotated[str, typer.Option(help="Id, name or alias of a breed that was named.")] = "",
    flagger: Annotated[str, typer.Option(help="First digits of a flagger's hash.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most flags to show.")] = 20,
    look: Photos = True,
) -> None:
    """Show flags, those most worth a decision first."""
    with ends_well():
        from smartbreed.review.queue import Filters

        services = _services()
        if look:
            _score(services)
        found = services.review.queue(Filters(state, verdict, breed, flagger))
        if as_json:
            for item in found[:limit]:
                print(json.dumps(item_of(item)))
        else:
            print_flags(found[:limit])
        if len(found) > limit:
            say(f"{len(found) - limit} more; --limit shows them.")
        services.stop()


@app.command()
def show(flag: OneFlag, as_json: JsonOption = False) -> None:
    """Show one flag, the reasons for its rank, and everything decided about it."""
    with ends_well():
        services = _services()
        item = services.review.item(flag)
        facts = {**item_of(item), "history": [row_of(row) for row in services.review.history(flag)]}
        if as_json:
            print(json.dumps(facts))
        else:
            for key, value in facts.items():
                if isinstance(value, list):
                    print(f"{key}:")
                    for line in value:
                        print(f"  {_line(line)}")
                elif value not in (None, ""):
                    print(f"{key}: {value}")
        services.stop()


@app.command()
def accept(
    flags: Flags,
    why: Why = "",
    species: Annotated[str, typer.Option(help="Species of a missed pet of unknown breed: cat or dog.")] = "",
    box: Corners = "",
    as_json: JsonOption = False,
) -> None:
    """Accept flags: the person is right."""
    from smartbreed.review import decisions

    with ends_well():
        _decide(flags, decisions.accept(why, species=species, box=_corners(box, flags)), as_json)


@app.command()
def reject(flags: Flags, why: Why = "", as_json: JsonOption = False) -> None:
    """Reject flags: there is nothing to learn from them."""
    from smartbreed.review import decisions

    with ends_well():
        _decide(flags, decisions.reject(why), as_json)


@app.command()
def relabel(
    breed: Annotated[str, typer.Argument(help="Id, name or alias of the right breed.")],
    flags: Flags,
    why: Why = "",
    box: Corners = "",
    as_json: JsonOption = False,
) -> None:
    """Relabel flags: the pet is of another breed."""
    from smartbreed.review import decisions

    with ends_well():
        services = _services()
        new = services.review.new_breeds()
        new_decision = decisions.relabel(breed, new, why, lambda: services.identifier.known.breeds)
        _decide(flags, decisions.at(new_decision, _corners(box, flags)), as_json, services)


@app.command("new-breed")
def new_breed(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    flags: Flags,
    species: Annotated[
        str, typer.Option(help="cat or dog; leave it out if the model names other things.")
    ] = "",
    group: Annotated[str, typer.Option(help="Id of the group it belongs to; empty: none.")] = "",
    breed_id: Annotated[str, typer.Option("--id", help="Default: derived from the name.")] = "",
    why: Why = "",
    box: Corners = "",
    as_json: JsonOption = False,
) -> None:
    """Relabel flags: the pet is of a breed that the catalogue lacks."""
    from smartbreed.review import decisions

    with ends_well():
        services = _services()
        known = services.review.new_breeds()
        things = not species and services.of_things
        new_decision = decisions.new_breed(name, species, group, known, breed_id, why, things=things)
        _decide(flags, decisions.at(new_decision, _corners(box, flags)), as_json, services)


@app.command()
def undo(flags: Flags, why: Why = "", as_json: JsonOption = False) -> None:
    """Undo the last decision about each of these flags."""
    with ends_well():
        services = _services()
        _report(services.review.undo(flags, _reviewer(services), reason=why), as_json)
        services.stop()


@app.command()
def gold(
    flag: Annotated[str | None, typer.Argument(metavar="[FLAG]", help="A decided flag.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="It is no longer a gold item.")] = False,
    photo: Annotated[
        Path | None, typer.Option(help="Use this photo instead, with --breed.", dir_okay=False)
    ] = None,
    breed: Annotated[str, typer.Option(help="The breed of the pet in --photo.")] = "",
) -> None:
    """Mark a decided flag, or a photo of your own, as gold: its known answer measures other flaggers."""
    with ends_well():
        from smartbreed.core.errors import RequestError

        if (flag is None) == (photo is None) or (photo is not None and not breed):
            raise RequestError("bad_arguments", "Give the id of a decided flag, or --photo with --breed.")
        services = _services()
        reviewer = _reviewer(services)
        if photo is not None:
            flag = _bring_in(services, photo, breed, reviewer)
        elif flag is not None:
            services.review.set_gold(flag, reviewer, gold=not remove)
        print(flag)
        services.stop()


@app.command()
def stats(as_json: JsonOption = False) -> None:
    """Show the state of the review."""
    with ends_well():
        services = _services()
        found = services.review.stats()
        facts = {
            "states": found.states, "decided_by": found.by_reviewer, "held_back": found.held,
            "flaggers": found.flaggers, "gold": found.gold, "not_looked_at": found.unseen,
            "new_breeds": sorted(services.review.new_breeds()),
        }  # fmt: skip
        if as_json:
            print(json.dumps(facts))
        else:
            for key, value in facts.items():
                text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
                print(f"{key.replace('_', ' ')}: {', '.join(text) if isinstance(text, list) else text}")
        services.stop()


def _line(value: Any) -> str:
    """Return one part of a flag as text: a sentence, a breed and its probability, or a decision."""
    if isinstance(value, dict):
        return short(value)
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _services() -> Services:
    from smartbreed.services import Services

    return Services(settings_with())


def _reviewer(services: Services) -> str:
    """Return the reviewer id of the current user, a salted hash of the name.

    Every user who can run the command line counts as a maintainer.
    """
    try:
        who = getpass.getuser()
    except (OSError, KeyError):
        who = ""
    return services.maintainers.reviewer(f"command line {who}")


def _corners(box: str, flags: list[str]) -> tuple[float, float, float, float] | None:
    """Return the corrected box; None if there is none. Only one flag may be corrected at a time."""
    from smartbreed.core.errors import RequestError
    from smartbreed.web.api.arguments import check_box

    corners = check_box(box)
    if corners is not None and len(set(flags)) > 1:
        raise RequestError("bad_box", "--box corrects one flag at a time.")
    return corners


def _score(services: Services) -> None:
    from smartbreed.core.native import native_silence
    from smartbreed.review.scoring import score_flags

    if services.review.stats().unseen:
        with native_silence():
            identifier = services.identifier
        score_flags(services.flags, identifier)


def _decide(
    flags: list[str], new_decision: NewDecision, as_json: bool, services: Services | None = None
) -> None:
    services = services or _services()
    _report(services.review.decide(flags, new_decision, _reviewer(services)), as_json)
    services.stop()


def _report(outcome: Outcome, as_json: bool) -> None:
    for row in outcome.decisions:
        print(json.dumps(row_of(row)) if as_json else f"{row.flag_id} {short(row_of(row))}")
    for why in outcome.skipped.values():
        say(why)
    if outcome.skipped:
        raise typer.Exit(1)


def _bring_in(services: Services, path: Path, breed: str, reviewer: str) -> str:
    from smartbreed.review.gold import request_for

    photo = services.read(path, path.name)
    return services.review.add_gold(request_for(services.identifier, photo, breed), reviewer)
