#!/bin/sh
# Prefill and decode as a Markdown table on standard output: formats by shapes by instruction sets, each with the limit
# that binds it. Usage: bench.sh BUILD_FOLDER [MODEL.gguf]
#   MODEL.gguf       that file only; otherwise models with random weights, which are written to $TMPDIR and removed
#   BENCH_FORMATS, BENCH_SHAPES, BENCH_CPUS    what to go through; kern_random_model knows formats and shapes
#   BENCH_FLAGS      for kern bench
#   BENCH_SECONDS    no measurement begins after that many
set -eu
build=$1
model=${2:-}
shapes=${BENCH_SHAPES:-tinyllama-1.1b}
formats=${BENCH_FORMATS:-Q4_0 Q4_K Q8_0 Q6_K IQ4_XS MXFP4 F16}
flags=${BENCH_FLAGS:--p 512 -n 32 -r 3}
seconds=${BENCH_SECONDS:-1200}
begin=$(date +%s)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
head=1

time_is_up() {
  [ $(($(date +%s) - begin)) -ge "$seconds" ] || return 1
  echo "bench.sh: left out $*, BENCH_SECONDS=$seconds are over" >&2
}

# Instruction sets of $BENCH_CPUS that run here.
case $(uname -m) in
  aarch64 | arm64) own="portable neon i8mm" ;;
  *) own="avx2 avxvnni avx512 amx" ;;
esac
cpus=
for cpu in ${BENCH_CPUS:-$own}; do
  if problem=$(KERN_CPU=$cpu "$build/kern" info -q --plan 2>&1 > /dev/null); then cpus="$cpus $cpu"
  else echo "bench.sh: left out $cpu: $problem" >&2
  fi
done

# Rows of one file. measure FILE SHAPE FORMAT
measure() {
  for cpu in $cpus; do
    time_is_up "$2 $3 $cpu" && continue
    # shellcheck disable=SC2086
    KERN_CPU=$cpu "$build/kern" bench -q -m "$1" $flags > "$folder/table"
    awk -v row="| $(printf '%-14s | %-7s | %-8s' "$2" "$3" "$cpu") " -v cpu="$cpu" -v head=$head '
      /^limits/ { print cpu " " $0 > "/dev/stderr" }
      /^\| test / { if (head) printf "| %-14s | %-7s | %-8s %s\n", "shape", "format", "KERN_CPU", $0 }
      /^\| ---/ { if (head) print "| -------------- | ------- | -------- " $0 }
      /^\| (pp|tg)/ { print row $0 }' "$folder/table"
    head=0
  done
}

if [ -n "$model" ]; then
  measure "$model" "$(basename "$model" .gguf)" file
  exit
fi
for shape in $shapes; do
  for format in $formats; do
    time_is_up "$shape $format" && continue
    "$build/tests/kern_random_model" "$shape" "$format" "$folder/model.gguf"
    measure "$folder/model.gguf" "$shape" "$format"
  done
done
