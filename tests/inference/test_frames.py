"""Messages between processes: whole, in order, or noticed as broken."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.inference.worker_process import read_frame, write_frame

headers = st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.integers()))


@given(st.lists(st.tuples(headers, st.binary())))
def test_messages_arrive_as_sent(messages: list[tuple[dict[str, Any], bytes]]) -> None:
    stream = io.BytesIO()
    for header, body in messages:
        write_frame(stream, header, body)
    stream.seek(0)
    assert [read_frame(stream) for _ in messages] == messages
    assert read_frame(stream) is None


def test_every_early_end_is_noticed() -> None:
    stream = io.BytesIO()
    write_frame(stream, {"id": 1}, b"body")
    whole = stream.getvalue()
    for length in range(1, len(whole)):
        with pytest.raises(EOFError):
            read_frame(io.BytesIO(whole[:length]))


@pytest.mark.parametrize(
    "content",
    [
        b"INFO: tensorflow says hello\n",
        b"SBF1\xff\xff\xff\xff\0\0\0\0",  # 4 GB of header
        b"SBF1\0\0\0\2\xff\xff\xff\xff{}",  # 4 GB of body
        b"SBF1\0\0\0\2\0\0\0\0[]",
        b"SBF1\0\0\0\2\0\0\0\0{x",
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_frame(io.BytesIO(content))
