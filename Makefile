# make run: start the app. make test: run the tests. Each sets up .venv first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: hub-conformance help run offline test test-all coverage lint audit sbom browser bench evaluate train train-detector messages docs lock clean

help: ## show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## start the app on http://127.0.0.1:7860
	$(BIN)/python app.py

offline: $(VENV)/.installed ## fetch what /offline needs to run the model in a browser (10 MB from npm's registry)
	$(BIN)/python -m smartbreed.web.pages.offline.runtime

test: $(VENV)/.installed-dev browser ## run the tests (the fast ones)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: $(VENV)/.installed-dev browser ## run every test, the slow ones too
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or not slow"

coverage: $(VENV)/.installed-dev browser ## which lines the fast tests reach; half as slow again, so not in CI
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist loadfile
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(VENV)/.installed-dev ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy smartbreed localhub training benchmarks examples docs app.py .ci/audit.py

audit: $(VENV)/.installed-dev ## ask which pinned packages have known vulnerabilities
	$(BIN)/python .ci/audit.py

SBOM ?= build/sbom.json
sbom: $(VENV)/.installed-dev ## write what is pinned as CycloneDX JSON (SBOM=build/sbom.json)
	mkdir -p $(dir $(SBOM))
	$(BIN)/python -m cyclonedx_py requirements constraints.txt --pyproject pyproject.toml --of JSON \
	  --output-reproducible --output-file $(SBOM)

# Everything takes an hour or two; BENCH=--quick is a smoke test, BENCH="--only batch,load" some of the tables.
BENCH ?=
bench: $(VENV)/.installed-dev ## print the tables of docs/performance.md (BENCH=--quick: a smoke test)
	$(BIN)/python -m benchmarks $(BENCH)

hub-conformance: $(VENV)/.installed-dev ## run huggingface_hub's and datasets' own tests against localhub (15 minutes, PyPI)
	$(BIN)/python -m benchmarks.hub_conformance

# Train the next classifier, put it in and write the model card. DATA and WEIGHTS as in docs/training.md.
DATA ?= ../shared/data/pets
WEIGHTS ?= ../shared/weights
train: $(VENV)/.installed ## train the next classifier and put it in (hours on a CPU)
	$(BIN)/python -m training.train breeds --set data.source=$(DATA) --to export \
	  --set "distil.teachers=[{kind: imagenet_head}, {kind: tflite, file: $(WEIGHTS)/mobilenet_edgetpu_224_1.0_uint8.tflite}, {kind: bundle, file: embedded}]"
	$(BIN)/python -m training.install runs/breeds/bundle
	$(BIN)/python -m training.evaluate --data $(DATA)

# The same for the detector; the classifier stays, and the bundle gets this version.
NEXT ?= 2.1.0
train-detector: $(VENV)/.installed ## train the next detector and put it in
	$(BIN)/python -m training.train detector --set data.source=$(DATA) --to export \
	  --set model.start=$(WEIGHTS)/ssd_mobilenet_v1_0.75_300_coco.npz
	$(BIN)/python -m training.install runs/detector/bundle --detector $(NEXT)
	$(BIN)/python -m training.evaluate --data $(DATA)

evaluate: $(VENV)/.installed ## judge the model that ships and write its card
	$(BIN)/python -m training.evaluate --data $(DATA)

messages: $(VENV)/.installed ## bring the catalogues of the pages' languages up to date
	$(BIN)/python -m docs.messages

docs: $(VENV)/.installed ## write the pages of docs/ that the code knows
	$(BIN)/python -m docs.generate

lock: ## pin again what requirements*.txt bring along
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile requirements-dev.txt --universal \
	  --python-version 3.11 --quiet --no-annotate --output-file constraints.txt

# For the browser tests: Debian's headless shell of Chromium when we may install it, in which a page takes half
# the processor time, or a Chromium that is here; without either those tests say so and skip.
browser:
	@command -v chromium-headless-shell >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  chromium-headless-shell fonts-dejavu-core >/dev/null; } || command -v chromium >/dev/null || \
	  echo "chromium is not installed: the browser tests will be skipped"

$(VENV)/.installed: requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	touch $@

clean: ## remove .venv and caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
