"""HTML of the tour's pictures: one photo's way round, and the photos accepted last, then and now."""

from __future__ import annotations

import base64

from smartbreed.web.components.html import when
from smartbreed.web.components.sentences import percent
from smartbreed.web.components.templates import escaped as escape
from smartbreed.web.pages.tour.guide import guide
from smartbreed.web.pages.tour.history import Answer, Step, Walk
from smartbreed.web.pages.tour.versions import Verdict


def waiting() -> str:
    """Stands here while the photos are asked again."""
    return '<p class="sb-note sb-asking">Asking the photos that were corrected once more …</p>'


def story(walk: Walk, *, maintainers: bool) -> str:
    """One corrected photo at each station of the circle; what to do where there is none yet.

    Args:
        maintainers: whether the maintainers' pages can be reached from here.
    """
    if walk.problem:
        return f'<p class="sb-problem">{escape(walk.problem)}</p>'
    if walk.example is None:
        return guide(maintainers)
    step = walk.example
    stations = (
        ("Flagged", _flagged(step)),
        ("Published and reviewed", _reviewed(step)),
        ("Learnt, and examined", _examined(step, walk.verdict, maintainers)),
        ("Released", _released(step, walk.verdict)),
        ("Asked again", _asked(step)),
    )
    items = "".join(
        f"<li{'' if text else ' class=sb-to-come'}><h4>{title}</h4>{text or _TO_COME}</li>"
        for title, text in stations
    )
    listed = f'<ol class="sb-story">{items}</ol>'
    return f'<section class="sb-growth"><h3>One photo’s way round</h3>{listed}</section>'


def then_and_now(walk: Walk) -> str:
    """The photos accepted last: the answer that was corrected beside the present one."""
    if not walk.steps:
        return ""
    asked = [step for step in walk.steps if step.now is not None]
    learnt = sum(bool(step.learnt_by) and not step.unseen for step in asked)
    said = _counted(asked)
    if learnt:
        said += (
            " Photos that a version has learnt from are easy for it; how it does on photos nobody has "
            "learnt from is in the plot below."
        )
    cards = "".join(f"<li>{_card(step)}</li>" for step in walk.steps)
    return (
        '<section class="sb-growth"><h3>The same photos, then and now</h3>'
        f'<p class="sb-lead">{said}</p><ul class="sb-pairs">{cards}</ul></section>'
    )


#: At a station that a photo has not reached.
_TO_COME = '<p class="sb-note">Still to come.</p>'


def _inner(text: str) -> str:
    """A text with quotation marks in it, as it stands between others."""
    return text.translate(str.maketrans("“”", "‘’"))


def _flagged(step: Step) -> str:
    who = f"Version {escape(step.then.version)}" if step.then.version else "The model"
    return (
        f"{_picture(step, 'as it was flagged')}<p>{who} said <b>{_named(step.then)}</b>.</p>"
        f"<p>A visitor: <q>{escape(_inner(step.lesson.said))}</q></p>{_at(when(step.lesson.flagged_at))}"
    )


def _reviewed(step: Step) -> str:
    lesson = step.lesson
    who = "Several people agreed" if lesson.agreed else "A maintainer looked at it and decided"
    published = "and is in the dataset." if lesson.published_at else "and is on its way into the dataset."
    return (
        f"<p>{who}: <b>{escape(lesson.name)}</b>.</p><p>It is one to learn from, {published}</p>"
        f"{_at(when(lesson.decided_at))}"
    )


def _examined(step: Step, verdict: Verdict | None, maintainers: bool) -> str:
    if not step.learnt_by:
        train = '<a href="/train">Retrain page</a>' if maintainers else "Retrain page"
        return f"<p>It waits for the next version, which a maintainer starts on the {train}.</p>"
    version = escape(step.learnt_by)
    how = (
        f"Version {version} was judged on it and has not learnt from it."
        if step.unseen
        else f"Version {version} has learnt from it."
    )
    return f"<p>{how}</p>{_gate(verdict) if verdict else ''}"


def _gate(verdict: Verdict) -> str:
    """In two plain sentences; the gate's own, with all their figures, folded away."""
    release, said = verdict.release, ["It passed the gate."]
    if release.flagged is not None and release.flagged_before is not None:
        photos = f"the {verdict.photos} new photos" if verdict.photos > 1 else "the new photos"
        said.append(
            f"Of {photos}, asked before it had learnt from them, it named <b>{percent(release.flagged)}</b> "
            f"right; the version before it, {percent(release.flagged_before)}."
        )
    own = "".join(f"<li>{escape(sentence)}</li>" for sentence in verdict.sentences)
    folded = f"<details><summary>The gate’s own words</summary><ul>{own}</ul></details>" if own else ""
    return f"<p>{' '.join(said)}</p>{folded}"


def _released(step: Step, verdict: Verdict | None) -> str:
    if not step.learnt_by:
        return ""
    learnt = verdict.release.learnt if verdict else ()
    more = f" and {len(learnt) - 3} more" if len(learnt) > 3 else ""
    what = f"<p>New in it: {escape(', '.join(learnt[:3]))}{more}.</p>" if learnt else ""
    moment = verdict.release.released_at if verdict else None
    return (
        f'<p class="sb-big">Version {escape(step.learnt_by)}</p>{what}{_at(when(moment)) if moment else ""}'
    )


def _asked(step: Step) -> str:
    if step.now is None:
        return "<p>The photo cannot be read any more.</p>"
    mark = _mark(step)
    return (
        f"{_picture(step, 'asked again')}<p>Version {escape(step.now.version)}, which answers now, says "
        f"<b>{_named(step.now)}</b>.</p><p>{mark}</p>"
    )


def _card(step: Step) -> str:
    lesson = step.lesson
    learnt = ""
    if step.learnt_by:
        does = "was judged on it, unseen" if step.unseen else "has learnt from it"
        learnt = f"Version {escape(step.learnt_by)} {does}."
    else:
        learnt = "It waits for the next version."
    now = _answer("now", step.now) if step.now else "<dt>now</dt><dd>The photo cannot be read any more.</dd>"
    return (
        f'<article class="sb-pair{" sb-better" if step.became_right else ""}">'
        f"{_picture(step, 'a photo that was corrected')}"
        f"<h4>{escape(lesson.name)}</h4><dl>{_answer('then', step.then)}{now}</dl>"
        f'<p class="sb-note">{_mark(step)} {learnt}</p></article>'
    )


def _answer(moment: str, answer: Answer) -> str:
    version = f" <small>{escape(answer.version)}</small>" if answer.version else ""
    sign, said = ("✓", "right") if answer.right else ("✗", "wrong")
    look = "sb-right" if answer.right else "sb-wrong"
    share = (
        f' <span class="sb-percent">{percent(answer.probability)}</span>'
        if answer.probability is not None
        else ""
    )
    return (
        f'<dt>{moment}{version}</dt><dd class="{look}"><span role="img" aria-label="{said}">{sign}</span>'
        f"&nbsp;{escape(answer.name)}{share}</dd>"
    )


def _mark(step: Step) -> str:
    if step.now is None:
        return ""
    if step.became_right:
        return '<span class="sb-tag sb-tag-good">became right</span>'
    if step.now.right:
        return '<span class="sb-tag">right both times</span>'
    if step.then.right:
        return '<span class="sb-tag sb-tag-bad">became wrong</span>'
    return '<span class="sb-tag">not yet right</span>'


def _named(answer: Answer) -> str:
    if answer.probability is None:
        return escape(answer.name)
    share = escape(percent(answer.probability)).replace(" ", "&nbsp;")  # in one piece at the end of a line
    return f"{escape(answer.name)}, {share}"


def _picture(step: Step, what: str) -> str:
    # In the page itself: what lies under SMARTBREED_HOME has no address of its own.
    if not step.picture:
        return '<div class="sb-no-picture">no picture</div>'
    data = base64.b64encode(step.picture).decode("ascii")
    return f'<img alt="{escape(step.lesson.name)}, {what}" src="data:image/jpeg;base64,{data}">'


def _at(moment: str) -> str:
    return f'<p class="sb-note">{moment}</p>'


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
