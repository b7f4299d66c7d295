#!/bin/sh
# Streams an answer from a freshly built kern. Usage: first_run.sh BUILD_FOLDER
set -eu
build=$1
echo "kern is built: $build/kern" >&2
if [ -n "${KERN_MODEL:-}" ]; then
  echo "answering with \$KERN_MODEL, $KERN_MODEL" >&2
  exec "$build/kern" run --no-stdin "Tell me a short story about a fox."
fi
echo "There is no trained demo model yet: this is a tiny one that the build wrote, with one fixed answer." >&2
exec "$build/kern" run --no-stdin -m "$build/tiny.gguf" "Hello! Who are you?"
