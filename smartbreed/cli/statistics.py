"""``smartbreed statistics``: how well the model works, and how it is used here."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from smartbreed.cli.common import JsonOption, ends_well, say, settings_with


def statistics(
    as_json: JsonOption = False,
    recompute: Annotated[
        bool,
        typer.Option("--recompute", help="Recount all flags first, and report wrong numbers."),
    ] = False,
) -> None:
    """Show the measured accuracy of the model in use, its use here, and whether photos have drifted."""
    with ends_well():
        from smartbreed import feedback_loop
        from smartbreed.core.native import native_silence
        from smartbreed.services import Services
        from smartbreed.statistics import flag_counts

        services = Services(settings_with())
        try:
            if recompute:
                wrong = flag_counts.recompute(services.flags.sessions)
                say(f"{wrong} wrong numbers were mended." if wrong else "every number was right.")
            with native_silence():
                found = feedback_loop.statistics(services)
            own = feedback_loop.statistics_for_maintainers(services)
        finally:
            services.stop()
        if as_json:
            print(json.dumps({**found.model_dump(mode="json"), "maintainers": own.model_dump(mode="json")}))
            return
        from smartbreed.cli.table import print_table

        rows = [("version", found.version), ("photos answered", str(found.use.photos))]
        if it := found.measured:
            said = f"{_share(it.said_breed)}; right for {_share(it.said_breed_right)} of them"
            rows += [
                ("first guess right", f"{_share(it.right)} of {it.pictures} test pictures"),
                ("a breed is said for", said),
            ]
        if found.use.median_ms:
            rows.append(("half of the photos took", f"at most {found.use.median_ms:.0f} ms"))
        rows.append(("people agreed, disagreed", f"{found.feedback.right}, {found.feedback.wrong}"))
        for one in own.drift:
            index = f"{one.pets} pets" if one.index is None else f"{one.index:.2f}"
            rows.append((f"shift of {one.what}", f"{one.state} ({index})"))
        mixed = f"{own.mix.pets} pets" if own.mix.index is None else f"{own.mix.index:.2f}"
        rows.append(("shift of the mix of breeds", f"{own.mix.state} ({mixed})"))
        print_table(("statistics", ""), rows)
        if own.alarm:
            say("recent photos differ from earlier ones; see the page Statistics.")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
