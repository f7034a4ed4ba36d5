"""What the tour says; its fragments are macros of ``templates/tour.html``, called like functions."""

from __future__ import annotations

from collections.abc import Sequence

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
        return "The photos accepted last cannot be read any more."
    before = sum(step.then.right for step in asked)
    after = sum(step.now is not None and step.now.right for step in asked)
    if len(asked) == 1:
        then, now = ("was" if before else "was not"), ("is" if after else "is not")
        return f"The photo accepted last {then} named right then, and {now} now."
    then, now = _share(before, len(asked), "was", "were"), _share(after, len(asked), "is", "are")
    return f"Of the {len(asked)} photos accepted last, {then} named right then, and {now} now."


def _share(number: int, of: int, one: str, many: str) -> str:
    if number in (0, of):
        return f"{'all' if number else 'none'} {many if number else one}"
    return f"{number} {one if number == 1 else many}"
