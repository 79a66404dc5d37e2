# All development commands. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
export PYTHON
VENV := .venv
BIN := $(VENV)/bin
# The demo runs in the development environment if that exists, else in a smaller one of its own.
DEMO_VENV := $(if $(wildcard $(VENV)/.installed),$(VENV),.venv-demo)
WORKERS ?= 4
UPGRADE := --upgrade
MEASURES := $(CURDIR)/.measures.jsonl
unexport PYTHONDONTWRITEBYTECODE  # otherwise each of the many test processes compiles the daemon again
SECONDS_FLAG = $(if $(filter command line environment,$(origin SECONDS)),--seconds $(SECONDS))
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header

.PHONY: help setup demo quick test coverage soak mutants bench measures check format pages pictures lock clean

help:  ## list the targets
	@sed -nE 's/^([a-z]+):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  make %-9s  %s\n", $$1, $$2 }'

setup: $(VENV)/.installed  ## install the pinned development packages into .venv

$(VENV)/.installed: pyproject.toml requirements/dev.txt
	@requirements/install.sh $(VENV) requirements/dev.txt
	@$(BIN)/python -m compileall -q -j 0 -x '/(mypy|mypyc|pip|setuptools|pkg_resources)/' $(VENV)/lib

.venv-demo/.installed: pyproject.toml requirements/demo.txt
	@requirements/install.sh .venv-demo requirements/demo.txt

demo: $(DEMO_VENV)/.installed  ## run the daemon on a throw-away MongoDB; make demo SECONDS=20 stops after 20 s
	@$(DEMO_VENV)/bin/chatello-analytics demo $(SECONDS_FLAG)

quick: setup check  ## checks, and the tests that need neither MongoDB nor a browser (under a minute)
	$(BIN)/pytest -q -n $(WORKERS) --hypothesis-profile=quick tests/rules tests/daemon

test: setup  ## run all tests on their own replica set; make test T=tests/rules/test_text.py runs only T
	$(BIN)/pytest $(if $(T),$(T),-n $(WORKERS))

coverage: setup  ## run all tests (or only T) and report the lines without a test; details in htmlcov/
	$(BIN)/pytest -n $(WORKERS) --cov --cov-report=term:skip-covered --cov-report=html $(T)

mutants: setup  ## change rules/ in thousands of ways; the tests must notice; make mutants M=rules/text.py mutates only M
	@status=0; $(BIN)/mutmut run --max-children $(or $(JOBS),2) $(if $(M),'$(subst /,.,$(M:.py=)).*') || status=$$?; \
	$(BIN)/python -m tests.mutants; exit $$status

soak: setup  ## run random fault simulations for MINUTES (default 10), with a new seed each round
	@end=$$(( $$(date +%s) + 60 * $(or $(MINUTES),10) )); \
	while [ $$(date +%s) -lt $$end ]; do CHATELLO_TEST_STORIES=50 $(BIN)/pytest -q -x tests/simulation || exit 1; done

measures: setup  ## run the fault tests RUNS times (default 10) and write their measurements to docs/reliability.md
	@rm -f $(MEASURES); for run in $$(seq $(or $(RUNS),10)); do echo "== run $$run"; \
	CHATELLO_TEST_MEASURES=$(MEASURES) $(BIN)/pytest -q tests/faults tests/system/test_process.py || exit 1; done
	$(BIN)/python -m tests.measurements $(MEASURES)

bench: setup  ## measure speed and memory; make bench ONLY=backlog SCALE=0.1 AGAINST=main compares a part with a commit
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(SCALE),--scale $(SCALE)) $(if $(ROUNDS),--repetitions $(ROUNDS)) \
	$(if $(AGAINST),--against $(AGAINST))

check: setup  ## format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## format the code and apply safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pages: setup  ## regenerate the docs and dashboards that come from the code
	$(BIN)/python -m tests.generated_docs

pictures: setup  ## retake the screenshots of the page in docs/
	$(BIN)/python -m tests.screenshots

lock: setup  ## resolve and pin all dependencies to their newest versions; make lock UPGRADE= keeps the pinned ones
	$(BIN)/pip install --quiet uv
	$(COMPILE) $(UPGRADE) --extra dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) -c requirements/dev.txt pyproject.toml -o requirements/run.txt
	$(COMPILE) -c requirements/dev.txt --extra parquet pyproject.toml -o requirements/run-parquet.txt
	echo 'hatchling>=1.27' | $(COMPILE) -c requirements/dev.txt - -o requirements/build.txt
	printf '%s\n' 'hatchling>=1.27' 'editables>=0.5' | $(COMPILE) -c requirements/dev.txt --extra demo pyproject.toml - -o requirements/demo.txt

clean:  ## remove the environments and the tools' caches
	rm -rf $(VENV) .venv-demo mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov dist
