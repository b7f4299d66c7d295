// Kernels of kernels/cuda on the host, side by side with the CPU backend that they have to equal.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/kernels.h"
#include "tests/kernel_helpers.h"
#include "tests/random_blocks.h"
#if defined(KERN_ON_GPU)
#include "device_on_gpu/runtime.h"
#else
#include "device_on_host/runtime.h"
#endif

namespace kern::test {

/// Random blocks with weights of ordinary size, scales of either sign where they have one.
template <class Traits> std::vector<std::byte> random_matrix_bytes(int rows, int columns, unsigned seed) {
  RandomBits random(seed);
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows) *
                               row_bytes(Traits::id, static_cast<std::size_t>(columns)));
  auto* blocks = reinterpret_cast<typename Traits::Block*>(bytes.data());
  fill_random<Traits>(std::span(blocks, bytes.size() / sizeof *blocks), 0.05f, random);
  for (std::size_t b = 0; b < bytes.size() / sizeof *blocks; ++b)
    if constexpr (requires { blocks[b].d; })
      if (random() & 1) blocks[b].d.bits ^= 0x8000;
  return bytes;
}

/// A device, and arrays on it that live as long as the fixture.
class OnDevice {
public:
  OnDevice() : device_(cuda::open_device(0)) {}

  cuda::Device& device() { return *device_; }

  /// `values` on the device.
  template <class Value> Value* copy(const std::vector<Value>& values) {
    Value* to = array<Value>(values.size());
    device_->copy_in(values.data(), reinterpret_cast<std::byte*>(to), values.size() * sizeof(Value));
    return to;
  }
  template <class Value> Value* array(std::size_t count) {
    return reinterpret_cast<Value*>(device_->allocate(std::max<std::size_t>(count * sizeof(Value), 1)));
  }
  template <class Value> std::vector<Value> read(const Value* from, std::size_t count) {
    std::vector<Value> values(count);
    device_->copy_out(reinterpret_cast<const std::byte*>(from), values.data(), count * sizeof(Value));
    device_->synchronize();
    return values;
  }

  /// A matrix in the device's layout.
  cuda::DeviceMatrix matrix(Format format, std::span<const std::byte> bytes, int rows, int columns) {
    const std::size_t row = row_bytes(format, static_cast<std::size_t>(columns));
    const std::size_t panel = cuda::panel_bytes(format, columns);
    cuda::DeviceMatrix matrix{nullptr, rows, columns, format};
    std::vector<std::byte> panels(cuda::matrix_bytes(format, rows, columns));
    for (int p = 0; p < matrix.panels(); ++p)
      cuda::arrange_panel(format, bytes.data() + static_cast<std::size_t>(p) * cuda::panel_rows * row, row,
                          std::min(cuda::panel_rows, rows - p * cuda::panel_rows), columns,
                          panels.data() + static_cast<std::size_t>(p) * panel);
    matrix.data = copy(panels);
    return matrix;
  }
  cuda::RoundedRows rounded(int tokens, int columns, int rounding) {
    const int units = (columns + cuda::unit_columns - 1) / cuda::unit_columns;
    return {array<std::byte>(cuda::RoundedRows::bytes(tokens, units, rounding)), units, rounding};
  }

private:
  std::unique_ptr<cuda::Device> device_;
};

/// The same matrix for the CPU.
inline std::unique_ptr<Weight> bind_matrix(Backend& backend, Format format, std::span<const std::byte> bytes, int rows,
                                           int columns) {
  return backend.bind({"test", format, rows, columns, bytes}, WeightUse::matrix);
}

/// Room on the CPU backend for everything that these tests do.
inline StepLimits test_limits(int tokens, std::int64_t columns) {
  StepLimits limits;
  limits.tokens = tokens;
  limits.columns = columns;
  limits.queries_per_key = 8;
  limits.key_dim = 256;
  limits.value_dim = 256;
  return limits;
}

/// Runs `check` with the threads of a block in several orders, which must not matter.
template <class Check> void in_every_order(Check&& check) {
  for (const ThreadOrder order : {ThreadOrder::forward, ThreadOrder::backward, ThreadOrder::scattered}) {
    host_device().order = order;
    check();
  }
  host_device().order = ThreadOrder::forward;
}

} // namespace kern::test
