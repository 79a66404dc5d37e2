# Everything a person does here. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEASURES := $(CURDIR)/.measures.jsonl
unexport PYTHONDONTWRITEBYTECODE  # else each of the many processes of the tests compiles the daemon anew
SECONDS_FLAG = $(if $(filter command line environment,$(origin SECONDS)),--seconds $(SECONDS))

.PHONY: help setup demo test soak bench measures check format pages pictures lock clean

help:  ## list the targets
	@sed -nE 's/^([a-z]+):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  make %-9s  %s\n", $$1, $$2 }'

setup: $(VENV)/.installed  ## set everything up in .venv, from pinned packages

$(VENV)/.installed: pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: apt-get install python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/dev.txt
	$(BIN)/python -m compileall -q -j 0 -x '/(mypy|mypyc|pip|setuptools|pkg_resources)/' $(VENV)/lib
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## run the main job on a throw-away MongoDB; make demo SECONDS=20 ends by itself
	@$(BIN)/chatello-analytics demo $(SECONDS_FLAG)

test: setup  ## run the whole test suite on a real replica set of its own
	$(BIN)/pytest -n 4

soak: setup  ## tell random stories of faults for MINUTES (default 10), a new seed each round
	@end=$$(( $$(date +%s) + 60 * $(or $(MINUTES),10) )); \
	while [ $$(date +%s) -lt $$end ]; do CHATELLO_TEST_STORIES=50 $(BIN)/pytest -q -x tests/simulation || exit 1; done

measures: setup  ## run the faults RUNS times (default 10) and put what they measured into docs/reliability.md
	@rm -f $(MEASURES); for run in $$(seq $(or $(RUNS),10)); do echo "== run $$run"; \
	CHATELLO_TEST_MEASURES=$(MEASURES) $(BIN)/pytest -q tests/faults tests/system/test_process.py || exit 1; done
	$(BIN)/python -m tests.measurements $(MEASURES)

bench: setup  ## measure speed and weight; make bench ONLY=backlog SCALE=0.1 tries a part of it
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(SCALE),--scale $(SCALE)) $(if $(ROUNDS),--repetitions $(ROUNDS))

check: setup  ## format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pages: setup  ## make the pages of docs/ that come from the code
	$(BIN)/python -m tests.generated_docs

pictures: setup  ## take the pictures of the page in docs/ anew
	$(BIN)/python -m tests.screenshots

lock: setup  ## resolve and pin all dependencies anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --python-version 3.11 --extra dev --no-header pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header -c requirements/dev.txt pyproject.toml -o requirements/run.txt
	echo 'hatchling>=1.27' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header -c requirements/dev.txt - -o requirements/build.txt

clean:  ## remove what setup and the tools made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
