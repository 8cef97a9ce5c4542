# Two commands are enough: `make up`, `make test`. The rest is for those who change something.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
# UP=--detach leaves the stack in the background; PYTEST="-k name" chooses tests.
UP ?=
PYTEST ?=
# Much of a test's time is waiting for processes; tests of one file share what they started.
PARALLEL ?= -n auto --maxprocesses 4 --dist loadfile
BENCH ?=

UV = $(shell command -v uv || printf %s $(BIN)/uv)
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --custom-compile-command "make lock" $(LOCK)
# LOCK=--upgrade takes newer versions.
LOCK ?=

.PHONY: help up down set-up set-up-dev check test format bench lock

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

up: set-up  ## start everything, print the addresses; Ctrl-C ends it
	@$(BIN)/goodfit up $(UP)

down: set-up  ## end what `make up` started
	@$(BIN)/goodfit down

set-up:
	@.ci/set-up app

set-up-dev:
	@.ci/set-up dev

check: set-up-dev  ## style, types, imports, migrations, conventions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/hadolint Dockerfile
	$(BIN)/zizmor --quiet --offline .github
	$(BIN)/python -m backend.stack.scratch -- $(BIN)/alembic check
	$(BIN)/python -m pytest -q tests/conventions

test: set-up-dev  ## all tests, on a PostgreSQL of their own
	@browser="$$(.ci/browser | tail -n 1)"; \
	GOODFIT_CHROMIUM="$$browser" exec $(BIN)/python -m pytest $(PARALLEL) $(PYTEST)

format: set-up-dev  ## format the code, repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: set-up-dev  ## measure the product
	$(BIN)/python -m bench $(BENCH)

lock: set-up-dev  ## write the lock files anew from pyproject.toml
	$(COMPILE) locks/bootstrap.in -o locks/bootstrap.lock
	$(COMPILE) pyproject.toml locks/build.in -o locks/app.lock
	$(COMPILE) pyproject.toml locks/build.in --group dev -c locks/app.lock -o locks/dev.lock
	for image in app mlflow dashboard; do \
		$(COMPILE) --group image-$$image -c locks/app.lock -o locks/image-$$image.lock; \
	done
	@! grep -nE '://|--(extra-)?index|--find-links|^-[fi] ' locks/*.lock \
		|| { echo 'a lock file names an address' >&2; exit 1; }
