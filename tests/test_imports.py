"""Imports go one way, and nothing heavy is imported to serve."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

from support.processes import ROOT, run

HEAVY = {"tensorflow", "keras", "tf_keras_vis", "datasets", "matplotlib"}


def imports(path: Path, *, top_level: bool) -> set[str]:
    """Absolute module names a file imports, anywhere or outside functions only."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if not top_level else _outside_functions(tree)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def _outside_functions(node: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found += [child, *_outside_functions(child)]
    return found


def test_smartbreed_never_imports_training_and_nothing_heavy_at_import() -> None:
    for path in [*(ROOT / "smartbreed").rglob("*.py"), ROOT / "app.py"]:
        anywhere = {name.split(".")[0] for name in imports(path, top_level=False)}
        assert not anywhere & {"training", "tensorflow", "keras", "tf_keras_vis"}, path
        assert not {name.split(".")[0] for name in imports(path, top_level=True)} & HEAVY, path


def test_every_direct_dependency_has_a_reason() -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text().lower()
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file).read_text().splitlines():
            if line and line[0] not in "#-":
                assert "==" in line, f"{line} is not pinned"
                assert line.split("==")[0].split("[")[0].lower() in reasons, line


def test_importing_the_pipeline_is_quick_and_light() -> None:
    code = (
        "import sys, smartbreed.services; "
        f"print(sorted(m for m in {sorted(HEAVY | {'gradio', 'pandas'})} if m in sys.modules))"
    )
    done = run("-c", code, check=True)
    assert done.stdout.strip() == "[]"


def test_gradio_writes_no_stubs_beside_components(tmp_path: Path) -> None:
    code = "from gradio.components import HTML\nclass Mine(HTML):\n    EVENTS = ['change']\n"
    (tmp_path / "mine.py").write_text(code)
    made = runpy.run_path(str(tmp_path / "mine.py"))["Mine"]
    assert hasattr(made, "change"), "it is a component, with its events"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
