#!/bin/sh
# Prints the compute capabilities of the GPUs at hand as CMake names architectures, "90a-real;86-real"; nothing where
# there is no GPU or no nvcc to build for one.
command -v nvcc > /dev/null 2>&1 || [ -x /usr/local/cuda/bin/nvcc ] || exit 0
command -v nvidia-smi > /dev/null 2>&1 || exit 0
nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | tr -d '. ' | sort -u |
  sed -n 's/^90$/90a/; s/^\([0-9][0-9]*a\{0,1\}\)$/\1-real/p' | paste -s -d ';' -
