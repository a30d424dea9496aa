# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
export KARYOFAST_DATA ?= ../shared/data
DATA := $(KARYOFAST_DATA)
RUNS ?= runs

.PHONY: demo test test-tensorrt lint bench throughput serve-load cold-start kill-rounds check-page sanitize aarch64 aarch64-wheel clang bench-peers bench-cuda bench-naive bench-compare train-classifier train-separator wheel picture scores karyograms library clean

demo: $(VENV)/.runtime
	$(BIN)/karyofast demo -o demo

# Two files of tests at a time.
TEST_JOBS ?= 2
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile -p no:benchmark

# TensorRT for RTX parses and builds engines without a GPU. It is large and not free, so it has an environment of its own,
# which sees the packages of $(VENV). Tests that must run an engine say that they were not run where there is no GPU.
TENSORRT := .venv-tensorrt
test-tensorrt: $(TENSORRT)/.done
	PYTHONPATH=. $(TENSORRT)/bin/python -m pytest tests/test_export_tensorrt.py

$(TENSORRT)/.done: $(VENV)/.dev
	$(PYTHON) -m venv $(TENSORRT)
	$(TENSORRT)/bin/python -m pip --disable-pip-version-check -q install --no-deps \
	    tensorrt_rtx==1.7.1.116 tensorrt_rtx_cu13==1.7.1.116 tensorrt_rtx_cu13_libs==1.7.1.116 tensorrt_rtx_cu13_bindings==1.7.1.116
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
	    > "$$($(TENSORRT)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/karyofast-dev.pth"
	touch $@

COMPILED := $(patsubst csrc/%.pyx,karyofast.kernels.%,$(wildcard csrc/*.pyx))
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml $(COMPILED)
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m pytest benches --benchmark-columns=median,iqr,ops --benchmark-group-by=group

# `karyofast run` on IMAGES images with one job on one core, with one and two jobs on two.
IMAGES ?= 2000
NAIVE_IMAGES ?= 3
throughput: $(VENV)/.dev
	$(BIN)/python benches/throughput.py --images $(IMAGES)

# 50 clients of one service for a minute: only 200 and 429, memory flat.
serve-load: $(VENV)/.dev
	$(BIN)/python benches/serve_load.py

# From file to labels on NAIVE_IMAGES pictures, against scikit-image, SciPy and a loop in torch.
bench-naive: $(VENV)/.dev
	$(BIN)/python benches/naive.py --images $(NAIVE_IMAGES)

# From the start of `karyofast run` to its first karyotype, and the memory that it takes.
cold-start: $(VENV)/.dev
	$(BIN)/python benches/cold_start.py

# Runs killed at random moments, and what the next start makes of them.
kill-rounds: $(VENV)/.dev
	$(BIN)/python tests/kill_rounds.py --rounds 100
	$(BIN)/python tests/kill_rounds.py --rounds 10 --jobs 2

# report.html of 5,000 images in a real browser.
check-page: $(VENV)/.dev
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }
	$(BIN)/python tests/check_page.py

# The C cores under address and undefined-behaviour sanitizers, on every path that this processor has; then the tests of
# the kernels on extension modules that are built the same way (in $(BUILD), so that the normal ones stay).
BUILD := build
CHECK := tests/check_kernels.c $(wildcard csrc/*_core.c)
CHECK_FLAGS := -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno -fno-trapping-math -Icsrc -Iinclude
SANITIZE := -g -fsanitize=address,undefined -fno-sanitize-recover=all
sanitize: $(VENV)/.dev
	mkdir -p $(BUILD)
	$(CC) -O1 $(SANITIZE) $(CHECK_FLAGS) $(CHECK) -o $(BUILD)/check_sanitized -lm
	$(BUILD)/check_sanitized
	rm -rf $(BUILD)/sanitized && mkdir -p $(BUILD)/sanitized && cp -r karyofast csrc include tests setup.py pyproject.toml README.md LICENSE $(BUILD)/sanitized
	cd $(BUILD)/sanitized && rm -f karyofast/kernels/*.so && \
	    CFLAGS="-O1 $(SANITIZE)" $(abspath $(BIN))/python setup.py -q build_ext --inplace --force
	# Python itself is not built so: its own blocks are not followed, and what it leaves at exit is no leak of ours
	cd $(BUILD)/sanitized && LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
	    ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=. $(abspath $(BIN))/python -m pytest tests/test_kernels.py

# The cores for aarch64 (NEON by the compiler), run under emulation.
ARM := aarch64-linux-gnu-gcc
aarch64:
	command -v $(ARM) >/dev/null && command -v qemu-aarch64-static >/dev/null || \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static; }
	mkdir -p $(BUILD)
	$(ARM) -O3 -static $(CHECK_FLAGS) $(CHECK) -o $(BUILD)/check_aarch64 -lm
	qemu-aarch64-static $(BUILD)/check_aarch64

# The cores by Clang, on every path that this processor has.
clang:
	command -v clang >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends clang; }
	mkdir -p $(BUILD)
	clang -O3 $(CHECK_FLAGS) $(CHECK) -o $(BUILD)/check_clang -lm
	$(BUILD)/check_clang

# The wheel for aarch64, cross-built, then installed and tried under emulation in a Debian arm64 root at ARM_ROOT; as root.
ARM_ROOT := $(BUILD)/arm64
aarch64-wheel: $(VENV)/.dev
	command -v $(ARM) >/dev/null && command -v qemu-aarch64-static >/dev/null && command -v debootstrap >/dev/null || \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static debootstrap; }
	$(BIN)/python tests/check_aarch64.py --root $(ARM_ROOT) --data $(DATA)

# The C library with its C++ header and example program (csrc/embed_core.c, include/, examples/), built by CMake; its
# candidates on real pictures beside those of `karyofast detect`.
library: $(VENV)/.dev
	PYTHONPATH=. $(BIN)/python tests/check_embed.py --data $(DATA) --build $(BUILD)/library

# The kernels against their peers, which live in an environment of their own. README=README.md writes the table there.
PEERS := .venv-peers
bench-peers: $(PEERS)/.done
	$(PEERS)/bin/python setup.py -q build_ext --inplace
	PYTHONPATH=. $(PEERS)/bin/python benches/versus.py $(if $(README),--readme $(README))

$(PEERS)/.done: benches/peers.txt constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check -q install -c constraints.txt -r benches/peers.txt
	touch $@

# The classifiers on a GPU, by precision, batch and CUDA graph, beside the CPU; it needs a CUDA build of torch.
bench-cuda: $(VENV)/.dev
	$(BIN)/python benches/cuda.py --data $(DATA)

# This tree against BASE, both built here and run in turn; fails where a kernel has lost a tenth.
BASE ?= main
bench-compare: $(VENV)/.dev
	$(BIN)/python benches/compare.py --base $(BASE)

# These train on the CPU in one to two hours a run (half an hour for q-band), and go on from their checkpoints when run again.
# g-band is trained twice, from nothing and on from there; q-band goes on from g-band;
# g-band-fast is another network, trained on from there with composed metaphases too; q-band-fast goes on from it. All but
# q-band are exported as int8.
CLASSIFY := $(BIN)/karyofast train classifier --more 0
train-classifier: $(VENV)/.dev
	$(BIN)/karyofast train classifier --data $(DATA)/pki3.zip -o $(RUNS)/first
	$(CLASSIFY) --data $(DATA)/pki3.zip -o $(RUNS)/on --from $(RUNS)/first/g-band --epochs 12 --rate 1e-3
	$(CLASSIFY) --data $(DATA)/bioimlab.zip --no-oriented --pictures $(DATA)/mfish/instances.json --stain quinacrine \
	    --simulated 40 -o $(RUNS)/second --name q-band --from $(RUNS)/on/g-band --epochs 7 --rate 6e-4
	$(CLASSIFY) --data $(DATA)/pki3.zip -o $(RUNS)/fast --network slim --name g-band-fast --epochs 13 --rate 2.5e-3
	$(BIN)/karyofast export int8 $(RUNS)/on/g-band --data $(DATA)/pki3.zip -o $(RUNS)/g-band-int8
	$(CLASSIFY) --data $(DATA)/pki3.zip -o $(RUNS)/composed-too --network slim --name g-band-fast --from $(RUNS)/fast/g-band-fast \
	    --composed 396 --simulated 30 --epochs 9 --rate 8e-4
	$(BIN)/karyofast export int8 $(RUNS)/composed-too/g-band-fast --data $(DATA)/pki3.zip -o $(RUNS)/g-band-fast-int8 \
	    --exclude 1 --exclude 2 --exclude -3 --exclude -2 --exclude -1
	$(CLASSIFY) --data $(DATA)/bioimlab.zip --no-oriented --pictures $(DATA)/mfish/instances.json --stain quinacrine \
	    --simulated 40 --composed 162 -o $(RUNS)/bright --network slim --name q-band-fast \
	    --from $(RUNS)/composed-too/g-band-fast --epochs 17 --rate 1.2e-3
	$(BIN)/karyofast export int8 $(RUNS)/bright/q-band-fast --data $(DATA)/bioimlab.zip -o $(RUNS)/q-band-fast-int8 \
	    --exclude 1 --exclude 2 --exclude -3 --exclude -2 --exclude -1

# The one for fluorescence goes on from the first.
train-separator: $(VENV)/.dev
	$(BIN)/karyofast train separator --data $(DATA)/pki3.zip --pictures $(DATA)/mfish/instances.json -o $(RUNS)/axis
	$(BIN)/karyofast train separator --data $(DATA)/pki3.zip --pictures $(DATA)/mfish/instances.json -o $(RUNS)/further \
	    --name axis-fluorescence --from $(RUNS)/axis/axis --steps 2600 --more 0 --rate 2e-3

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
	$(EVALUATE) failures --data $(DATA)/gband -o $(RUNS)/failures-gband
	$(EVALUATE) failures --data $(DATA)/mfish --slides held-out -o $(RUNS)/failures-mfish
	$(EVALUATE) classification --data $(DATA)/pki3.zip
	$(EVALUATE) classification --data $(DATA)/pki3.zip --model g-band
	$(EVALUATE) classification --data $(DATA)/pki3.zip --model g-band-fast-int8
	$(EVALUATE) classification --data $(DATA)/bioimlab.zip --no-upright --model q-band
	$(EVALUATE) classification --data $(DATA)/bioimlab.zip --no-upright --model q-band-fast-int8
	$(EVALUATE) aneuploidy --data $(DATA)/pki3.zip
	$(EVALUATE) pipeline --data $(DATA)/gband
	$(EVALUATE) pipeline --data $(DATA)/gband --masks true
	$(EVALUATE) pipeline --data $(DATA)/mfish --slides held-out
	$(BIN)/karyofast simulate -n 75 --varied --crops $(DATA)/pki3.zip -o $(RUNS)/composed
	$(EVALUATE) pipeline --data $(RUNS)/composed
	$(EVALUATE) pipeline --data $(RUNS)/composed --masks true
	$(EVALUATE) failures --data $(RUNS)/composed -o $(RUNS)/failures-composed
	$(EVALUATE) pipeline --data $(DATA)/mfish --slides held-out --masks true
	$(BIN)/karyofast run $(DATA)/gband/annotated $(DATA)/gband/unlabelled -o $(RUNS)/gband --force

# The karyograms of the 40 G-band pictures on one page, to be looked at.
karyograms: $(VENV)/.dev
	$(BIN)/karyofast run $(DATA)/gband/annotated $(DATA)/gband/unlabelled -o $(RUNS)/gband
	$(BIN)/python benches/karyograms.py $(RUNS)/gband $(RUNS)/karyograms.png

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# What both environments are made of. The one for development is the other with more packages, so it makes both in one go.
MADE_OF := $(VENV)/bin/python pyproject.toml setup.py constraints.txt $(filter-out csrc/_%.c,$(wildcard csrc/*))
$(VENV)/.runtime: $(MADE_OF)
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(MADE_OF)
	$(PIP) install -c constraints.txt -e '.[train,serve,dev]' requests
	# beside a CPU build of torch only this one imports, and only without its dependencies
	$(PIP) install --no-deps torchvision==0.16.2
	touch $(VENV)/.runtime $@

clean:
	rm -rf $(VENV) $(PEERS) $(TENSORRT) build dist *.egg-info karyofast/kernels/*.so
