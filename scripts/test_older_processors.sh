#!/bin/sh
# Runs kern as older x86-64 processors would, under qemu: with AVX2 but no AVX-512, and with neither. An answer and a
# quantized file must be those of this machine, byte for byte. Says so and ends well where qemu isn't installed.
# Usage: test_older_processors.sh BUILD_FOLDER
set -eu
kern=$1/kern
demo=$(dirname "$0")/../demo/demo.gguf
[ "$(uname -m)" = x86_64 ] || { echo "test_older_processors.sh: skipped, this is no x86-64 processor"; exit 0; }
command -v qemu-x86_64 > /dev/null 2>&1 || { echo "test_older_processors.sh: skipped, qemu-x86_64 is not installed"; exit 0; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# results NAME COMMAND...: what kern, run by COMMAND, answers and writes
results() {
  name=$1
  shift
  "$@" run -q -m "$demo" --temp 0 -n 16 "Tell me a story." > "$folder/$name.txt" &&
    "$@" quantize -q --allow-requantize "$demo" "$folder/$name.gguf" Q4_K
}
results native "$kern"
status=0
for processor in Haswell Nehalem; do
  if results $processor qemu-x86_64 -cpu $processor "$kern" 2> "$folder/errors" &&
    cmp "$folder/native.txt" "$folder/$processor.txt" && cmp "$folder/native.gguf" "$folder/$processor.gguf"; then
    echo "x86-64, $processor: the same answer and file"
  else
    echo "x86-64, $processor: kern fails or gives something else" >&2
    cat "$folder/errors" >&2
    status=1
  fi
done
exit $status
