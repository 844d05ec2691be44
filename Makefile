# Commands of the project. They use the virtual environment that is active, or
# make one in .venv; `make PYTHON=python3.11 ...` chooses its interpreter,
# PYTEST_ARGS and DEMO_ARGS='--cfg-options ...' change what is run, WORKERS on how
# many processes tests run (some take up to 9 GB; those run one after the other).
PYTHON ?= python3
PYTEST_ARGS ?=
WORKERS ?= 2
DEMO_ARGS ?=

ACTIVE := $(or $(VIRTUAL_ENV),$(CONDA_PREFIX))
ENV := $(or $(ACTIVE),.venv)
PY := $(ENV)/bin/python
INSTALLED := $(ENV)/.ssvad-installed
DEMO := work_dirs/toy_semi_var

.PHONY: demo test test-fast lint docs clean

demo: $(INSTALLED)
	$(PY) tools/make_toy_dataset.py --out-dir data/toy
	$(PY) tools/train.py configs/toy_semi_var.py --work-dir $(DEMO) $(DEMO_ARGS)
	$(PY) tools/report.py $(DEMO) $(DEMO_ARGS)
	$(PY) tools/test.py configs/toy_semi_var.py "$$(cat $(DEMO)/last_checkpoint)" \
	    --work-dir $(DEMO) $(DEMO_ARGS)
	@numbers=$$(ls -t $(DEMO)/*/*.json | head -n 1); echo; $(PY) -m json.tool "$$numbers"; \
	    echo "numbers:     $$numbers"; \
	    echo "checkpoint:  $$(cat $(DEMO)/last_checkpoint)"; \
	    echo "pictures:    $(DEMO)/pictures"; \
	    echo "report:      $(DEMO)/report.html"

test: $(INSTALLED)
	$(PY) -m pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

test-fast: $(INSTALLED)
	$(PY) -m pytest -n $(WORKERS) --dist loadgroup -m 'not slow' $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# Into site/. Nothing is fetched; a warning, such as a link to nowhere, is an error.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

clean:
	rm -rf .venv build site *.egg-info data/toy $(DEMO) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One call of pip, so that nothing is ever fetched unpinned first: the pins of what
# is missing, and the package itself, whose ranges pip checks against the rest.
$(INSTALLED): setup.py pyproject.toml requirements/pinned.txt
ifeq ($(ACTIVE),)
	$(PYTHON) -m venv --clear $(ENV)
endif
	$(PY) requirements/missing.py > $(ENV)/missing.txt
	$(PY) -m pip install -r $(ENV)/missing.txt -e '.[dev,export,docs]'
	touch $@
