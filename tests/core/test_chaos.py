"""``benchmarks.chaos``: that its checker finds what is lost, and a short run in which nothing is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from support.flags import flag_request

from benchmarks.chaos import Chaos, Result, Said, photograph
from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import open_feedback


def looked_at(
    folder: Path, *, confirmed: int = 4, back: int = 0, dataset: str = "", drop: str = ""
) -> Result:
    """What the checker says of four flags, all waiting.

    Args:
        confirmed: how many were confirmed to clients; more than four: of some that never were.
        back: how many of these were confirmed to be taken back.
        dataset: numbers of the flags that are in the dataset.
        drop: ``photo`` of the first flag, deleted behind the app's back.
    """
    home = folder / "disk" / "home"
    flags = open_feedback(load_settings(home=home, salt="a salt", hub="embedded"))
    receipts = [flags.save(flag_request(number)) for number in range(4)]
    if drop:
        flags.blobs.delete(receipts[0].sample_id)
    chaos = Chaos(folder, Image.new("RGB", (8, 8)), seed=0)
    chaos._engine = flags.sessions().get_bind()
    chaos._in_dataset = lambda: sorted(receipts[int(n)].flag_id for n in dataset)  # type: ignore[method-assign]
    chaos._app = SimpleNamespace(log=lambda: "")
    ids = [receipt.flag_id for receipt in receipts] + ["GONE"] * 4
    chaos._flags = [Said(b"", ids[n], "r", "confirmed" if n < back else "") for n in range(confirmed)]
    chaos._look()
    flags.close()
    return chaos.result


def test_the_checker_finds_what_is_lost(tmp_path: Path) -> None:
    ends = "the publisher did not come to an end"  # these flags wait
    assert looked_at(tmp_path / "well").lost == [ends]
    assert looked_at(tmp_path / "rows", confirmed=6).lost == ["GONE", "GONE", ends]
    assert len(looked_at(tmp_path / "photo", drop="photo").lost) == 2
    found = looked_at(tmp_path / "back", back=2)
    assert (len(found.left), found.taken_back) == (2, 2)
    found = looked_at(tmp_path / "twice", dataset="0012")
    assert (len(found.doubled), found.published) == (1, 3)
    assert not found.sound


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_confirmed_flag_is_lost_or_doubled_and_answers_stay_right(tmp_path: Path) -> None:
    result = Chaos(tmp_path / "chaos", photograph(), seed=1).run(45)
    assert result.sound, result
    # It did go wrong, and flags came through all the same.
    assert result.faults.total() >= 1
    assert result.confirmed
    assert result.published
    assert result.answers["name", "200"]
