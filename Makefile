# `make help` lists what there is. Everything runs in .venv, which `make install` sets up.
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install suites test coverage slow browser lint format types layers deps docs sample bench record check clean

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

install: ## Make .venv and install the package with what tests need
	python3 -m venv .venv && $(BIN)/pip install -q -e '.[test]'

suites: ## Replay the shipped suites
	$(BIN)/pytest suites/

test: ## Run the tests, but for the slow ones
	$(BIN)/pytest -n auto -m "not slow"

coverage: ## Run the tests, but for the slow ones, and report what they cover
	$(BIN)/pytest -n auto -m "not slow" --cov --cov-report=term

slow: ## Run the slow tests: simulations behind the statistics, generated requests, hundreds of trials
	$(BIN)/pytest -m slow

browser: ## Run the tests of reports in a browser; needs Chromium and the extra `browser`
	$(BIN)/pytest -m browser

lint: ## Check style
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: ## Mend style
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

types: ## Check types
	$(BIN)/mypy

layers: ## Check that data flows one way
	$(BIN)/lint-imports

deps: ## Check that every import is declared and every dependency used
	$(BIN)/deptry .

docs: ## Refresh generated parts of the documentation
	PYTHONPATH=. $(BIN)/cog -r $$(git grep -l '\[\[\[cog' -- '*.md')

sample: ## Make the committed sample report again
	$(BIN)/harness run -q -o reports/sample/report.html

bench: ## Measure what recording and replay cost (see benchmarks/README.md)
	$(BIN)/python benchmarks/run.py

record: ## Record what is missing in the shipped suites; needs the model they name
	$(BIN)/harness record -j 1

check: ## Everything that CI checks
	bash .ci/run

clean: ## Remove what can be made again
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist
