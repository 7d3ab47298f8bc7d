# `make help` lists what can be done.  Needs Python >= 3.11 with venv (Debian 12: python3-venv).
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test coverage lowest lint format docs validate bench gpu lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## the locked environment in .venv, with the package and its plug-in in it (editable)

$(READY): requirements.txt setup.py plugins/openmm-ml/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python >= 3.11 is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --requirement requirements.txt
	$(BIN)/python -m pip install --editable . --editable plugins/openmm-ml --no-deps --no-build-isolation
	touch $@

demo: $(READY) ## a ligand in motion, from one structure: demo/trajectory.dcd and demo/report.html
	$(BIN)/python examples/demo.py

# One thread each: tests share the cores among them, and each of them is small.
PYTEST ?=
ONE_THREAD := OMP_NUM_THREADS=1 OPENMM_CPU_THREADS=1
PYTEST_ON_CORES := -m pytest -n logical --maxprocesses 4 --dist worksteal
RUN_TESTS := $(ONE_THREAD) $(BIN)/python $(PYTEST_ON_CORES)

test: $(READY) ## all tests, on up to four cores
	$(RUN_TESTS) $(PYTEST)

coverage: $(READY) ## all tests, and which lines and branches they reach
	$(RUN_TESTS) --cov --cov-report=term $(PYTEST)

# These tests use most of what the package takes from libraries with many versions; LOWEST_TESTS=tests takes all.
LOWEST := build/lowest
LOWEST_TESTS ?= -m "not slow" $(addprefix tests/, utils structure trajectory analysis misato \
  commands/test_commands.py commands/test_options.py)

$(LOWEST)/.installed: requirements-lowest.txt setup.py plugins/openmm-ml/pyproject.toml | $(READY)
	test -x $(@D)/bin/python || $(BIN)/python -m venv $(@D)
	$(BIN)/uv pip install --python $(@D)/bin/python --requirement requirements-lowest.txt
	$(BIN)/uv pip install --python $(@D)/bin/python --editable . --editable plugins/openmm-ml --no-deps --no-build-isolation
	$(@D)/bin/python -m pip check
	touch $@

lowest: $(LOWEST)/.installed ## the quick tests with the lowest versions that setup.py allows, in build/lowest
	$(ONE_THREAD) $(LOWEST)/bin/python $(PYTEST_ON_CORES) $(LOWEST_TESTS)

lint: $(READY) ## style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## the documentation site in build/docs; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# MD of T4 lysozyme is made once and a model trained on it; then what validation/ has is run over both.
# OpenMM takes CUDA where there is one.  MD_TIME=2ns for numbers that mean more.
VALIDATED := build/validation
MD_TIME ?= 300ps

$(VALIDATED)/complex/complex.yaml: | $(READY)
	$(BIN)/python validation/t4_lysozyme.py $(@D)

$(VALIDATED)/md/run.yaml: $(VALIDATED)/complex/complex.yaml
	$(BIN)/neuralmd reference $(<D) --mode pocket --time $(MD_TIME) -o $(@D)

$(VALIDATED)/model/model.safetensors: validation/t4_lysozyme.yaml $(VALIDATED)/md/run.yaml
	$(BIN)/neuralmd train $< -o $(@D)

validate: $(VALIDATED)/model/model.safetensors ## how right and how fast, on T4 lysozyme: build/validation/report/report.html
	$(BIN)/python validation/conservation.py $< --set $(VALIDATED)/md --json $(VALIDATED)/conservation.json
	@command -v gmx >/dev/null || echo "no gmx on PATH: what needs GROMACS is left out"
	! command -v gmx >/dev/null || $(BIN)/python validation/gromacs.py \
	  --work $(VALIDATED)/gromacs --json $(VALIDATED)/gromacs.json
	$(BIN)/python validation/speedup.py --model $< --complex $(VALIDATED)/complex \
	  --reference $(VALIDATED)/md --modes flexible,pocket --seconds 2 --json $(VALIDATED)/speedup.json
	rm -rf $(VALIDATED)/report
	$(BIN)/neuralmd validate $< --complex $(VALIDATED)/md/topology.pdb --sdf $(VALIDATED)/md/ligand.sdf \
	  --trajectory $(VALIDATED)/md/trajectory.xtc --checks $(VALIDATED)/conservation.json \
	  --speed $(VALIDATED)/speedup.json -o $(VALIDATED)/report
	@echo "open $(VALIDATED)/report/report.html"

bench: $(READY) ## the benchmarks, each as a program of its own
	@set -e; for program in benchmarks/*.py; do echo "== $$program"; $(BIN)/python $$program; done

PLATFORM ?= CUDA

gpu: $(READY) ## the GPU kit, under 8 minutes, no network: validation/results/gpu-cuda.json (PLATFORM=OpenCL without a GPU)
	$(BIN)/python validation/gpu.py --platform $(PLATFORM)

COMPILE = $(BIN)/uv pip compile --python-version 3.11 --no-annotate --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock"

lock: $(READY) ## write requirements.txt and requirements-lowest.txt anew from setup.py and requirements.in
	$(COMPILE) --universal --extra dev setup.py requirements.in --output-file requirements.txt
	$(COMPILE) --resolution lowest-direct --extra test setup.py --output-file requirements-lowest.txt

clean: ## remove what was built here: .venv, build, demo, caches
	rm -rf .venv build demo *.egg-info plugins/*/src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
