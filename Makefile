# Everything from a fresh clone: `make demo`, `make test`, `make docs`. `make setup` stops after the installation.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DOCS_INSTALLED := .venv/.docs-installed

.PHONY: setup test test-slow lint docs demo clean

setup: $(INSTALLED)

# mmcv's compiled ops are not needed, and take a quarter of an hour to build.
$(INSTALLED): setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	MMCV_WITH_OPS=0 $(BIN)/pip install --quiet --disable-pip-version-check --editable '.[onedl,test,dev]'
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --config pyproject.toml

test: lint
	$(BIN)/python -m pytest

# Tests of minutes: tools that are killed again and again.
test-slow: setup
	$(BIN)/python -m pytest -m slow

# The site, in site/index.html; a link that leads nowhere or a page that is not listed fails.
docs: $(DOCS_INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

$(DOCS_INSTALLED): setup.py | setup
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

demo: setup
	$(BIN)/python tools/demo.py work_dirs/demo

clean:
	rm -rf .venv build dist *.egg-info site work_dirs
