# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
export KARYOFAST_DATA ?= ../shared/data
DATA := $(KARYOFAST_DATA)
RUNS ?= runs

.PHONY: demo test lint bench train-classifier train-separator wheel picture scores clean

demo: $(VENV)/.runtime
	$(BIN)/karyofast demo -o demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml karyofast.kernels._tree
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m pytest benches --benchmark-columns=median,iqr,ops --benchmark-group-by=group

# Both train on the CPU in an hour or two a run, and go on from their checkpoint when run again. The classifier is trained
# twice: from nothing, and on from there with the lowest convolutions left alone, which takes two thirds of the time.
train-classifier: $(VENV)/.dev
	$(BIN)/karyofast train classifier --data $(DATA)/pki3.zip -o $(RUNS)/first
	$(BIN)/karyofast train classifier --data $(DATA)/pki3.zip -o $(RUNS)/g-band \
	    --from $(RUNS)/first/g-band --epochs 7 --more 0 --rate 6e-4 --frozen 4

train-separator: $(VENV)/.dev
	$(BIN)/karyofast train separator --data $(DATA)/pki3.zip --pictures $(DATA)/mfish/instances.json -o $(RUNS)/axis

wheel: $(VENV)/.dev
	$(PIP) install build
	$(BIN)/python -m build

# The picture at the top of the README.
picture: $(VENV)/.runtime
	$(BIN)/karyofast demo -o demo --picture
	$(BIN)/python -c "import cv2; p = cv2.imread('demo/demo.png'); \
	    cv2.imwrite('docs/demo.png', cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))"

# Every figure of the README that is measured on real images.
EVALUATE := $(BIN)/karyofast evaluate
scores: $(VENV)/.dev
	$(EVALUATE) detection --data $(DATA)/gband --method all
	$(EVALUATE) detection --data $(DATA)/mfish --slides held-out --method all
	$(EVALUATE) instances --data $(DATA)/gband --method all
	$(EVALUATE) instances --data $(DATA)/mfish --slides held-out --method all
	$(EVALUATE) classification --data $(DATA)/pki3.zip
	$(EVALUATE) pipeline --data $(DATA)/gband
	$(EVALUATE) pipeline --data $(DATA)/gband --masks true
	$(EVALUATE) pipeline --data $(DATA)/mfish --slides held-out
	$(EVALUATE) pipeline --data $(DATA)/mfish --slides held-out --masks true
	$(BIN)/karyofast run $(DATA)/gband/annotated $(DATA)/gband/unlabelled -o $(RUNS)/gband --force

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml setup.py constraints.txt $(filter-out csrc/_%.c,$(wildcard csrc/*))
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) install -c constraints.txt -e '.[train,dev]'
	# beside a CPU build of torch only this one imports, and only without its dependencies
	$(PIP) install --no-deps torchvision==0.16.2
	$(PIP) install -c constraints.txt requests
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info karyofast/kernels/*.so
