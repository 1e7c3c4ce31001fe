# Short names for what people type often; each line can be typed by hand as well.
PYTHON = .venv/bin/python

.PHONY: setup run test fast lint types docs bench bench-transfer check lab

setup:            ## virtual environment, packages, database, example site
	./start.sh --setup

run:              ## the portal, until Ctrl-C
	./start.sh

test:             ## all tests on real servers
	./test.sh

fast:             ## the tests that need no servers
	./test.sh --fast

lab:              ## the servers of the tests, left running
	./test.sh --lab-only

lint:             ## style, layers, templates
	.venv/bin/ruff check .
	.venv/bin/lint-imports
	.venv/bin/djlint --lint --quiet templates

types:            ## static types
	.venv/bin/mypy

docs:             ## the generated reference pages
	$(PYTHON) -m centro.config docs > docs/configuration.md

bench:            ## all benchmarks against the bare commands, on a lab of their own
	bash bench/run.sh

bench-transfer:   ## large files by both routes and stores, beside scp; a quarter of an hour, 15 GB of disk
	$(PYTHON) -m bench.transfer

check: lint types fast
