"""Sizes and habits that keep the code readable. The figures are argued for in ARCHITECTURE.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "konterfei").rglob("*.py"))
MAX_FILE = 400
MAX_FUNCTION = 80
MAX_LOOP = 150
LOOP = "training/loop.py"
"""The one file whose functions may be longer: a training loop reads best on one page."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT / "src" / "konterfei").as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_longer_than_its_budget():
    long = {relative(p): n for p in SOURCES if (n := len(p.read_text(encoding="utf-8").splitlines())) > MAX_FILE}
    assert not long, f"split these files (at most {MAX_FILE} lines): {long}"


def test_no_function_is_longer_than_its_budget():
    long = {}
    for path in SOURCES:
        budget = MAX_LOOP if relative(path) == LOOP else MAX_FUNCTION
        for node in functions(path):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            if lines > budget:
                long[f"{relative(path)}:{node.name}"] = lines
    assert not long, f"split these functions (at most {MAX_FUNCTION} lines, {MAX_LOOP} in {LOOP}): {long}"


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.lineno, ast.unparse(node.func)


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        pytest.param({"print", "input", "exit", "quit", "sys.exit", "os._exit"}, ("cli/", "__main__.py"), id="speak"),
        pytest.param({"eval", "exec", "compile", "__import__", "os.system", "os.popen"}, (), id="run-text"),
    ],
)
def test_library_code_does_not_call(names: set[str], allowed: tuple[str, ...]):
    found = [
        f"{relative(path)}:{line} {name}"
        for path in SOURCES
        if not relative(path).startswith(allowed)
        for line, name in calls(path)
        if name in names
    ]
    assert not found


def test_nothing_imports_pickle():
    unsafe = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").split(".")[0]}
            else:
                continue
            found += [f"{relative(path)}:{node.lineno} {name}" for name in names & unsafe]
    assert not found


def test_torch_reads_and_writes_no_pickles():
    found = [
        f"{relative(path)}:{line} {name}"
        for path in SOURCES
        for line, name in calls(path)
        if name in {"torch.load", "torch.save", "np.load"}
    ]
    # np.load refuses pickles unless it is told otherwise; that it is not told is checked here.
    allowed = [line for line in found if line.endswith("np.load")]
    assert found == allowed
    assert not [p for p in SOURCES if re.search(r"allow_pickle\s*=\s*True", p.read_text(encoding="utf-8"))]


def test_no_path_of_one_machine_is_written_down():
    machine = re.compile(r"""["'\s(](/home/|/Users/|/root/|/work/|/opt/|/mnt/|[A-Z]:\\\\)""")
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if machine.search(line)
    ]
    assert not found


def test_nothing_inside_imports_the_public_names():
    """`from konterfei import swap` is for users; inside it would tie everything into one knot."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.ImportFrom) and node.module == "konterfei"):
                continue
            if {alias.name for alias in node.names} != {"__version__"}:
                found.append(f"{relative(path)}:{node.lineno}")
    assert not found
