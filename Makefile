# make run: start the app. make test: run the tests. Each sets up .venv first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-all lint browser bench evaluate train train-detector clean

run: $(VENV)/.installed
	$(BIN)/python app.py

test: $(VENV)/.installed-dev browser
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: $(VENV)/.installed-dev browser
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or not slow"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy smartbreed training benchmarks examples app.py

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.identify

# Train the next classifier, put it in and write the model card. DATA and WEIGHTS as in docs/training.md.
DATA ?= ../shared/data/pets
WEIGHTS ?= ../shared/weights
train: $(VENV)/.installed
	$(BIN)/python -m training.train breeds --set data.source=$(DATA) --to export \
	  --set model.start=$(WEIGHTS)/mobilenet_v2_1.0_224_imagenet.npz \
	  --set "distil.teachers=[{kind: imagenet_head}, {kind: tflite, file: $(WEIGHTS)/mobilenet_edgetpu_224_1.0_uint8.tflite}, {kind: bundle, file: embedded}]"
	$(BIN)/python -m training.install runs/breeds/bundle
	$(BIN)/python -m training.evaluate --data $(DATA)

# The same for the detector; the classifier stays.
train-detector: $(VENV)/.installed
	$(BIN)/python -m training.train detector --set data.source=$(DATA) --to export \
	  --set model.start=$(WEIGHTS)/ssd_mobilenet_v1_0.75_300_coco.npz
	$(BIN)/python -m training.install runs/detector/bundle
	$(BIN)/python -m training.evaluate --data $(DATA)

evaluate: $(VENV)/.installed
	$(BIN)/python -m training.evaluate --data $(DATA)

# Chromium for the browser tests: from Debian's packages when we may; without it those tests say so and skip.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  chromium fonts-dejavu-core >/dev/null; } || echo "chromium is not installed: the browser tests will be skipped"

$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
