"""What the tour says; its fragments are macros of ``templates/tour.html``, called like functions."""

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
    """The five stations of a correction, each with its number and, where there is none, what to do.

    Args:
        dataset: repo that corrections are published in.
        maintainers: whether the maintainers' pages can be reached, so that links to them lead somewhere.
    """
    last = next((release for release in releases if release.learnt and not release.bad), None)
    iterations = len([release for release in releases if not release.bad]) - 1
    return str(MACROS.feedback_loop(serving, waiting, last, iterations, dataset, maintainers))


def growth(releases: Sequence[Release]) -> str:
    """Accuracy per version, and what each one learnt."""
    return str(MACROS.growth([one for one in releases if not one.bad], accuracy(releases)))


def story(walk: Walk, *, maintainers: bool) -> str:
    """One corrected photo at each station of the feedback loop; what to do where there is none yet.

    Args:
        maintainers: whether the maintainers' pages can be reached from here.
    """
    if walk.problem:
        return str(html.trouble(walk.problem))
    if walk.example is None:
        return str(MACROS.guide(maintainers))
    return str(MACROS.story(walk.example, walk.gate_summary, maintainers))


def then_and_now(walk: Walk) -> str:
    """The photos accepted last: the answer that was corrected beside the present one."""
    if not walk.steps:
        return ""
    asked = [step for step in walk.steps if step.now is not None]
    learnt = any(step.learnt_by and not step.unseen for step in asked)
    return str(MACROS.then_and_now(walk.steps, _counted(asked), learnt))


def _counted(asked: list[Step]) -> str:
    """ "Of the 8 photos accepted last, none was named right then, and all are now." """
    if not asked:
        return gettext("The photos accepted last cannot be read any more.")
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


#: Whether it was named right then and is now.
_OF_ONE = {
    (False, False): mark("The photo accepted last was not named right then, and is not now."),
    (False, True): mark("The photo accepted last was not named right then, and is now."),
    (True, False): mark("The photo accepted last was named right then, and is not now."),
    (True, True): mark("The photo accepted last was named right then, and is now."),
}
_ALL_THEN = {False: mark("none was"), True: mark("all were")}
_ALL_NOW = {False: mark("none is"), True: mark("all are")}
