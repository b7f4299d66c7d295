#!/bin/sh
# Everything that only a GPU can show, in one call of under ten minutes: the tests of the kernels against the CPU backend,
# compute-sanitizer over some of them, then a table of speeds, each beside the limits measured in the same run.
#   gpu_check.sh pack BUILD FOLDER      copies what the check needs from a build for GPUs (make cuda, target all)
#   gpu_check.sh run FOLDER [OUT]       runs it where the GPU is; the report is OUT/gpu.md (default: FOLDER)
# GPU_CHECK_SECONDS (default 540): no benchmark begins after that many. GPU_CHECK_SHAPES, GPU_CHECK_FORMATS: what is
# timed; models with random weights are written to $TMPDIR.
set -u

pack() {
  mkdir -p "$2/tests/data"
  cp "$1/kern" "$1/tests/kern_device_tests" "$1/tests/kern_random_model" "$2/"
  strip "$2/kern" "$2/kern_device_tests" "$2/kern_random_model"
  cp -r "$(dirname "$0")/../tests/data/models" "$2/tests/data/"
  cp "$0" "$2/"
  du -sh "$2" >&2
}

begin=$(date +%s)
time_is_up() { [ $(($(date +%s) - begin)) -ge "${GPU_CHECK_SECONDS:-540}" ]; }

# check TITLE COMMAND...: its summary as a line of the report; its output where it fails
check() {
  title=$1
  shift
  if "$@" > "$out/check.log" 2>&1; then verdict=passed
  else
    verdict="**failed**, code $?"
    failed=1
  fi
  summary=$(grep -a -e '^\[doctest\] test cases' -e 'ERROR SUMMARY' "$out/check.log" | tail -n 1 | tr -s ' ')
  echo "- $title: $verdict. $summary"
  [ "$verdict" = passed ] || tail -n 40 "$out/check.log" | sed 's/^/      /'
}

# bench SHAPE FORMAT: rows of kern bench, and the share of what 16-bit matrix units do where that is the question
bench() {
  "$folder/kern_random_model" "$1" "$2" "$models/model.gguf" || return
  for flags in "-p 2048 -n 128 -ub 2048 -r 3" "-p 0 -n 32 -d 32768 -r 2"; do
    time_is_up && { echo "bench of $1 $2 $flags left out: time is up" >&2; continue; }
    case "$1:$flags" in *0.6b*32768* | *tinyllama*32768*) continue ;; esac
    # shellcheck disable=SC2086
    "$folder/kern" bench -q -m "$models/model.gguf" -ngl all $flags > "$out/bench.log" 2>> "$out/errors.log" ||
      { failed=1; tail -n 3 "$out/errors.log"; continue; }
    awk -v row="| $1 | $2 " '
      /^limits:/ { print > "/dev/stderr"; for (i = 1; i < NF; ++i) if ($i == "16-bit") half = $(i + 1) }
      /^\| (pp|tg)/ {
        split($0, cell, "|")
        share = half > 0 ? sprintf("%.1f%%", 100 * cell[4] * cell[6] / 1000 / half) : "-"
        print row $0 " " share " |"
      }' "$out/bench.log" 2>> "$out/limits.log"
  done
  start=$(date +%s%N)
  "$folder/kern" run -q -m "$models/model.gguf" -ngl all --raw -n 1 --temp 0 "once upon a time" > /dev/null 2>> "$out/errors.log"
  echo "$1 $2: process start to first token $((($(date +%s%N) - start) / 1000000)) ms" >> "$out/starts.log"
  rm -f "$models/model.gguf"
}

report() {
  echo "# On the GPU"
  echo
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | sed 's/^/- /'
  "$folder/kern" --version | sed 's/^/- /'
  KERN_TEST_DATA=$folder/tests/data
  export KERN_TEST_DATA
  check "kernels and models against the CPU backend" "$folder/kern_device_tests"
  sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  if [ -x "$sanitizer" ]; then
    for tool in memcheck racecheck initcheck; do
      check "compute-sanitizer $tool" timeout 90 "$sanitizer" --tool $tool --error-exitcode 1 \
        "$folder/kern_device_tests" -tc="*every format runs*,*attention of prompts*head sizes*,*becomes of*"
    done
  else
    echo "- compute-sanitizer: not on this machine"
  fi
  echo
  echo "| shape | format | test | tokens/s | median | MB a token | M mul-adds a token | limit | of 16-bit matrix units |"
  echo "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
  for shape in ${GPU_CHECK_SHAPES:-llama-3.1-8b llama-3.2-1b qwen3-0.6b}; do
    for format in ${GPU_CHECK_FORMATS:-Q4_K Q8_0 F16}; do
      time_is_up && { echo "$shape $format left out: time is up" >&2; continue; }
      bench "$shape" "$format"
    done
  done
  echo
  sort -u "$out/limits.log" | head -n 3
  echo
  cat "$out/starts.log"
}

case ${1:-} in
  pack) pack "$2" "$3" ;;
  run)
    folder=$2
    out=${3:-$folder}
    mkdir -p "$out"
    models=$(mktemp -d)
    trap 'rm -rf "$models"' EXIT
    failed=0
    : > "$out/limits.log"
    : > "$out/starts.log"
    : > "$out/errors.log"
    report > "$out/gpu.md"
    cat "$out/gpu.md"
    exit $failed
    ;;
  *) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac
