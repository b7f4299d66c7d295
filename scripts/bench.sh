#!/bin/sh
# Times prefill of about 500 tokens and decode of 64, three times. Usage: bench.sh BUILD_FOLDER [MODEL.gguf]
set -eu
build=$1
[ -z "${2:-}" ] || export KERN_MODEL="$2"
prompt=$(yes 'a b' | head -n 250 | tr '\n' ' ')
for round in 1 2 3; do
  "$build/kern" run --raw --no-stdin --temp 0 -n 64 -c 2048 -p "$prompt" 2>&1 > /dev/null | grep -E '^(prompt|answer|read)'
done
