"""Several processes on one store, and one that is killed."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from support.clock import until
from support.processes import start

from localhub.embedded import serving
from localhub.maintenance import check_store, collect_garbage
from localhub.store import HubStore

Start = Callable[[Path], tuple[str, "subprocess.Popen[str]"]]

#: Commits through a Hub of its own on a shared store, by the real client.
WRITE = """
import sys
from pathlib import Path
from huggingface_hub import CommitOperationAdd, HfApi
from smartbreed.hub.embedded import mount_in_process
from localhub.server import HubApp
from localhub.store import HubStore
folder, who, count = sys.argv[1:]
app = HubApp(HubStore(Path(folder)))
api = HfApi(endpoint=mount_in_process(app, "test.hub.smartbreed.invalid"), token=False)
for number in range(int(count)):
    operation = CommitOperationAdd(f"{who}/{number}.txt", f"{who} {number}".encode())
    print(api.create_commit("pets/both", [operation], commit_message=f"{who} {number}").oid)
"""


@pytest.mark.parametrize("count", [100, pytest.param(500, marks=pytest.mark.slow)])
def test_two_processes_commit_at_once_and_none_is_lost(store: HubStore, tmp_path: Path, count: int) -> None:
    store.create_repo("pets/both")
    writers = [start("-c", WRITE, tmp_path / "hub", who, str(count), stderr=None) for who in ("one", "two")]
    printed = [writer.communicate(timeout=250)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    with serving(store) as endpoint:
        api = HfApi(endpoint=endpoint, token=False)
        history = [commit.commit_id for commit in api.list_repo_commits("pets/both")]
        assert set(history) >= {*printed[0], *printed[1]}
        assert len(history) == 2 * count + 1
        expected = {f"{who}/{number}.txt" for who in ("one", "two") for number in range(count)}
        assert set(api.list_repo_files("pets/both")) == expected | {".gitattributes"}
    assert not check_store(store, contents=True)


def test_a_killed_server_leaves_no_half_commit(
    tmp_path: Path, start_server: Start, run_client: Callable[..., str]
) -> None:
    root = tmp_path / "hub"
    endpoint, server = start_server(root)
    HfApi(endpoint=endpoint, token=False).create_repo("pets/both")
    random_source = random.Random(7)
    done: list[list[str]] = []
    for attempt in range(3):
        if attempt:
            endpoint, server = start_server(root)
        writer = start("-c", PAIRS, endpoint, str(attempt), stderr=subprocess.DEVNULL)
        assert writer.stdout is not None
        first = writer.stdout.readline().split()
        time.sleep(random_source.uniform(0.05, 0.4))
        server.kill()  # SIGKILL: no handler, no clean-up
        server.wait()
        time.sleep(0.2)  # for what had been answered to be printed
        writer.kill()  # it would try again for half a minute
        printed = [first, *(line.split() for line in writer.stdout.read().splitlines())]
        writer.wait(60)
        store = HubStore(root)
        assert not check_store(store, contents=True)
        with serving(store) as again:
            api = HfApi(endpoint=again, token=False)
            history = {commit.commit_id for commit in api.list_repo_commits("pets/both")}
            files = set(api.list_repo_files("pets/both"))
            for number, oid in printed:
                assert oid in history, "a commit that was answered is there"
                assert {f"{attempt}/{number}.txt", f"{attempt}/{number}.bin"} <= files
            # Both files of a commit or none, also of the one that was cut off.
            assert {path[:-4] for path in files if path.endswith(".txt")} == {
                path[:-4] for path in files if path.endswith(".bin")
            }
            operation = CommitOperationAdd(f"after/{attempt}", b"alive")
            api.create_commit("pets/both", [operation], commit_message="alive")
        collect_garbage(store, grace_s=0)
        assert not check_store(store, contents=True)
        store.close()
        done.extend(printed)
    assert done


PAIRS = """
import sys
from huggingface_hub import CommitOperationAdd, HfApi, constants
constants.HF_HUB_DISABLE_XET = True
endpoint, attempt = sys.argv[1:]
api = HfApi(endpoint=endpoint, token=False)
for number in range(1000):
    pair = [
        CommitOperationAdd(f"{attempt}/{number}.txt", b"%d" % number),
        CommitOperationAdd(f"{attempt}/{number}.bin", bytes([number % 256]) * 300_000),
    ]
    oid = api.create_commit("pets/both", pair, commit_message="a pair").oid
    print(number, oid, flush=True)
"""


def test_two_servers_see_each_others_commits(tmp_path: Path, start_server: Start) -> None:
    one, _ = start_server(tmp_path / "hub")
    two, _ = start_server(tmp_path / "hub")
    here, there = (HfApi(endpoint=endpoint, token=False) for endpoint in (one, two))
    here.create_repo("pets/both")
    operation = CommitOperationAdd("a.bin", b"\0" * 1000)
    oid = here.create_commit("pets/both", [operation], commit_message="x").oid
    until(lambda: there.repo_info("pets/both").sha == oid, 5)
