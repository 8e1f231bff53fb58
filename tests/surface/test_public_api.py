"""What `konterfei` offers to Python."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, is_dataclass

import pytest

import konterfei
from konterfei.cli.options import field_docs
from konterfei.stages import STAGES


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_is_sorted_and_without_doubles():
    assert list(konterfei.__all__) == sorted(set(konterfei.__all__))


@pytest.mark.parametrize("name", konterfei.__all__)
def test_every_public_name_can_be_imported(name: str):
    assert getattr(konterfei, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'swop'"):
        _ = konterfei.swop


def test_every_stage_is_public():
    public = {getattr(konterfei, name) for name in konterfei.__all__}
    for stage in STAGES.values():
        assert stage.load_run() in public, stage.run
        assert stage.load_config() in public, stage.config


def test_importing_konterfei_imports_next_to_nothing():
    code = "import sys, konterfei; print(sorted({'torch', 'cv2', 'av', 'numpy', 'onnxruntime'} & set(sys.modules)))"
    assert run_python(code).strip() == "[]"


@pytest.mark.parametrize("name", STAGES)
def test_configs_are_frozen_keyword_only_and_documented(name: str):
    config = STAGES[name].load_config()
    assert is_dataclass(config)
    assert config.__dataclass_params__.frozen
    assert config.__doc__ and not config.__doc__.startswith(f"{config.__name__}("), "say what the command does"
    assert all(field.kw_only for field in fields(config))
    missing = {field.name for field in fields(config)} - set(field_docs(config))
    assert not missing, f"{config.__name__}: no docstring after {sorted(missing)}"
