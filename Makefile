# Everything runs in an environment of its own, .venv, made on first use. `make` alone lists the targets.
PYTHON ?= python3
# For tests and training, when the environment has no torch: what is measured here was measured with this one.
TORCH ?= torch==2.13.0
# Without an NVIDIA GPU it is taken from here: without CUDA it needs a fifth of the disk.
TORCH_CPU ?= https://download.pytorch.org/whl/cpu

# Images a second of the demo; auto: 30, or less on a machine that cannot keep up.
RATE ?= auto
# Of the demo: 1 plays the clip's depth, too.
DEPTH ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

HAS_DDS = $(BIN)/python -c "import cyclonedds" 2>/dev/null

# Each has a DDS domain of its own and takes about 1 GB. Two for each of two cores: a third of the time, a test waits for
# processes of its own. More gain little: the longest tests remain.
WORKERS ?= 4
PYTEST := -m pytest -n $(WORKERS) --dist worksteal
# Tests start hundreds of processes. Without bytecode each would compile this checkout again.
BYTECODE := env -u PYTHONDONTWRITEBYTECODE
# Without what a ROS 2 for another Python has set in this shell.
NO_ROS := env -u PYTHONPATH -u LD_LIBRARY_PATH -u AMENT_PREFIX_PATH -u RMW_IMPLEMENTATION -u _ROS_WHEELS_BOOTSTRAP_COMPLETE

.DEFAULT_GOAL := help
# What `make fuzz` breaks: messages in all, files of each kind, and after how many seconds it ends at the latest.
MESSAGES ?= 1000000
FILES ?= 100000
SECONDS ?= 36000

.PHONY: help demo test test-ros2 lint sanitize fuzz train-demo clean

help:
	@echo "make demo        install what is needed and see the pose of a box follow it through a video"
	@echo "make test        run the tests; those of ROS 2 with the one that is sourced, else with pip's"
	@echo "make test-ros2   run the tests of ROS 2 with pip's alone"
	@echo "make lint        ruff and mypy"
	@echo "make sanitize    the C++ and CUDA code of cuda_ext under the address, undefined-behaviour and thread sanitizers"
	@echo "make fuzz        break a million messages and 100,000 files of each kind: MESSAGES=, FILES=, SECONDS= change that"
	@echo "make train-demo  train the demo's network again, into out/train (about two hours on one core)"
	@echo "make clean       remove the environment and everything made here"

demo: $(VENV)/.runtime
	$(BIN)/pose-regressor demo --out out/demo --rate $(RATE) $(if $(filter-out 0,$(DEPTH)),--depth)

# The tests of ROS 2 take the one that is sourced, if there is one, and else pip's.
test: $(VENV)/.develop $(VENV)/.extension
	@if $(BIN)/python -c "import rclpy" 2>/dev/null; then \
	  $(BYTECODE) $(BIN)/python $(PYTEST); \
	else \
	  $(BYTECODE) $(BIN)/python $(PYTEST) -m "not ros2" && $(MAKE) --no-print-directory test-ros2; \
	fi

test-ros2: $(VENV)/.ros2
	@if [ -x $(VENV)/ros2/bin/python ]; then \
	  $(BYTECODE) $(NO_ROS) $(VENV)/ros2/bin/python $(PYTEST) -rs -m ros2 test/middleware; \
	fi

sanitize: $(VENV)/.develop
	$(BIN)/python -m pytest -rs test/cuda_ext/test_sanitizers.py

fuzz: $(VENV)/.develop
	$(BIN)/python test/fuzz/fuzz.py --messages $(MESSAGES) --files $(FILES) --seconds $(SECONDS)

lint: $(VENV)/.develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

train-demo: $(VENV)/.develop
	$(BIN)/python -m pose_regressor_training.test_objects box out/train/mesh
	$(BIN)/pose-regressor train --mesh out/train/mesh/box.obj --start-from cube --out out/train/box.safetensors

clean:
	rm -rf $(VENV) out build cuda_ext/build install log .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name "*.egg-info" -prune -exec rm -rf {} +

# The files that end in a dot-name stand for a finished step, so that the next run starts at once.
$(VENV)/.made:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10))" || { \
	  echo "error: Python 3.10 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1); name one: make PYTHON=python3.12" >&2; exit 1; }
	@if ! $(PYTHON) -c "import venv, ensurepip" 2>/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing python3-venv"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; \
	  else \
	    echo "error: $(PYTHON) has no venv module; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; \
	  fi; \
	fi
# What is half made by an earlier run begins anew. What is not from here stays.
	@if [ -e $(VENV) ] && [ ! -e $(VENV)/.begun ]; then \
	  echo "error: $(VENV) is here already and was not made by make; remove it, or name another: make VENV=out/venv" >&2; exit 1; \
	fi
	@rm -rf $(VENV) && mkdir -p $(VENV) && touch $(VENV)/.begun
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.torch: $(VENV)/.made
	@$(BIN)/python -c "import torch" 2>/dev/null || { \
	  echo "installing $(TORCH) (large)"; \
	  if [ -e /proc/driver/nvidia/version ]; then \
	    $(PIP) "$(TORCH)"; \
	  elif ! $(PIP) --retries 1 --timeout 15 --index-url $(TORCH_CPU) "$(TORCH)" 2>$(VENV)/torch.log; then \
	    echo "note: no build for CPUs from $(TORCH_CPU) (the reason is in $(VENV)/torch.log); taking the default one"; \
	    $(PIP) "$(TORCH)"; \
	  fi; \
	}
	@touch $@

$(VENV)/.runtime: $(VENV)/.made setup.py
	@echo "installing pose_regressor"
# cyclonedds has no wheels for ARM and for Python 3.14. pip would try to build it from source there.
	@$(PIP) --only-binary cyclonedds -e ".[dds]" 2>$(VENV)/dds.log || { \
	  $(PIP) -e ".[zenoh]"; \
	  echo "note: cyclonedds has no wheel for $$($(BIN)/python --version) on $$(uname -m): Zenoh is used in place of DDS"; \
	}
	@touch $@

$(VENV)/.develop: $(VENV)/.runtime $(VENV)/.torch $(wildcard training/setup.py training/pyproject.toml)
	@echo "installing pose_regressor_training and the tools for tests"
	@if $(HAS_DDS); then dds=dds,; fi; $(PIP) -e ".[$${dds}zenoh,bag,onnx,test]" -e "./training[test]"
	@touch $@

# For the tests. pip installs no launch, ros2cli, tf2_ros or cv_bridge: tests of these say so and are skipped.
$(VENV)/.ros2: $(VENV)/.develop setup.py test/helpers/pip_ros2.sh
	@test/helpers/pip_ros2.sh $(VENV)
	@[ ! -x $(VENV)/ros2/bin/python ] || touch $@

# Without a compiler the torch reference does its work, and the tests of the extension are left out.
$(VENV)/.extension: $(VENV)/.torch cuda_ext/setup.py $(wildcard cuda_ext/csrc/* cuda_ext/pose_regressor_cuda/*.py)
	@if command -v c++ >/dev/null; then \
	  echo "building pose_regressor_cuda"; $(PIP) ./cuda_ext; \
	else \
	  echo "no C++ compiler: pose_regressor_cuda is not built"; \
	fi
	@touch $@
