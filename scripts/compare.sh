#!/bin/sh
# kern beside llama.cpp on the same files and threads, measured in turn. Usage: compare.sh MODEL.gguf...
#   KERN             the executable (default: build/kern)
#   LLAMA_BENCH      llama.cpp's llama-bench (default: the one in PATH, else one that is built from source in
#                    $XDG_CACHE_HOME/kern-compare, which takes a quarter of an hour)
#   IK_LLAMA_BENCH   ik_llama.cpp's llama-bench, compared too where it is given
#   ROUNDS, THREADS, PROMPT, GENERATED    default: 3, all, 512, 64
# Needs python3, and for building pip, cmake and a C++ compiler.
set -eu
here=$(dirname "$0")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kern-compare
usage() { sed -n '2,8s/^# //p' "$0"; }
case ${1:-} in
  '') usage >&2; exit 2 ;;
  -h | --help) usage; exit 0 ;;
esac
for model; do
  [ -r "$model" ] || { echo "compare.sh: $model: can't be read; expected a GGUF file" >&2; exit 3; }
done

# Flags for this processor. A native build would choose ggml's AMX path, which crashes when built by GCC before 13.
processor_flags() {
  version=$(${CXX:-g++} -dumpversion 2> /dev/null | cut -d. -f1)
  case $(${CXX:-g++} --version 2> /dev/null) in *clang*) return ;; esac
  [ "${version:-13}" -lt 13 ] || return 0
  echo -DGGML_NATIVE=OFF
  for pair in avx512f:AVX512 avx512_vnni:AVX512_VNNI avx512vbmi:AVX512_VBMI avx512_bf16:AVX512_BF16 avx_vnni:AVX_VNNI; do
    if grep -qw "${pair%%:*}" /proc/cpuinfo; then echo "-DGGML_${pair##*:}=ON"; fi
  done
}

# Builds the llama.cpp inside the newest llama-cpp-python.
build_llama_bench() {
  python3 -m pip download --no-deps --no-binary :all: --dest "$cache" llama-cpp-python || return 1
  archive=$(find "$cache" -name 'llama_cpp_python-*.tar.gz' | sort -V | tail -n 1)
  tar -xzf "$archive" -C "$cache" || return 1
  # shellcheck disable=SC2046
  cmake -S "${archive%.tar.gz}/vendor/llama.cpp" -B "$cache/build" -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF \
    -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF \
    $(processor_flags) || return 1
  cmake --build "$cache/build" --target llama-bench -j "${JOBS:-$(nproc)}"
}

LLAMA_BENCH=${LLAMA_BENCH:-$(command -v llama-bench || true)}
if [ -z "$LLAMA_BENCH" ]; then
  LLAMA_BENCH=$cache/build/bin/llama-bench
  if [ ! -x "$LLAMA_BENCH" ]; then
    echo "compare.sh: building llama-bench in $cache" >&2
    mkdir -p "$cache"
    build_llama_bench > "$cache/log" 2>&1 || { tail -n 20 "$cache/log" >&2; exit 1; }
  fi
fi
export LLAMA_BENCH
export KERN="${KERN:-$here/../build/kern}"
exec python3 "$here/compare_rounds.py" "$@"
