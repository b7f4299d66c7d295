# Verbs over CMake. `make help` lists them.

BUILD   ?= build
MAKEFLAGS += --no-print-directory
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
CMAKE   ?= cmake
# CI treats warnings as errors; users don't have to.
WERROR  ?= $(if $(CI),ON,OFF)
# nvcc may be installed where no PATH names it.
export PATH := $(PATH):/usr/local/cuda/bin
# For the GPU at hand, where there is one: nothing, and the build is for the CPU alone, else.
GPU_ARCHS ?= $(shell scripts/gpu_architectures.sh)
GPU_FLAGS = $(if $(GPU_ARCHS),-DKERN_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$(GPU_ARCHS)")
CUDA_ARCHS ?= 75-real;80-real;86-real;89-real;90a-real;100-real;120

.PHONY: help configure build run test bench asan tsan fuzz format tidy cuda clean install-dependencies

help:
	@echo "make run      install what is missing, build, and stream an answer"
	@echo "make test     build and run all tests"
	@echo "make build    build only: $(BUILD)/kern"
	@echo "make bench    time prefill and decode by format and instruction set (MODEL=file.gguf: that file)"
	@echo "make asan     the tests under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make tsan     the tests under ThreadSanitizer"
	@echo "make fuzz     the fuzz targets (FUZZ_SECONDS=60 each; needs clang)"
	@echo "make cuda     build for GPUs, into $(BUILD)-cuda (CUDA_ARCHS='$(CUDA_ARCHS)'; needs nvcc)"
	@echo "make format   clang-format over all sources"
	@echo "make tidy     clang-tidy over all sources"
	@echo "make clean    remove the build folders"

install-dependencies:
	@scripts/install_dependencies.sh

configure: install-dependencies
	@$(CMAKE) -S . -B $(BUILD) -DKERN_WERROR=$(WERROR) $(GPU_FLAGS) > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }

build: configure
	@$(CMAKE) --build $(BUILD) -j $(JOBS) --target kern

run: build
	@scripts/first_run.sh $(BUILD)

test: configure
	@$(CMAKE) --build $(BUILD) -j $(JOBS)
	@scripts/run_tests.sh $(BUILD)

bench: build
	@$(CMAKE) --build $(BUILD) -j $(JOBS) --target kern_random_model
	@scripts/bench.sh $(BUILD) "$(MODEL)"

asan: install-dependencies
	@$(CMAKE) -S . -B $(BUILD)-asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g" \
	  -DKERN_SANITIZE=address,undefined > $(BUILD)-asan.log 2>&1 || { cat $(BUILD)-asan.log; exit 1; }
	@$(CMAKE) --build $(BUILD)-asan -j $(JOBS)
	@scripts/run_tests.sh $(BUILD)-asan

tsan: install-dependencies
	@$(CMAKE) -S . -B $(BUILD)-tsan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g" \
	  -DKERN_SANITIZE=thread > $(BUILD)-tsan.log 2>&1 || { cat $(BUILD)-tsan.log; exit 1; }
	@$(CMAKE) --build $(BUILD)-tsan -j $(JOBS)
	@scripts/run_tests.sh $(BUILD)-tsan

fuzz: install-dependencies
	@$(CMAKE) -S . -B $(BUILD)-fuzz -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo -DKERN_FUZZ=ON \
	  -DKERN_SANITIZE=address,undefined > $(BUILD)-fuzz.log 2>&1 || { cat $(BUILD)-fuzz.log; exit 1; }
	@$(CMAKE) --build $(BUILD)-fuzz -j $(JOBS) --target fuzz_editor fuzz_folder fuzz_gguf fuzz_importance \
	  fuzz_logits fuzz_options fuzz_safetensors fuzz_sentencepiece fuzz_session fuzz_template fuzz_tokenizer \
	  fuzz_vocabulary
	@scripts/fuzz.sh $(BUILD)-fuzz $(or $(FUZZ_SECONDS),60)

# CUDA_TARGET=kern_cuda: only what nvcc compiles.
cuda: install-dependencies
	@$(CMAKE) -S . -B $(BUILD)-cuda -DKERN_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES="$(CUDA_ARCHS)" > $(BUILD)-cuda.log 2>&1 \
	  || { cat $(BUILD)-cuda.log; exit 1; }
	@$(CMAKE) --build $(BUILD)-cuda -j $(JOBS) --target $(or $(CUDA_TARGET),kern)

format:
	@git ls-files '*.h' '*.cpp' '*.inl' '*.cu' | xargs clang-format -i

tidy: build
	@git ls-files '*.cpp' | grep -v -e '^tests/' | xargs clang-tidy -p $(BUILD) --quiet

clean:
	@rm -rf $(BUILD) $(BUILD)-aarch64 $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz $(BUILD)-cuda $(BUILD)*.log
