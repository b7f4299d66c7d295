// A cache of some sequences for tests of kernels/cuda: the same pages on the host, for the CPU backend, and on the
// device.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/device_fixture.h"

namespace kern::test {

/// Rows of a step.
struct StepRows {
  std::vector<std::int32_t> positions, sequences;

  void add(int sequence, int position) {
    positions.push_back(position);
    sequences.push_back(sequence);
  }
  int count() const { return static_cast<int>(positions.size()); }
};

/// Layer 1 of group 1 of a pool whose pages are out of order and filled with 0xFF: not numbers in f16 and f32.
class PagedCache {
public:
  PagedCache(const KvShape& shape, Format keys, Format values, int sequences, int pages_per_sequence)
      : layout_({KvShape{1, 32, 32}, shape}, keys, values), sequences_(sequences), pages_(pages_per_sequence) {
    const int pages = sequences * pages_per_sequence + 3;
    pool.resize(static_cast<std::size_t>(pages) * layout_.bytes(), std::byte{0xFF});
    tables_.resize(static_cast<std::size_t>(sequences * pages_per_sequence), -1); // group 0: nobody's
    for (int s = 0; s < sequences; ++s)
      for (int p = 0; p < pages_per_sequence; ++p) tables_.push_back(pages - 1 - s - p * sequences);
  }

  /// The layer, with its pool at `memory`.
  KvLayer layer(std::byte* memory) const { return {memory, 1, layout_.view(1)}; }
  KvLayer layer() { return layer(pool.data()); }

  StepInputs step(const StepRows& rows) const {
    StepInputs step;
    step.tokens = rows.count();
    step.sequences = sequences_;
    step.pages_per_sequence = pages_;
    step.position = rows.positions.data();
    step.sequence = rows.sequences.data();
    step.page_table = tables_.data();
    return step;
  }
  StepInputs step_on(OnDevice& on, const StepRows& rows) const {
    StepInputs step = this->step(rows);
    step.position = on.copy(rows.positions);
    step.sequence = on.copy(rows.sequences);
    step.page_table = on.copy(tables_);
    return step;
  }

  std::vector<std::byte> pool;

private:
  PageLayout layout_;
  int sequences_;
  int pages_;
  std::vector<std::int32_t> tables_; // [2][sequences][pages]
};

} // namespace kern::test
