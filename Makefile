# make run    set dltui up and open it        make test   run every check and test
# make bench  measure speed                   make torture  try every fault at full count
# make clean  remove what these made

# the first Python here that is new enough; another one: make run PYTHON=/path/to/python3.12
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# two more than there are cores, since many tests wait for processes; no more than memory is good for
WORKERS := $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); echo $$((cores < 2 ? cores + 2 : 4)))
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: help run test torture bench clean

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /  make \1  	/p' Makefile

run: $(VENV)/.installed ## set dltui up and open it; without a terminal: train spiral-relu and print the result
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/dltui; else $(BIN)/dltui train spiral-relu; fi; status=$$?; \
		command -v dltui >/dev/null || echo "the command is $(BIN)/dltui; to call it dltui: . $(BIN)/activate" >&2; \
		exit $$status

test: $(VENV)/.installed-dev ## run every check and test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(WORKERS)

torture: $(VENV)/.installed-dev ## try every fault as often as docs/reliability.md says, and properties with new examples
	$(BIN)/pytest tests/faults --torture -n $(WORKERS)
	$(BIN)/pytest -m hypothesis --torture -n $(WORKERS)

bench: $(VENV)/.installed-bench ## measure speed, side by side with a plain PyTorch loop and the usual trainers
	$(BIN)/python -m benchmarks

clean: ## remove the environment and caches; runs and data stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is touched again only when what it holds is to change.
$(VENV)/.installed: pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "dltui needs Python 3.11 or newer, and $(or $(PYTHON),what is here) is not: install it (Debian: apt install python3 python3-venv; macOS: brew install python), or name one: make run PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || [ -x $(BIN)/pip ] || { \
		echo "$(PYTHON) can't make environments: install its venv package (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -c 'import pip' 2>/dev/null || { \
		echo "making $(VENV) with $(PYTHON)"; "$(PYTHON)" -m venv --clear $(VENV); }
	@echo "installing dltui and PyTorch into $(VENV): a few minutes the first time"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the tools that check dltui"
	@$(PIP) --upgrade 'pip>=25.1' # dependency groups
	@$(PIP) --group dev
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@echo "installing the trainers that dltui is measured against"
	@$(PIP) --upgrade 'pip>=25.1' # dependency groups
	@$(PIP) --group bench
	@touch $@
