#!/bin/sh
# Times prefill of 512 tokens and decode of 64, three times. Usage: bench.sh BUILD_FOLDER [MODEL.gguf]
set -eu
build=$1
model=${2:-$build/tiny.gguf}
[ -n "$model" ] || model=$build/tiny.gguf
prompt=$(yes 'a b' | head -n 256 | tr '\n' ' ')
for round in 1 2 3; do
  "$build/kern" run -m "$model" --raw --no-stdin --temp 0 -n 64 -c 2048 -p "$prompt" 2>&1 > /dev/null | grep -E '^(prompt|answer|read)'
done
