#!/bin/sh
# Runs all tests of a build and closes with a line "N passed, N failed". Usage: run_tests.sh BUILD_FOLDER
set -u
build=$1
log=$build/tests.log
"$build/tests/kern_tests" > "$log" 2>&1
status=$?
# doctest's own summary says how many test cases there were; a crash leaves none.
line=$(grep -a '^\[doctest\] test cases:' "$log" | tail -n 1)
number() { echo "$line" | sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1.*/\1/p"; }
passed=$(number passed)
failed=$(number failed)
if [ "$status" -ne 0 ] || [ -z "$line" ]; then
  cat "$log"
  [ -n "$line" ] || failed=1
  [ "${failed:-0}" -gt 0 ] || failed=1
fi
grep -a 'skipped:' "$log" || true
echo "${passed:-0} passed, ${failed:-0} failed"
[ "${failed:-0}" -eq 0 ] && [ "${passed:-0}" -gt 0 ]
