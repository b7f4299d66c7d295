// Runs a grid of blocks on the CPU, one block after the other, its threads as fibers of this thread.
#pragma once

#include <cstddef>
#include <functional>

#include "kernels/cuda/runtime.h"

namespace kern::test {

/// In which order threads of a block get their turn: a warp after the other, each as far as it gets, or all mixed up. A
/// kernel that misses a barrier gives different results in different orders. Copies in the background are made at once
/// in the first order, in the others as late as they may be.
enum class ThreadOrder { forward, backward, scattered };

/// Runs `kernel` in every thread. Shared memory (filled with bytes 0xFF before each block, so that what was never
/// written is not a number) is followed by a guard that must stay as it is. Throws std::logic_error where threads wait
/// at different barriers or forever, a block writes past its shared memory, or a thread ends before its copies in the
/// background have come or makes them from or to what isn't aligned.
void run_grid(cuda::Grid grid, unsigned threads, std::size_t shared_bytes, ThreadOrder order,
              const std::function<void()>& kernel);

} // namespace kern::test
