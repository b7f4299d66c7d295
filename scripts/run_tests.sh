#!/bin/sh
# Runs all tests of a build, in two processes, and closes with a line "N passed, N failed".
# Usage: run_tests.sh BUILD_FOLDER
set -u
build=$1
passed=0
failed=0

# doctest's own summary says how many test cases there were; a crash leaves none.
# Those that run kern itself mostly wait; all others compute.
"$build/tests/kern_tests" --source-file="*cli_test_*" > "$build/tests-cli.log" 2>&1 &
cli=$!
"$build/tests/kern_tests" --source-file-exclude="*cli_test_*" > "$build/tests-other.log" 2>&1
other_status=$?
# What is for GPUs, executed on the CPU.
"$build/tests/kern_device_tests" > "$build/tests-device.log" 2>&1
device_status=$?
wait $cli
cli_status=$?

# count LOG STATUS
count() {
  line=$(grep -a '^\[doctest\] test cases:' "$1" | tail -n 1)
  number() { echo "$line" | sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1.*/\1/p"; }
  failures=$(number failed)
  if [ "$2" -ne 0 ] || [ -z "$line" ]; then
    cat "$1"
    [ "${failures:-0}" -gt 0 ] || failures=1
  fi
  passes=$(number passed)
  passed=$((passed + ${passes:-0}))
  failed=$((failed + ${failures:-0}))
}
count "$build/tests-cli.log" $cli_status
count "$build/tests-other.log" $other_status
count "$build/tests-device.log" $device_status

# Every input a fuzz target ever failed on, once more.
for target in editor folder gguf importance logits options safetensors sentencepiece session template tokenizer vocabulary; do
  log=$build/replay_$target.log
  if "$build/tests/replay_$target" "tests/data/$target/corpus" > "$log" 2>&1; then
    passed=$((passed + 1))
  else
    tail -n 20 "$log" # its last line names the input
    failed=$((failed + 1))
  fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
