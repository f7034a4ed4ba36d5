"""Names, what is ignored, and how a file travels."""

from __future__ import annotations

import pytest

from localhub.errors import HubError
from localhub.names import check_path, check_ref, repo_name
from localhub.preupload import Ignore, is_large
from localhub.trees import EMPTY_TREE, Entry, commit_oid, decode_tree, encode_tree, git_oid


@pytest.mark.parametrize(
    ("rules", "ignored", "kept"),
    [
        ("*.log", ["a.log", "x/y/a.log"], ["a.log.txt", "log"]),
        ("/a.log", ["a.log"], ["x/a.log"]),
        ("build/", ["build/a", "x/build/y/z"], ["build", "builder/a"]),
        ("a/b", ["a/b", "a/b/c"], ["x/a/b"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a", "z", "b/a/z"]),
        ("**/tmp", ["tmp", "x/tmp", "x/y/tmp/z"], ["tmpx"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a"]),
        ("*\n!keep", ["a"], ["keep"]),
        ("x/\n!x/keep", ["x/keep"], ["keep"]),
        ("file[0-9].t?t\n# note\n\\#a\n\\!b", ["file1.txt", "#a", "!b"], ["filex.txt", "note"]),
        ("a ", ["a"], ["a "]),
        ("a\\  \nb \t", ["a ", "b"], ["a", "a  ", "b "]),
        ("**/a/**/b", ["a/b", "a/x/b/c", "x/a/y/a/b"], ["a", "b", "a/x/c"]),
        ("x/\n!x/y/z\n/y", ["x/y/z", "y/a"], ["x", "z/y"]),
        ("*a" * 100 + "b", [], ["a" * 200]),
        ("[\n[]\n!\n/\n//\n**\n", ["x", "x/y"], []),
    ],
)
def test_gitignore(rules: str, ignored: list[str], kept: list[str]) -> None:
    rule = Ignore(rules)
    assert [path for path in ignored if not rule(path)] == []
    assert [path for path in kept if rule(path)] == []


@pytest.mark.parametrize(
    ("path", "size", "sample", "large"),
    [
        ("a.txt", 5, b"hello", False),
        ("a.txt", 10_000_001, b"hello", True),
        ("a.parquet", 5, b"hello", True),
        ("a.PNG", 5, b"hello", True),
        ("a.bin", 0, b"", False),
        ("a", 5, b"a\0b", True),
        ("a", 5, b"\xff\xfe", True),
        ("a.txt", 600, b"x" * 511 + b"\xc3", False),
        ("a.txt", 600, b"x" * 510 + b"\xff\xc3", True),
    ],
)
def test_how_a_file_travels(path: str, size: int, sample: bytes, large: bool) -> None:
    assert is_large(path, size, sample) is large


def test_ids_are_those_of_git() -> None:
    """Made with git 2.39: ``git hash-object``, ``git write-tree``, ``git commit-tree``."""
    assert EMPTY_TREE == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert git_oid("blob", b"hello") == "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"
    blob = Entry(git_oid("blob", b"hello"), False)
    tree = {"a.b": blob, "a": Entry(EMPTY_TREE, True), "ä": blob}
    encoded = encode_tree(tree)
    assert list(decode_tree(encoded)) == ["a.b", "a", "ä"], "a folder sorts as if it ended with a slash"
    assert decode_tree(encoded) == tree
    assert len(commit_oid(EMPTY_TREE, None, "ada", 0, "x")) == 40


@pytest.mark.parametrize(
    "name", ["", "a", "a/b/c", "a/..", "../b", "a/b.git", "a/-b", "a/b c", "api/b", "a/" + "b" * 97]
)
def test_unusable_repo_names(name: str) -> None:
    namespace, _, rest = name.partition("/")
    with pytest.raises(HubError):
        repo_name("model", namespace, rest)


@pytest.mark.parametrize(
    "ref", ["", "a..b", "a b", "-a", "/a", "a/", "a.lock", "a~1", "refs/pr/1", "HEAD", "a" * 40, None]
)
def test_unusable_refs(ref: object) -> None:
    with pytest.raises(HubError):
        check_ref(ref)


def test_usable_names() -> None:
    assert repo_name("space", "A-b_c.d1", "x").id == "A-b_c.d1/x"
    assert check_path("a b/ü.txt") == ("a b", "ü.txt")
    assert [check_ref(ref) for ref in ("v1.0.0", "feature/x", "2026-01-01")]


def test_a_long_line_of_a_gitignore_takes_no_time() -> None:
    """With the expression that was here before, this took hours."""
    assert not Ignore(f"{' ' * 3_000_000}x")("x")
    assert Ignore(f"a{' ' * 3_000_000}")("a")


def test_many_rules_for_many_paths_are_refused_before_they_take_long() -> None:
    rules = "\n".join(["**/" + "*a" * 20 + "b"] * 1000)
    deep = "/".join(["aaaaaaaaaaaaaaa"] * 64)
    ignored = Ignore(rules)
    with pytest.raises(HubError) as refused:
        any(ignored(f"{number}{deep}") for number in range(1_000_000))
    assert refused.value.status == 413
    # As many as a client sends at once, with many rules, are answered.
    ignored = Ignore("\n".join(f"*.{number}" for number in range(1000)))
    assert [ignored(f"a/b/c/{number}.999") for number in range(256)] == [True] * 256
