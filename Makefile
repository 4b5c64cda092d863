# Every target does its own set-up: a virtual environment under .venv, installed again only when
# pyproject.toml or constraints.txt changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# one BLAS thread per test worker: two workers with two threads each would fight for two cores
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

.PHONY: demo test coverage lint bench docs records wheel clean

demo: $(VENV)/plot.stamp
	$(BIN)/skreg demo

test: $(VENV)/all.stamp
	$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses auto --dist worksteal

# lines and branches of plain Python; kernels run compiled, where no tracer sees them
coverage: $(VENV)/all.stamp
	mkdir -p build
	$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses auto --dist worksteal --cov --cov-report term --cov-report xml

lint: $(VENV)/all.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/all.stamp
	$(BIN)/skreg bench run all

docs: $(VENV)/all.stamp
	$(ONE_THREAD) $(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs
	$(BIN)/python docs/check_links.py build/docs

records: $(VENV)/all.stamp
	$(BIN)/python docs/records.py

wheel: $(VENV)/all.stamp
	rm -rf build dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	$(PYTHON) -m venv --clear build/empty
	build/empty/bin/python -m pip install --quiet -c constraints.txt dist/*.whl
	cd build && empty/bin/python ../tests/empty_environment.py

clean:
	rm -rf $(VENV) build dist docs/api docs/papers docs/gallery *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find skreg deep tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "skreg needs Python 3.11 or newer; name one with  make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/plot.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[plot]'
	touch $@

$(VENV)/all.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all]'
	touch $@ $(VENV)/plot.stamp
