# make run    train, prune, picture; pass flags as ARGS="--epochs=2 --dataset=fashion"
# make test   the tests; those of the library on another backend of Keras with BACKEND=jax or torch
# make lint   ruff and mypy
# make floors  the library's tests with the oldest versions that requirements/*.txt admit
# make docs   these pages and a reference of the library, into docs/_build/
# make bench  speed against the limit and other programs; three quarters of an hour, alone
# make references   the published runs of references/ again
# All set up what they need in .venv first, and reinstall only when a requirement changes.

PYTHON ?= python3
ARGS ?=
BACKEND ?= tensorflow

# Shell words, not make variables: the path of this folder may hold spaces.
here = here="$$PWD" && venv="$$PWD/.venv/bin"
# `-m` cannot name a folder with a dot in it; such a folder is run as a whole.
package = cd .. && case "$${here\#\#*/}" in *.*) run="$$here";; *) run="-m$${here\#\#*/}.train";; esac

.PHONY: run test lint floors docs references bench
.DEFAULT_GOAL := run

run: .venv/installed
	@$(here) && $(package) && exec "$$venv/python" "$$run" --dataset=digits $(ARGS)

test: .venv/installed-dev
	@$(here) && KERAS_BACKEND="$(BACKEND)" exec "$$venv/pytest" $(ARGS)

lint: .venv/installed-dev
	@$(here) && "$$venv/ruff" check . && "$$venv/ruff" format --check .
# By the package's name, whatever this folder is called: through a link outside it, gone afterwards.
	@$(here) && there=$$(mktemp -d) && trap 'rm -r "$$there"' EXIT && \
		ln -s "$$here" "$$there/network_pruning" && cd "$$there" && \
		"$$venv/mypy" --config-file "$$here/pyproject.toml" --cache-dir "$$here/.mypy_cache"

floors: .venv-floors/installed
	@$(here) && exec "$$PWD/.venv-floors/bin/pytest" -m "backends or floors" $(ARGS)

# Warnings, such as those of links that lead nowhere, are errors.
docs: .venv/installed-docs
	@$(here) && "$$venv/python" -m sphinx -qEW --keep-going -c docs . docs/_build $(ARGS) && \
		echo "docs/_build/index.html"

references: .venv/installed
	@$(here) && exec "$$venv/python" references/make_references.py $(ARGS)

bench: .venv/installed-dev
	@$(here) && exec "$$venv/python" benchmarks/run.py $(ARGS)

.venv/installed: requirements.txt $(wildcard requirements/*.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with make PYTHON=python3.12"; exit 1; }
	@test -x .venv/bin/pip || $(PYTHON) -m venv .venv || \
		{ echo "Python's venv module is needed (on Debian: apt install python3-venv)"; exit 1; }
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed pyproject.toml
	.venv/bin/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
# Events are read back by TensorBoard, and sweeps run on a real Ray.
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --group dev \
		-r requirements/tensorboard.txt -r requirements/sweep.txt \
		-r requirements/onnx.txt -r requirements/openvino.txt -r requirements/mlflow.txt
# The tests look at the pages in a browser; without one, or without leave to install it, they say so.
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		{ command -v apt-get >/dev/null && test "$$(id -u)" = 0 && timeout 120 apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends chromium; } \
		>/dev/null 2>&1 || echo "No Chromium: tests of the pages will be skipped."
	@touch $@

.venv/installed-docs: .venv/installed pyproject.toml
	.venv/bin/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --group docs
	@touch $@

# The first version that each requirement names, for the oldest Python: few have files for newer ones.
.venv-floors/installed: $(wildcard requirements/*.txt) pyproject.toml
	$(PYTHON) -m venv --clear .venv-floors
	cat requirements/library.txt requirements/runner.txt | sed 's/>=/==/; s/,.*//' >.venv-floors/requirements.txt
	.venv-floors/bin/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	.venv-floors/bin/python -m pip install --quiet --disable-pip-version-check \
		-r .venv-floors/requirements.txt --group test
	@touch $@
