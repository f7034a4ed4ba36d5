"""What the pages for maintainers say as things go on there, in German and Spanish."""

from __future__ import annotations

import datetime as dt

import pytest
from support.languages import english_in, text_of

from smartbreed.dataset.needs import Need
from smartbreed.i18n import speaking
from smartbreed.registry.release_history import Release, Serving, Waiting
from smartbreed.review.stats import Stats
from smartbreed.training_jobs.job import NO_MODEL, STATES, TRIGGERS, Job, JobSpec
from smartbreed.training_jobs.progress import Progress, Result
from smartbreed.web.pages.review import cards as review
from smartbreed.web.pages.train import cards as train

NOW = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)


def job(state: str, trigger: str = "hand", result: Result | None = None) -> Job:
    progress = Progress(message="Looking at 12 accepted photos", result=result)
    progress.take('{"stage": "embed", "done": 1, "of": 4, "message": "Looking at 12 accepted photos"}')
    sentence = NO_MODEL.get(state, "The new model was not good enough, so nothing was published.")
    return Job(JobSpec("a", "head", True, trigger, NOW), state, progress, sentence, NOW)


def of_training() -> list[str]:
    serving = Serving("1.3.0", "a" * 40, "smartbreed/pets", 133, NOW, before="1.2.0", pin="1.3.0")
    moving = Serving("1.3.0", "a" * 40, "smartbreed/pets", 133, NOW, pin="1.2.0", chosen="pinned")
    new = Result(True, True, "1.4.0", learnt=("mudi",), learnt_names=("Mudi",), outcome="published")
    needs = [Need("head", 1), Need("head", 0), Need("full", 2, new_breeds=(("mudi", 3),))]
    releases = [Release("1.3.0", "a", NOW, gate=0.9, served=True), Release("1.2.0", "b", NOW, bad="No file.")]
    jobs = [job(state, trigger) for state in STATES if state != "running" for trigger in TRIGGERS]
    waiting = Waiting(3, "1.2.0", (("Pug", 3),), 9, 4, 5, 2, 1, 1, published_at=NOW)
    return [
        *(train.outcome(one, serving) for one in jobs),
        *(train.outcome(job("released", result=new), now) for now in (serving, moving)),
        *(train.progress(one) for one in (job("running"), jobs[0])),
        *(str(train.MACROS.announcement(one)) for one in (job("running"), jobs[0])),
        *(train.need(one) for one in needs),
        *(train.choice_note(now) + train.back_text(now) for now in (serving, moving)),
        *(text for text, _ in (*train.modes([]), *train.modes(jobs), *train.choices(releases, serving))),
        train.versions(releases), train.versions([]), train.history(jobs),
        *(str(train.MACROS.waiting(one)) for one in (waiting, Waiting())),
        str(train.MACROS.serving(serving)), str(train.MACROS.intro()),
    ]  # fmt: skip


def of_review() -> list[str]:
    macros = review.MACROS
    return [
        *(
            review.progress(Stats({"open": left, "accepted": 3}, {}, {}, {}, 0, 2), 0, left, 1)
            for left in (0, 5)
        ),
        *(str(macros.undone(count)) for count in (1, 3)),
        *(str(macros.gold(now)) for now in (True, False)),
        *(str(macros.empty(*state)) for state in ((True, True), (False, False), (False, True))),
        str(macros.decided("", [])),
    ]


@pytest.mark.parametrize("code", ["de", "es"])
def test_nothing_stays_english(code: str) -> None:
    english = of_training() + of_review()
    assert any(english_in(text_of(one), code) for one in english), "the search finds English where it is"
    with speaking(code):
        said = of_training() + of_review()
    for text in said:
        assert english_in(text_of(text), code, least=9) == [], text
