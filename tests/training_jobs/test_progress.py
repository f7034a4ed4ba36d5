"""The trainer's lines: whatever is printed, they fold into a picture that can be shown."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from smartbreed.training_jobs.progress import STAGES, fold

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
LINE = st.text(max_size=60) | st.builds(
    json.dumps,
    st.fixed_dictionaries(
        {"stage": st.sampled_from([*STAGES, "result", "error", "odd one"]) | ANYTHING},
        optional=dict.fromkeys(
            ("done", "of", "message", "passed", "published", "version", "learnt", "reasons", "report"),
            ANYTHING,
        ),
    ),
)


@given(st.lists(LINE, max_size=40))
def test_any_lines_give_a_picture(lines: list[str]) -> None:
    progress = fold(lines)
    for ended in (False, True):
        steps = progress.steps(ended)
        assert [step.name for step in steps if step.name in STAGES] == list(STAGES)
        assert sum(step.state == "active" for step in steps) <= (not ended)
        for step in steps:
            assert step.title
            assert step.share is None or 0 <= step.share <= 1


def test_a_stage_that_comes_again_is_the_active_one() -> None:
    lines = [
        {"stage": stage, "done": 1, "of": 4, "message": f"in {stage}"} for stage in ("read", "fit", "read")
    ]
    progress = fold(json.dumps(line) for line in lines)
    states = {step.name: (step.state, step.share) for step in progress.steps()}
    assert states["read"] == ("active", 0.25)
    assert states["fit"][0] == "done"
    assert progress.message == "in read"


def test_nonsense_is_kept_for_the_maintainer() -> None:
    progress = fold(["hello", '["a"]', "{", *[f"line {n}" for n in range(9)]])
    assert progress.stray == [f"line {n}" for n in range(4, 9)]
    assert progress.stage == ""
