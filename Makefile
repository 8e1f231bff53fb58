# The first two do everything on a fresh machine:
#   make demo   installs into .venv, renders two synthetic performers, swaps one onto the other
#   make test   installs, then ruff, mypy, the import contracts and pytest
#   make docs   writes the tables of settings in docs/stages anew
# PYTHON=/path/to/python3.12 make ...   uses that interpreter for .venv

VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
DEMO_ARGS ?=

.PHONY: help demo test docs clean

help:
	@sed -n 's/^#  *make \([a-z]*\)   *\(.*\)/make \1  \2/p' Makefile

$(BIN)/python:
	@python="$$(sh tools/find_python.sh)" && \
	  echo "making $(VENV) with $$python" && "$$python" -m venv $(VENV)

# The stamps: a second make installs nothing unless the requirements changed.
$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing konterfei into $(VENV); torch alone is some hundred MB, so this may take minutes"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[demo]"
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing konterfei and its tests into $(VENV); torch alone is some hundred MB, so this may take minutes"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,demo]"
	@touch $@ $(VENV)/.installed-demo

demo: $(VENV)/.installed-demo
	$(BIN)/konterfei demo -o $(DEMO) $(DEMO_ARGS)

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/pytest -n auto --dist loadfile

# Writes the tables of settings in docs/stages anew.
docs: $(VENV)/.installed-test
	$(BIN)/python tools/stage_docs.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
