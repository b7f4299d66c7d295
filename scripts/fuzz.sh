#!/bin/sh
# Runs every fuzz target for some seconds, starting from the checked-in corpus. Ends with 1 where one found something.
# Usage: fuzz.sh BUILD_FOLDER SECONDS
set -u
build=$1
seconds=$2
status=0
# What is freed is kept for a while, and clearing fresh memory takes time: less of it.
export ASAN_OPTIONS="${ASAN_OPTIONS:-quarantine_size_mb=16:malloc_context_size=4}"
for target in editor folder gguf importance logits options safetensors sentencepiece session template tokenizer vocabulary; do
  # The shorter, the more of them: as long as what there is to find needs.
  case $target in
    editor) longest=128 ;;
    gguf) longest=4096 ;;
    folder | template | vocabulary) longest=2048 ;;
    *) longest=512 ;;
  esac
  mkdir -p "$build/corpus-$target"
  log=$build/fuzz_$target.log
  if "$build/tests/fuzz_$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -max_len="$longest" -close_fd_mask=1 -entropic=0 \
    -artifact_prefix="$build/" "$build/corpus-$target" "tests/data/$target/corpus" > "$log" 2>&1; then
    echo "fuzz_$target: $(sed -n 's/stat::number_of_executed_units: *//p' "$log") executions in $seconds s, nothing found"
  else
    tail -n 40 "$log"
    echo "fuzz_$target: FOUND something, see $log"
    status=1
  fi
done
exit $status
