# `make run` and `make test` do all the set-up they need: a virtual environment in .venv, an install by pip.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PARTS := -p trainconsole.engine -p trainconsole.presets -p trainconsole.tui
PRESET := $(if $(ARGS),,--preset digits)
# Where there is no terminal, a run is headless.
HEADLESS = $(if $(findstring --no-ui,$(ARGS)),,$(if $(findstring --preset,$(ARGS) $(PRESET)),--no-ui))

.PHONY: all run test check bench fix clean

all: $(VENV)/installed

run: $(VENV)/installed
	@test -t 1 || headless="$(HEADLESS)"; $(BIN)/trainconsole $(ARGS) $(PRESET) $$headless

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

# The other libraries that are measured come with an extra of their own. ARGS: names of parts, --write.
bench: $(VENV)/peers
	PYTHONPATH=$(CURDIR)/tests $(BIN)/python -m bench $(ARGS)

$(VENV)/peers: $(VENV)/installed
	$(PIP) install --quiet --no-build-isolation --editable '.[bench,samples]' --config-settings editable_mode=strict
	touch $@

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PARTS)
	$(BIN)/lint-imports

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
$(VENV)/installed: $(VENV)/dependencies engine presets tui tui/screens tui/widgets
	$(PIP) install --quiet --no-build-isolation --no-deps --editable . --config-settings editable_mode=strict
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
