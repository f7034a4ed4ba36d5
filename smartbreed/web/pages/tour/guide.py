"""HTML of the tour where nothing has gone round yet: each step in words, with a link to where it is done."""

from __future__ import annotations


def guide(maintainers: bool) -> str:
    """The steps of a first round.

    Args:
        maintainers: whether the maintainers' pages can be reached from here, so that links lead somewhere.
    """
    review, train = (
        f'<a href="{address}">{name} page</a>' if maintainers else f"{name} page"
        for address, name in (("/review", "Review"), ("/train", "Retrain"))
    )
    steps = (
        (
            "Correct an answer",
            'On the <a href="/">Identify page</a>, add a photo, press “Wrong breed” under an answer, and '
            "say what it is. The photo is kept only if you agree.",
        ),
        (
            "Wait a few minutes",
            "The correction travels into the dataset by itself. If the Hub does not answer, it stays safe "
            "here and goes later.",
        ),
        (
            "Accept it",
            f"A maintainer looks at the photo on the {review} and accepts it, or says what it really is. "
            "Nothing is learnt from that a person has not looked at.",
        ),
        (
            "Retrain",
            f"On the {train}, one button teaches a new version and compares it with the present one. It is "
            "published only if it passes. A breed it does not know yet takes five photos.",
        ),
        (
            "Ask again",
            "The new version takes over by itself. The corrected photo is then shown here with both answers, "
            'and the <a href="/">Identify page</a> names the version that answers.',
        ),
    )
    items = "".join(f"<li><h4>{title}</h4><p>{text}</p></li>" for title, text in steps)
    return (
        '<section class="sb-growth"><h3>Walk it once</h3><p class="sb-lead">No correction has been accepted '
        "here yet. This is how the first one goes round; its photo will then be shown in this place.</p>"
        f'<ol class="sb-story">{items}</ol></section>'
    )
