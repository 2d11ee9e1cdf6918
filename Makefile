# `make run` and `make test` do all the set-up they need: a virtual environment in .venv, an install by pip.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PARTS := -p trainconsole
PRESET := $(if $(ARGS),,--preset digits)
# Where there is no terminal, a run is headless.
HEADLESS = $(if $(findstring --no-ui,$(ARGS)),,$(if $(findstring --preset,$(ARGS) $(PRESET)),--no-ui))

.PHONY: all run test test-oldest integrations mirrors coverage check bench docs dist fix clean

all: $(VENV)/installed

run: $(VENV)/installed
	@test -t 1 || headless="$(HEADLESS)"; $(BIN)/trainconsole $(ARGS) $(PRESET) $$headless

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

# The lowest versions that pyproject.toml allows, in an environment of their own. Pictures need exact versions of others.
test-oldest: $(VENV)-oldest/installed
	$(VENV)-oldest/bin/python -m pytest -n auto --dist worksteal -m 'not slow' --ignore tests/tui/test_snapshots.py $(ARGS)

# The adapters with the libraries that they are for, in an environment of their own.
integrations: $(VENV)-integrations/installed
	$(VENV)-integrations/bin/python -m pytest -n 0 tests/integrations $(ARGS)

# What the tests reach, in every process; pages in build/coverage/html. Slower than `make test`.
coverage: $(VENV)/installed
	rm -rf build/coverage
	$(BIN)/coverage run -m pytest -n auto --dist worksteal $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report

# The other libraries that are measured come with an extra of their own. ARGS: names of parts, --write.
bench: $(VENV)/peers
	PYTHONPATH=$(CURDIR)/tests $(BIN)/python -m bench $(ARGS)

$(VENV)/peers: $(VENV)/installed
	$(PIP) install --quiet --no-build-isolation --editable '.[bench,samples]' --config-settings editable_mode=strict
	touch $@

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=tests $(BIN)/mypy $(PARTS) -p support
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/codespell *.md docs engine presets tui

fix: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Everything is resolved in one go, so that torch and torchvision fit each other.
$(VENV)/dependencies: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet 'setuptools>=77'
	$(PIP) install --quiet --no-build-isolation --editable '.[dev,samples,tensorboard]' --config-settings editable_mode=strict
	touch $@

# A strict editable install links single files: a file that is new or gone needs it again.
ROOMS := $(shell find engine presets tui -type d -not -name __pycache__)
$(VENV)/installed: $(VENV)/dependencies $(ROOMS)
	$(PIP) install --quiet --no-build-isolation --no-deps --editable . --config-settings editable_mode=strict
	touch $@

OLDEST := $(VENV)-oldest/bin/python -m pip --disable-pip-version-check install --quiet
$(VENV)-oldest/dependencies: pyproject.toml tests/support/lowest.py
	test -x $(VENV)-oldest/bin/python || $(PYTHON) -m venv $(VENV)-oldest
	$(OLDEST) 'setuptools>=77' packaging
	$(VENV)-oldest/bin/python tests/support/lowest.py > $(VENV)-oldest/requirements.txt
	$(OLDEST) --requirement $(VENV)-oldest/requirements.txt
	touch $@

$(VENV)-oldest/installed: $(VENV)-oldest/dependencies $(ROOMS)
	$(OLDEST) --no-build-isolation --no-deps --editable . --config-settings editable_mode=strict
	touch $@

# What adapters are for and what a run is mirrored into: in environments of their own, the rest from the usual one.
EXTRA = $(PYTHON) -c "import sys, tomllib; extras = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']; \
	print(*(one for name in sys.argv[1:] for one in extras[name]))"
USUAL := import sys; print(*sys.path[1:], sep="\n")
PURE := import sysconfig; print(sysconfig.get_path("purelib"))
mirrors: $(VENV)-mirrors/installed
	$(VENV)-mirrors/bin/python -m pytest tests/engine/mirror $(ARGS)

$(VENV)-mirrors/installed: LIBRARIES := tensorboard wandb mlflow trackio
$(VENV)-integrations/installed: LIBRARIES := transformers lightning skorch
$(VENV)-mirrors/installed $(VENV)-integrations/installed: $(VENV)/installed
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(BIN)/python -c '$(USUAL)' > $$($(@D)/bin/python -c '$(PURE)')/usual.pth
	$(@D)/bin/python -m pip --disable-pip-version-check install --quiet $$($(EXTRA) $(LIBRARIES))
	touch $@

# The pages of docs/ as a site, in build/site; a link that leads nowhere fails. An environment of its own.
DOCS := import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'])
docs: $(VENV)-docs/installed
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --quiet --strict

$(VENV)-docs/installed: pyproject.toml
	test -x $(VENV)-docs/bin/python || $(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip --disable-pip-version-check install --quiet $$($(PYTHON) -c "$(DOCS)")
	touch $@

# Sdist and wheel in dist/, checked; then the wheel on its own, in a new environment outside of the checkout.
dist:
	rm -rf dist build/dist
	$(PYTHON) -m venv build/dist
	build/dist/bin/python -m pip --disable-pip-version-check install --quiet build twine
	build/dist/bin/python -m build --quiet --outdir dist .
	build/dist/bin/python -m twine check --strict dist/*
	bash tests/support/try_wheel.sh "$(PYTHON)" dist/*.whl

clean:
	rm -rf $(VENV) $(VENV)-docs $(VENV)-integrations $(VENV)-oldest $(VENV)-mirrors build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
