"""Texts and HTML fragments of the tour; the fragments are macros of ``templates/tour.html``."""

from __future__ import annotations

from collections.abc import Sequence

from smartbreed.i18n import gettext, mark, ngettext
from smartbreed.registry.release_history import Release, Serving, Waiting
from smartbreed.web.components.templates import Macros, html
from smartbreed.web.pages.tour.history import Step, Walk
from smartbreed.web.pages.train.cards import accuracy

MACROS = Macros("tour.html")


def loop(
    serving: Serving,
    waiting: Waiting,
    releases: Sequence[Release],
    dataset: str,
    *,
    maintainers: bool = False,
) -> str:
    """Return the five stations of a correction, each with its count or, if that is 0, with what to do.

    Args:
        dataset: repo in which corrections are published.
        maintainers: whether the maintainers' pages can be reached, so that they are linked.
    """
    last = next((release for release in releases if release.learnt and not release.bad), None)
    iterations = len([release for release in releases if not release.bad]) - 1
    return str(MACROS.feedback_loop(serving, waiting, last, iterations, dataset, maintainers))


def growth(releases: Sequence[Release]) -> str:
    """Return the accuracy per version, and what each version learnt."""
    return str(MACROS.growth([one for one in releases if not one.bad], accuracy(releases)))


def story(walk: Walk, *, maintainers: bool) -> str:
    """Return one corrected photo at each station of the feedback loop, or a guide if there is none yet.

    Args:
        maintainers: whether the maintainers' pages can be reached from here.
    """
    if walk.problem:
        return str(html.trouble(walk.problem))
    if walk.example is None:
        return str(MACROS.guide(maintainers))
    return str(MACROS.story(walk.example, walk.gate_summary, maintainers))


def then_and_now(walk: Walk) -> str:
    """Return the photos accepted last, each with the corrected answer beside the current one."""
    if not walk.steps:
        return ""
    asked = [step for step in walk.steps if step.now is not None]
    learnt = any(step.learnt_by and not step.unseen for step in asked)
    return str(MACROS.then_and_now(walk.steps, _counted(asked), learnt))


def _counted(asked: list[Step]) -> str:
    """Count the right answers, then and now.

    For example "Of the 8 photos accepted last, none was named right then, and all are now."
    """
    if not asked:
        return gettext("The photos accepted last can no longer be read.")
    before = sum(step.then.right for step in asked)
    after = sum(step.now is not None and step.now.right for step in asked)
    if len(asked) == 1:
        return gettext(_OF_ONE[bool(before), bool(after)])
    then = gettext(_ALL_THEN[bool(before)]) if before in (0, len(asked)) else None
    now = gettext(_ALL_NOW[bool(after)]) if after in (0, len(asked)) else None
    return gettext(
        "Of the %(all)s photos accepted last, %(then)s named right then, and %(now)s now.",
        all=len(asked),
        then=then or ngettext("%(number)s was", "%(number)s were", before),
        now=now or ngettext("%(number)s is", "%(number)s are", after),
    )


#: Sentence about a single photo, by whether it was named right then and is named right now.
_OF_ONE = {
    (False, False): mark("The photo accepted last was not named right then, and is not now."),
    (False, True): mark("The photo accepted last was not named right then, and is now."),
    (True, False): mark("The photo accepted last was named right then, and is not now."),
    (True, True): mark("The photo accepted last was named right then, and is now."),
}
_ALL_THEN = {False: mark("none was"), True: mark("all were")}
_ALL_NOW = {False: mark("none is"), True: mark("all are")}
