# Every way to run, check and measure the project. `make` alone lists them.

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3,\
	$(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))) python3)
BIN := .venv/bin
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 10
WORKERS ?= 2
KILL_SEEDS ?= 1,2,3
TESTS ?=
WITHOUT ?=
SEED := $(or $(SEED),$(shell date +%s))
ONLY ?=
ITEMS ?=
REPORT ?=
HOST ?=
export KONULLU_HOST := $(or $(HOST),$(KONULLU_HOST))
ifeq ($(KONULLU_HOST),)
unexport KONULLU_HOST
endif

.DEFAULT_GOAL := help
.PHONY: help up down secrets test drill cover check format lock sbom audit demo campaign bench shots runtime dev

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: runtime ## run everything on this machine (HOST=name: on the network, with TLS)
	@exec $(BIN)/konullu up

down: ## stop what `make up` started from another terminal
	@$(BIN)/konullu down

test: dev ## run all tests (TESTS=tests/unit for some)
	@$(PYTEST) $(if $(WITHOUT),--ignore $(WITHOUT)) $(TESTS)

drill: dev ## run all tests the long way: kills at three seeds, properties on examples of this run's own seed (SEED=7)
	@echo "properties: --hypothesis-seed=$(SEED)"
	@KONULLU_DRILL=1 KONULLU_KILL_SEEDS=$(KILL_SEEDS) $(PYTEST) --hypothesis-seed=$(SEED) $(TESTS)

cover: dev ## run all tests and say which lines and branches of the product nothing tried, in its processes too
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered $(TESTS)

check: dev ## lint, formatting, strict types, import rules, contracts, dead links
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest -q tests/contracts

format: dev ## put the code in its form
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format .

demo: dev ## send 27 items through the whole flow on a stack of its own, and judge it from outside
	@$(BIN)/python -m tests.demo

campaign: dev ## send the campaign of 2020, 3,000 items, and judge it from outside (ITEMS=60, REPORT=folder)
	@exec $(BIN)/python -m tests.campaign $(if $(ITEMS),--items $(ITEMS)) $(if $(REPORT),--report $(REPORT))

bench: dev ## measure the performance targets on this machine (ONLY=P2, REPORT=file)
	@$(BIN)/python -m tests.bench $(ONLY) $(if $(REPORT),--report $(REPORT))

shots: dev ## make the screenshots of the documents again
	@$(BIN)/python -m tests.demo.shots

lock: dev ## resolve requirements*.in into hash-locked lists for Python 3.11 to 3.13
	@$(BIN)/python -m pip install -qq --no-deps --disable-pip-version-check uv==0.13.9
	@for list in requirements requirements-dev; do \
		$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
			--python-version 3.11 --output-file $$list.txt $$list.in || exit 1; \
	done

sbom: dev ## write sbom.json: every package that is shipped, with its version and hashes (CycloneDX)
	@$(BIN)/cyclonedx-py requirements requirements.txt --output-reproducible --of JSON -o sbom.json

audit: dev ## ask the public database of known vulnerabilities about every package that is shipped
	@$(BIN)/python -m pip install -qq --no-deps --disable-pip-version-check uv==0.13.9
	@$(BIN)/uv tool run --quiet --from pip-audit==2.10.1 pip-audit --require-hashes --disable-pip \
		--progress-spinner off -r requirements.txt

secrets: runtime ## make the secrets that docker-compose.yml needs, and the rights on the brokers that this version gives
	@$(BIN)/python -m deploy.container.secrets

runtime:
	@$(PYTHON) deploy/supervisor/environment.py runtime

dev:
	@$(PYTHON) deploy/supervisor/environment.py runtime
	@$(PYTHON) deploy/supervisor/environment.py dev
