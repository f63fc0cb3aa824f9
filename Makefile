# make run and make test set up everything they need in .venv; nothing is installed elsewhere
# (as root on Debian, `make test` also installs the mosquitto broker and Chromium).

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.run
DEV_STAMP := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help run test check format lint types kill fuzz crash crash-hour crash-long exactly-once \
	exactly-once-long confusion causes storm fleet-kills packages-arm android recipes rig rig-packages power-cuts updates packages bench bench-quick bench-million hostile hardware-day docs contracts clean

help: ## show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

run: $(RUN_STAMP) ## the real agent with a simulated terminal, host and broker; Ctrl-C ends it
	@$(BIN)/posagent demo $(DEMO)

test: $(DEV_STAMP) ## all tests; says what this machine could not run
	@sh packaging/ci/broker.sh
	@sh packaging/ci/rabbitmq.sh
	@sh packaging/ci/network.sh
	@sh packaging/ci/browser.sh
	@sh packaging/ci/android.sh
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(PYTEST)

check: $(DEV_STAMP) ## format, lint, types, import rule, branch coverage of core
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py
	$(BIN)/coverage run -m pytest tests/core
	$(BIN)/coverage report --fail-under=100 --skip-covered --show-missing
	@rm -f .coverage

format: $(DEV_STAMP) ## put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

kill: $(DEV_STAMP) ## 200 rounds of kill -9 under load, then the ledger is compared
	POSAGENT_KILL_ROUNDS=200 $(BIN)/python -m pytest tests/process/test_kill.py -s

fuzz: $(DEV_STAMP) ## parsers and journal, 40 times as long as in a test run (FUZZ=400: longer)
	POSAGENT_FUZZ=$(or $(FUZZ),40) $(BIN)/python -m pytest tests/fuzz tests/store/test_machine.py $(PYTEST)

crash: $(DEV_STAMP) ## power cuts, failing flash, bit flips, wrong clocks, kill -9: ten minutes (root, fuse3)
	@sh packaging/ci/fuse.sh
	$(BIN)/python -m tests.crash $(CRASH)

crash-hour: $(DEV_STAMP) ## every figure asked of a release: 100,000 crash states; writes its report
	@sh packaging/ci/fuse.sh
	$(BIN)/python -m tests.crash --hour --report docs/reports/crash.md

crash-long: $(DEV_STAMP) ## the same for hours; writes its report
	@sh packaging/ci/fuse.sh
	$(BIN)/python -m tests.crash --long --report docs/reports/crash.md

exactly-once: $(DEV_STAMP) ## 100,000 payments over lines that misbehave (ONCE="--within 150": a share)
	$(BIN)/python -m tests.exactly_once $(ONCE)

exactly-once-long: $(DEV_STAMP) ## a million of them; writes docs/reports/exactly-once.md
	$(BIN)/python -m tests.exactly_once --long --report docs/reports/exactly-once.md

updates: $(DEV_STAMP) ## an update to a newer journal and back, killed at every step; writes its report
	$(BIN)/python -m tests.updates --report docs/reports/updates.md

confusion: $(DEV_STAMP) ## 60 faults in network namespaces: what was done, what was reported (root; CONFUSION="--quick")
	@sh packaging/ci/broker.sh
	@sh packaging/ci/network.sh
	$(BIN)/python -m tests.network --report docs/reports/confusion.md $(CONFUSION)

causes: $(DEV_STAMP) ## every cause of the catalogue provoked through the real daemon; writes docs/reports/causes.md (root, minutes; CAUSES="--only NAME": a share)
	@sh packaging/ci/broker.sh
	@sh packaging/ci/network.sh
	$(BIN)/python -m tests.causes --report docs/reports/causes.md $(CAUSES)

storm: $(DEV_STAMP) ## 5,000 terminals come back after a broker was killed, 30 min; writes docs/reports/storm.md (STORM=--quick: a look)
	@sh packaging/ci/broker.sh
	$(BIN)/python -m tests.fleet_rig.storm $(or $(STORM),--report docs/reports/storm.md)

fleet-kills: $(DEV_STAMP) ## 10,000 messages while brokers, line and agent are killed; writes docs/reports/fleet-kills.md
	@sh packaging/ci/broker.sh
	@sh packaging/ci/rabbitmq.sh
	$(BIN)/python -m tests.fleet_rig.kills --report docs/reports/fleet-kills.md $(KILLS)

packages: $(DEV_STAMP) ## the Debian packages built, judged, installed, refused, forced (root, minutes); writes docs/reports/debian.md (PACKAGES=--quick: a share)
	@sh packaging/ci/packages.sh
	$(BIN)/python -m tests.packages --report docs/reports/debian.md $(PACKAGES)

rig: $(DEV_STAMP) ## the daemon in a virtual machine with kernel USB devices (root, qemu); writes docs/reports/rig.md
	@sh packaging/ci/rig.sh
	$(BIN)/python -m tests.rig --report docs/reports/rig.md $(RIG)

rig-packages: $(DEV_STAMP) ## the Debian package in a virtual machine: upgrade, refusals, 256 MB (root, half an hour); writes docs/reports/rig-packages.md
	@sh packaging/ci/rig.sh
	$(BIN)/python -m tests.rig packages --report docs/reports/rig-packages.md $(RIG)

power-cuts: $(DEV_STAMP) ## 50 power cuts under load in a virtual machine (root, qemu); writes docs/reports/power-cuts.md
	@sh packaging/ci/rig.sh
	$(BIN)/python -m tests.powercut --report docs/reports/power-cuts.md $(CUTS)

packages-arm: $(DEV_STAMP) ## arm64 and armhf packages built, installed and run under qemu-user (root, minutes); writes docs/reports/packages.md (ARM="--arch armhf": a share)
	@sh packaging/ci/bundle.sh
	$(BIN)/python -m tests.emulated --report docs/reports/packages.md $(ARM)

bench: $(DEV_STAMP) ## memory, idle cost, start, durable accept, drain: ratios against floors and peers
	@sh packaging/ci/broker.sh
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m tests.bench

bench-quick: $(DEV_STAMP) ## the same in a minute, rougher
	@sh packaging/ci/broker.sh
	$(BIN)/python -m tests.bench --quick

hostile: $(DEV_STAMP) ## 10,000 slow clients and every hostile request against the daemon; writes docs/reports/hostile.md
	$(BIN)/python -m tests.hostile --report docs/reports/hostile.md

hardware-day: $(DEV_STAMP) ## 24 simulated hours of faulty printers each; writes docs/reports/hardware-day.md
	$(BIN)/python -m tests.hardware.day --report docs/reports/hardware-day.md $(DAY)

android: $(DEV_STAMP) ## the bundle in a root that looks like Android, and the samples; writes docs/reports/android.md (root)
	@sh packaging/ci/android.sh --kotlin
	$(BIN)/python -m tests.android --report docs/reports/android.md $(ANDROID)

recipes: $(DEV_STAMP) ## the Yocto layer read by a linter of its trade
	$(BIN)/python -m tests.recipes

bench-million: $(DEV_STAMP) ## a million payments queued: first upload, memory, status, longest read (minutes, 3 GB)
	@sh packaging/ci/broker.sh
	$(BIN)/python -m tests.bench --only million

contracts: $(DEV_STAMP) ## write the generated contracts and documents again
	$(BIN)/python -m agent.wire.contracts docs/contracts
	$(BIN)/posagent config keys > docs/contracts/configuration.md
	$(BIN)/posagent config keys --toml > packaging/posagent.toml
	$(BIN)/python -m tests.docs.states > docs/states.md
	$(BIN)/python -m tests.docs.causes

clean: ## remove what was built here
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .run

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "posagent needs Python 3.11 or newer; none was found"; exit 2; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	echo "cannot make a virtual environment (on Debian: apt-get install python3-venv)"; exit 2; }

$(RUN_STAMP): pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(RUN_STAMP)
