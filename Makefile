# Everything goes through .venv, which pwmsite/bootstrap.py makes and keeps up to date.
PYTHON ?= python3
PORT ?= 8000
ARGS ?=
IN := .venv/bin/python -m

.PHONY: run test lint bench lock dev

run: ## Start the site and a worker on 127.0.0.1:$(PORT); one Ctrl-C stops all of it.
	@PORT=$(PORT) exec $(PYTHON) pwmsite/bootstrap.py run

dev:
	@$(PYTHON) pwmsite/bootstrap.py install-dev

test: dev ## Run the tests; `make test ARGS="tests/physics -x"` runs some of them.
	@$(IN) pytest $(ARGS)
