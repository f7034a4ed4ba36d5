"""What the retraining page and the tour say, and to whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from support.sound_html import check_nesting

from smartbreed.core.settings import load_settings
from smartbreed.registry.release_history import Release, Serving, Waiting
from smartbreed.services import Services
from smartbreed.training_jobs.job import Job, JobSpec
from smartbreed.training_jobs.jobs import Jobs
from smartbreed.training_jobs.progress import Progress, Result
from smartbreed.web.components import nav
from smartbreed.web.components.chart import Series, line_chart
from smartbreed.web.pages.tour import cards as tour_cards
from smartbreed.web.pages.train import cards as train_cards
from smartbreed.web.pages.train.page import TrainPage

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
EVIL = "<script>alert('{{x}}')</script>"
OUT_OF_DISTRIBUTION = SimpleNamespace(headers={"host": "127.0.0.1:7860"})


@pytest.fixture
def services(tmp_path: Any) -> Iterator[Services]:
    services = Services(load_settings(home=tmp_path / "home", maintainer_password="correct horse"))
    services.maintainers.listening_on("127.0.0.1")
    yield services
    services.flags.close()


def page_of(services: Services) -> TrainPage:
    with gr.Blocks() as blocks:
        pass
    with blocks.route("Retrain", "/train"):
        return TrainPage(services)


def test_no_handler_does_or_shows_anything_for_a_visitor(services: Services) -> None:
    page = page_of(services)
    shown = page._tick("", "head", OUT_OF_DISTRIBUTION)
    assert page.main not in shown
    assert page.serving not in shown
    assert "sb-sign-in" in shown[page.closed]["value"]
    for reported in (
        page._start("head", OUT_OF_DISTRIBUTION),
        page._cancel(OUT_OF_DISTRIBUTION),
        page._use("latest", "head", OUT_OF_DISTRIBUTION),
        page._back("head", OUT_OF_DISTRIBUTION),
        page._choose_mode("full", OUT_OF_DISTRIBUTION),
    ):
        assert len(reported) == 1
        assert "sb-problem" in next(iter(reported.values()))
    assert services.retraining.latest() is None


def everything(text: str) -> tuple[str, ...]:
    """Every fragment of both pages, with a text from outside wherever one can be."""
    releases = [
        Release("1.1.0", "a" * 40, NOW, None, 0.88, 0.02, 0.9, 0.1, 134, (text,), served=True),
        Release(text, text, None, bad=text),
        Release("1.0.0", "b" * 40, NOW, 0.86, 0.87, 0.03, breeds=133),
    ]
    serving = Serving(text, text, text, 133, NOW, text, text)
    waiting = Waiting(3, text, ((text, 2), ("Pug", 1)), 9, 8, 7, 2, 1, 1, text, (text,), NOW)
    return (
        train_cards.MACROS.serving(serving),
        train_cards.MACROS.waiting(waiting),
        train_cards.versions(releases),
        train_cards.accuracy(releases),
        tour_cards.loop(serving, waiting, releases, text),
        tour_cards.growth(releases),
        tour_cards.MACROS.take_part(text, text, ""),
        tour_cards.MACROS.take_part(text, text, "https://hub.example"),
        nav.header("train", maintainers=True),
    )


@pytest.mark.parametrize("text", [EVIL, "Pug", ""])
def test_the_pages_are_sound_whatever_comes_in(text: str) -> None:
    for fragment in everything(text):
        check_nesting(fragment)
        assert "<script" not in fragment
        assert "{{" not in fragment


@pytest.mark.parametrize(
    "what", ["ok", "refused", "nothing_new", "too_few", "error", "crash", "garbage", "unknown"]
)
def test_every_end_of_a_run_is_shown(trainer: Callable[[str], Jobs], what: str) -> None:
    jobs = trainer(what)
    started = jobs.start()
    ended = jobs.wait(started.spec.id, 60)
    assert ended is not None
    for job in (started, ended):
        fragments = (
            train_cards.progress(job),
            train_cards.outcome(job, Serving("1.0.0", "c", "embedded", 133)),
            train_cards.MACROS.announcement(job),
        )
        for fragment in fragments:
            check_nesting(fragment)
    assert train_cards.progress(started).count("aria-current") <= 1
    assert 'aria-current="step"' not in train_cards.progress(ended)
    assert ended.sentence.split(".")[0] in fragments[1] or ended.state == "released"
    assert ("good enough" in fragments[1]) == (what == "refused")


def published(version: str, *names: str) -> Job:
    result = Result(True, True, version, "a" * 40, tuple(name.lower() for name in names), names)
    return Job(JobSpec("20261121T120000Z", "head", True, "hand", NOW), "released", Progress(result=result))


@pytest.mark.parametrize(
    ("now", "said", "tone"),
    [
        (Serving("1.3.0", "a", "r", 134), "in use now", "good"),
        (Serving("1.2.0", "b", "r", 133), "as soon as it has been loaded", "good"),
        (Serving("1.2.0", "b", "r", 133, pin="1.2.0", pin_revision="b"), "version 1.2.0 was chosen", "calm"),
        (Serving("1.3.0", "a", "r", 134, pin="1.2.0", pin_revision="b"), "in use now", "good"),
        (Serving("1.2.0", "b", "r", 133, problem="It cannot."), "version 1.2.0 is still in use", "calm"),
        (Serving("1.10.0", "d", "r", 135), "the newer version 1.10.0 is in use now", "good"),
    ],
)
def test_a_published_version_is_said_to_answer_only_while_it_does(now: Serving, said: str, tone: str) -> None:
    drawn = train_cards.outcome(published("1.3.0", "Shiba Inu"), now)
    assert said in drawn
    assert f"sb-{tone}" in drawn
    assert "Shiba Inu" in drawn
    assert "shiba_inu" not in drawn


RELEASES = [
    Release("1.3.0", "c" * 40, NOW, served=True),
    Release("1.2.1", "b" * 40, NOW, bad="It cannot be read."),
    Release("1.2.0", "a" * 40, NOW, shipped=True),
]


@pytest.mark.parametrize(
    ("pin", "revision", "chosen"),
    [
        ("", "", "latest"),
        ("1.3.0", "c" * 40, "c" * 40),
        ("1.2.0", "embedded", "a" * 40),  # published since, under another revision
        ("1.1.0", "d" * 40, "d" * 40),  # no longer listed
    ],
)
def test_the_choice_shows_what_was_chosen(pin: str, revision: str, chosen: str) -> None:
    now = Serving("1.3.0", "c" * 40, "r", 134, pin=pin, pin_revision=revision)
    offered = train_cards.choices(RELEASES, now)
    assert train_cards.chosen_revision(RELEASES, now) == chosen
    assert chosen in [value for _, value in offered]
    assert "b" * 40 not in [value for _, value in offered], "it may not be served"
    assert offered[1] == ("1.3.0 (in use)", "c" * 40)


def test_what_a_choice_does_is_said_from_what_is_so() -> None:
    said = train_cards.choice_note
    assert said(Serving("1.3.0", "c", "r", 134)) == ""
    assert "1.2.0 is being loaded" in said(Serving("1.3.0", "c", "r", 134, pin="1.2.0"))
    assert "1.3.0 is being loaded" in said(Serving("1.2.0", "a", "r", 133, next="1.3.0"))
    assert "until you choose another" in said(Serving("1.2.0", "a", "r", 133, pin="1.2.0"))
    assert "until you choose another" in said(Serving("1.2.0", "a", "r", 133, pin="1.2.0", next="1.3.0"))
    assert train_cards.back_text(Serving("1.3.0", "c", "r", 134, before="1.2.0")).endswith("version 1.2.0")
    assert train_cards.back_text(Serving("1.2.0", "a", "r", 133)) == "No earlier version"


def test_the_shipped_versions_date_is_not_that_of_its_publication() -> None:
    drawn = train_cards.versions(RELEASES)
    assert drawn.count("with the program") == 1
    assert drawn.count("<time") == 2


def test_an_empty_installation_says_what_to_do() -> None:
    drawn = tour_cards.loop(Serving("1.0.0", "c", "embedded", 133), Waiting(), [], "smartbreed/flags")
    assert "No flags yet" in drawn
    assert 'href="/"' in drawn
    assert ">0 " not in drawn
    only = [Release("1.0.0", "a" * 40, gate=0.86)]
    assert train_cards.accuracy(only) == ""
    assert "begins with the second" in tour_cards.growth(only)


def test_links_to_maintainers_pages_only_where_they_lead_somewhere() -> None:
    assert "/review" not in nav.header("tour", maintainers=False)
    assert "/train" in nav.header("tour", maintainers=True)


def test_the_chart_says_its_values_in_words_too() -> None:
    drawn = line_chart(
        ["1.0", "1.1"], [Series("All", (0.861, 0.87)), Series("None", (None, None))], title="Accuracy"
    )
    check_nesting(drawn)
    assert "All: 1.0 86.1%, 1.1 87.0%" in drawn
    assert "None" not in drawn
    assert line_chart([], [], title="Nothing") == ""


def test_what_was_flagged_is_joined_to_the_same_photos_only() -> None:
    flagged = Series("Flagged", (None, 0.9, 0.95), (None, 0.1, 0.2))
    drawn = line_chart(["1.0", "1.1", "1.2"], [flagged], title="Accuracy")
    assert drawn.count('class="sb-pair"') == 2 * 2  # for a page and for a phone
