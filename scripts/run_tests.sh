#!/bin/sh
# Runs all tests of a build and closes with a line "N passed, N failed". Usage: run_tests.sh BUILD_FOLDER
set -u
build=$1
passed=0
failed=0

# doctest's own summary says how many test cases there were; a crash leaves none.
log=$build/tests.log
"$build/tests/kern_tests" > "$log" 2>&1
status=$?
line=$(grep -a '^\[doctest\] test cases:' "$log" | tail -n 1)
number() { echo "$line" | sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1.*/\1/p"; }
if [ -n "$line" ]; then
  passed=$(number passed)
  failed=$(number failed)
fi
if [ "$status" -ne 0 ] || [ -z "$line" ]; then
  cat "$log"
  [ "$failed" -gt 0 ] || failed=1
fi

# Every input a fuzz target ever failed on, once more.
for target in editor gguf options session template tokenizer vocabulary; do
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
