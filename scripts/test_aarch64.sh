#!/bin/sh
# Builds kernels, models and engine for 64-bit Arm with a cross compiler and runs their tests under qemu, once with the
# products of matrices and dot products, and once as an older processor. Says so and ends well where the tools can't be had.
# Usage: test_aarch64.sh BUILD_FOLDER [doctest options]      by default all but two tests that take minutes under qemu
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- "-tce=logits don't depend on threads*,a small model in every format*"
compiler=aarch64-linux-gnu-g++

have_tools() { command -v $compiler > /dev/null 2>&1 && command -v qemu-aarch64 > /dev/null 2>&1; }
skip() {
  echo "test_aarch64.sh: skipped, $1"
  exit 0
}

if ! have_tools && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null 2>&1; then
  export DEBIAN_FRONTEND=noninteractive
  install="timeout 150 apt-get install -y -q --no-install-recommends g++-aarch64-linux-gnu qemu-user"
  $install > /dev/null 2>&1 || { timeout 60 apt-get update -q > /dev/null 2>&1 && $install > /dev/null 2>&1; } || true
fi
have_tools || skip "$compiler and qemu-aarch64 are not installed"

# The libraries' headers alone: all others in /usr/include are this machine's.
mkdir -p "$build/headers"
for library in fmt doctest nlohmann; do
  [ -d "/usr/include/$library" ] || skip "/usr/include/$library is missing"
  ln -sfn "/usr/include/$library" "$build/headers/$library"
done

cmake -S . -B "$build" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=$compiler \
  -DCMAKE_CXX_FLAGS_RELEASE=-O2 -DKERN_WERROR=ON -DKERN_HEADERS="$(realpath "$build/headers")" > "$build.log" 2>&1 ||
  { cat "$build.log"; exit 1; }
cmake --build "$build" -j "$(nproc)" --target kern_compute_tests > "$build.log" 2>&1 || { cat "$build.log"; exit 1; }

status=0
for processor in max cortex-a72; do
  log=$build/$processor.log
  case $processor in
    max) best=i8mm ;;
    *) best=portable ;;
  esac
  KERN_BEST_CPU=$best qemu-aarch64 -cpu $processor -L /usr/aarch64-linux-gnu "$build/tests/kern_compute_tests" "$@" > "$log" 2>&1 ||
    { status=1; cat "$log"; }
  echo "aarch64, $processor: $(grep '^\[doctest\] test cases' "$log" || echo 'ended early')"
done
exit $status
