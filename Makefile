# Two commands for a newcomer: `make demo` and `make test`. Each sets up what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo env test lint setup requirements clean

setup: $(VENV)/.installed env .data/dagster.yaml

demo: $(VENV)/.installed
	@exec $(BIN)/creator-pipeline demo $(if $(DEMO_EXIT),--exit)

# The tests start some hundred processes: each would compile the package again where its byte code isn't kept.
test: $(VENV)/.installed-dev
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m creator_pipeline_tests.tools.audit

$(VENV)/.installed: requirements/main.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/main.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q creator_pipeline
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# Dagster loads .env from the project's root: its history and the embedded warehouse live in .data.
# A .env that was copied by hand gets its DAGSTER_HOME too: without it Dagster's commands forget their history.
env:
	@test -e .env || install -m 600 .env.example .env
	@grep -q '^DAGSTER_HOME=.' .env || printf '\nDAGSTER_HOME=%s\n' '$(CURDIR)/.data' >> .env

.data/dagster.yaml:
	@mkdir -p .data && ln -sf ../dagster.yaml $@

# Pins with hashes, for every Python that is supported.
requirements: $(VENV)/.installed-dev
	$(BIN)/uv pip compile --quiet --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		pyproject.toml requirements/build.in -o requirements/main.txt
	$(BIN)/uv pip compile --quiet --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		-c requirements/main.txt --extra dev --extra alerts --extra dbt pyproject.toml requirements/build.in -o requirements/dev.txt

clean:
	rm -rf $(VENV) .data
