"""What counts as accepted and not yet learnt, as the trainer counts it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.flags import flag as save_flag

from smartbreed.core.database import read
from smartbreed.core.settings import load_settings
from smartbreed.dataset.accepted import accepted_pets, parse_learnt, sample_key, waiting_for
from smartbreed.dataset.decision_source import DecisionSource
from smartbreed.dataset.flag_source import FlagSource
from smartbreed.registry.release_history import history_of, parse, release_of
from smartbreed.review import decisions
from smartbreed.services import Services

CORNER = st.floats(0, 10_000, width=32)


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.lists(CORNER, min_size=4, max_size=4))
def test_a_pet_has_the_key_the_trainer_gives_it(sample_id: str, box: list[float]) -> None:
    from training.data.accepted_samples import sample_key as trainers

    assert sample_key(sample_id, box) == trainers(sample_id, box)
    assert sample_key(sample_id, None) == trainers(sample_id, ())


@given(st.binary(max_size=80) | st.from_type(dict).map(lambda d: json.dumps(d, default=str).encode()))
def test_any_learnt_file_and_config_can_be_read(text: bytes) -> None:
    assert isinstance(parse_learnt(text), dict)
    assert release_of(parse(text), "1.0.0", "a" * 40).version == "1.0.0"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = Services(load_settings(home=tmp_path / "home", hub="embedded"))
    yield services
    services.flags.close()


def flag(services: Services, seed: int, **changes: object) -> str:
    usual = {"predicted": "beagle", "species": "dog", "label": "pug", "box": (1.25, 2.0, 30.35, 40.0)}
    return save_flag(
        services.flags, seed, **{"who": f"visitor {seed}", "model_revision": "r1"} | usual | changes
    )


def test_decisions_become_samples_each_pet_once(services: Services) -> None:
    ids = [flag(services, seed) for seed in range(4)]
    right = flag(services, 9, verdict="correct", label="")
    decide = services.review.decide
    decide([ids[0]], decisions.accept(), "0" * 64)
    decide([ids[1]], decisions.reject(), "0" * 64)
    decide([ids[2]], decisions.relabel("keeshond", {}), "0" * 64)
    decide([right], decisions.accept(), "0" * 64)
    twice = flag(services, 0, who="another visitor", label="beagle")  # the same pet as the first
    decide([twice], decisions.relabel("boxer", {}), "0" * 64)
    assert sorted(pet.label for pet in accepted_pets(services.flags.sessions)) == [
        "beagle", "boxer", "keeshond",
    ]  # fmt: skip
    assert services.accepted() == {"Beagle": 1, "Boxer": 1, "Keeshond": 1}


def test_what_was_decided_last_gives_the_label_here_and_to_the_trainer(services: Services) -> None:
    from training.data.accepted_samples import accepted_samples

    decide, reviewer = services.review.decide, "0" * 64
    first = flag(services, 0)
    second = flag(services, 0, who="another visitor", label="boxer")  # the same pet
    decide([first], decisions.accept(), reviewer)
    decide([second], decisions.relabel("keeshond", {}), reviewer)
    services.review.undo([first], reviewer)
    decide([first], decisions.relabel("beagle", {}), reviewer)
    sources = [FlagSource(services.flags.blobs), DecisionSource()]
    with read(services.flags.sessions) as session:
        flags, reviews = (
            [source.row(session, row) for row in source.waiting(session, 9)] for source in sources
        )
    assert (len(flags), len(reviews)) == (2, 4)
    (here,) = accepted_pets(services.flags.sessions)
    (there,) = accepted_samples(flags, reviews).samples
    assert (here.key, here.label) == (there.key, there.label) == (here.key, "beagle")


def test_what_a_version_has_learnt_waits_no_more(services: Services) -> None:
    first, second = flag(services, 1), flag(services, 2)
    services.review.decide([first, second], decisions.accept(), "0" * 64)
    accepted = accepted_pets(services.flags.sessions)
    keys = [pet.key for pet in accepted]
    learnt = parse_learnt(json.dumps({"samples": {keys[0]: "pug"}, "held_out": {keys[1]: "beagle"}}).encode())
    assert waiting_for(accepted, learnt) == [accepted[1]]  # the second was learnt as something else
    assert len(waiting_for(accepted, {})) == 2


def test_later_versions_carry_the_history_of_a_version() -> None:
    entry = {
        "version": "1.1.0",
        "learnt": ["pug"],
        "gate_top1": 0.9,
        "flagged_top1": 0.95,
        "flagged_top1_before": 0.0,
    }
    configs = {
        "1.2.0": {
            "history": [{"version": "1.1.0", "gate_top1": 0.91}, {"version": "1.2.0", "gate_top1": 0.92}]
        },
        "1.1.0": {"history": [{"version": "1.0.0", "gate_top1": 0.89}, entry]},
        "1.0.0": {},
    }
    reported = history_of(configs, "1.1.0")
    assert (reported["gate_top1"], reported["flagged_top1"]) == (0.91, 0.95)
    assert history_of(configs, "1.0.0")["gate_top1"] == 0.89
    release = release_of({"classifier": {"labels": [{"id": "pug"}]}}, "1.1.0", "a" * 40, history=reported)
    assert (release.gate, release.flagged, release.learnt, release.breeds) == (0.91, 0.95, ("Pug",), 1)
