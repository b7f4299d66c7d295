// Units unpacked by a few instructions a word: four weights at a time stay in a register's bytes.
//
// What a codec gives is defined by the format's scalar functions in quant/; the comments there say where bits stand.
#pragma once

#include "kernels/cuda/block_codecs.h"
#include "kernels/cuda/grid_codecs.h"
#include "kernels/cuda/k_codecs.h"
