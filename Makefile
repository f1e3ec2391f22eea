# Each target works from a bare checkout with python3 (3.11 or newer) and pip, without root.
VENV ?= .venv
PYTHON ?= python3
RUN := $(VENV)/bin
ROOMS := curate sandbox train eval recipes
OUT ?= out

.DEFAULT_GOAL := help
.PHONY: help quickstart train-env test check fmt bench soak docs clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

quickstart: $(VENV)/.installed ## set up, run the main job on bundled data, show the result
	$(RUN)/veristill --root $(OUT) run quickstart

train-env: $(VENV)/.developing ## make the environment in which training tests run (CPU, 2 GB, under ~/.cache/veristill)
	$(RUN)/python -P -m tests.train.environment

test: $(VENV)/.developing ## set up, run every test
	$(RUN)/python -m pytest -n auto --dist loadfile

check: $(VENV)/.developing ## lint, types, import layers, limits on shape
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy $(addprefix -p ,$(ROOMS))
	$(RUN)/lint-imports
	$(RUN)/python -m pytest tests/test_shape.py

fmt: $(VENV)/.developing ## format the code
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

bench: $(VENV)/.developing ## rows per second, memory and disk of a run, and the sandbox beside its peers, in short
	$(RUN)/python -P tests/bench/soak.py answers --rows 5000 --folder $(OUT)/bench-answers
	$(RUN)/python -P tests/bench/soak.py tests --rows 500 --folder $(OUT)/bench-tests
	$(RUN)/python -P tests/bench/sandbox_peers.py --programs 20 --rounds 1 --only fork,ours,python,bwrap
	$(RUN)/python -P tests/bench/calls_peers.py --requests 1000 --rounds 1 --in-flight 256 --only raw,openai,ours

soak: $(VENV)/.developing ## the same at full size: 200,000 answers, tests of up to 200 MB, every peer of the sandbox (hours)
	$(RUN)/python -P tests/bench/soak.py answers --folder $(OUT)/soak-answers
	$(RUN)/python -P tests/bench/soak.py tests --folder $(OUT)/soak-tests
	VERISTILL_SIZES=200 VERISTILL_LOAD=500 $(RUN)/python -m pytest -s tests/sandbox/test_sizes.py tests/sandbox/test_load.py
	$(RUN)/python -P tests/bench/sandbox_peers.py --scaling

docs: $(VENV)/.developing ## generate the reference from the code, build the site into site/
	$(RUN)/python -P docs/generate.py
	$(RUN)/mkdocs build --strict

clean: ## remove what these targets made, the virtual environment included
	rm -rf $(VENV) $(OUT) site dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# A Python without ensurepip (Debian splits it off) still makes an environment; its own pip then installs into it.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("veristill needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV) || $(PYTHON) -m venv --clear --without-pip $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(PYTHON) -m pip --python $(RUN)/python install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.developing: pyproject.toml | $(VENV)/bin/python
	$(PYTHON) -m pip --python $(RUN)/python install --quiet --disable-pip-version-check --editable '.[dev,embed,gym,view]'
	@touch $(VENV)/.installed $@
