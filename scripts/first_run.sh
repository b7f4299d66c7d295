#!/bin/sh
# Streams an answer from a freshly built kern. Usage: first_run.sh BUILD_FOLDER
set -eu
build=$1
echo "kern is built: $build/kern" >&2
exec "$build/kern" run --no-stdin "Tell me a story about a fox."
