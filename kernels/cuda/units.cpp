#include "kernels/cuda/units.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace kern::cuda {

namespace {

/// Where every byte of a unit's blocks goes in the unit of row 0, and how far apart rows are there.
struct Move {
  std::uint16_t to;
  std::uint8_t row_stride;
};

template <class Traits> constexpr auto make_moves() {
  std::array<Move, static_cast<std::size_t>(Unit<Traits>::bytes)> moves{};
  constexpr int block_bytes = static_cast<int>(sizeof(typename Traits::Block));
  for (int i = 0; i < Unit<Traits>::bytes; ++i) {
    const int in_unit = byte_in_unit<Traits>(i / block_bytes, i % block_bytes);
    const int first = byte_in_panel(Unit<Traits>::bytes, 0, in_unit);
    const int second = byte_in_panel(Unit<Traits>::bytes, 1, in_unit);
    moves[static_cast<std::size_t>(i)] = {static_cast<std::uint16_t>(first), static_cast<std::uint8_t>(second - first)};
  }
  return moves;
}

/// Bytes that move as one: those whose targets follow each other.
struct Run {
  std::uint16_t from, to;
  std::uint8_t bytes, row_stride;
};

template <class Traits> std::vector<Run> make_runs() {
  constexpr auto moves = make_moves<Traits>();
  std::vector<Run> runs;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    if (!runs.empty() && moves[i].to == runs.back().to + runs.back().bytes &&
        moves[i].row_stride == runs.back().row_stride && runs.back().bytes < moves[i].row_stride)
      ++runs.back().bytes;
    else runs.push_back({static_cast<std::uint16_t>(i), moves[i].to, 1, moves[i].row_stride});
  }
  return runs;
}

template <class Traits> void arrange_units(const std::byte* rows, std::size_t row_bytes, int count, std::byte* panel) {
  static const std::vector<Run> runs = make_runs<Traits>();
  constexpr std::size_t bytes = Unit<Traits>::bytes;
  for (int row = 0; row < count; ++row) {
    const std::byte* from = rows + static_cast<std::size_t>(row) * row_bytes;
    std::byte* unit = panel;
    for (std::size_t done = 0; done < row_bytes; done += bytes, unit += Unit<Traits>::panel_bytes) {
      const std::size_t left = row_bytes - done; // the last unit may have fewer blocks
      for (const Run& run : runs)
        if (run.from < left)
          std::memcpy(unit + run.to + row * run.row_stride, from + done + run.from,
                      std::min<std::size_t>(run.bytes, left - run.from));
    }
  }
}

void arrange_floats(const std::byte* rows, std::size_t row_bytes, int count, std::size_t element, std::byte* panel) {
  const std::size_t tile_row = float_columns * element;
  for (int row = 0; row < count; ++row)
    for (std::size_t done = 0; done < row_bytes; done += tile_row)
      std::memcpy(panel + done * panel_rows + static_cast<std::size_t>(row) * tile_row,
                  rows + static_cast<std::size_t>(row) * row_bytes + done, std::min(tile_row, row_bytes - done));
}

} // namespace

std::size_t panel_bytes(Format format, std::int64_t columns) {
  std::size_t bytes = 0;
  visit_format(format, [&]<class Traits>(Traits) {
    if constexpr (Traits::is_float)
      bytes = static_cast<std::size_t>((columns + float_columns - 1) / float_columns) * float_columns * panel_rows *
              sizeof(typename Traits::Block);
    else bytes = static_cast<std::size_t>((columns + unit_columns - 1) / unit_columns) * Unit<Traits>::panel_bytes;
  });
  return bytes;
}

void arrange_panel(Format format, const std::byte* rows, std::size_t row_bytes, int count, std::int64_t columns,
                   std::byte* panel) {
  const bool partial = count < panel_rows || columns % unit_columns != 0;
  if (partial) std::memset(panel, 0, panel_bytes(format, columns));
  visit_format(format, [&]<class Traits>(Traits) {
    if constexpr (Traits::is_float) arrange_floats(rows, row_bytes, count, sizeof(typename Traits::Block), panel);
    else arrange_units<Traits>(rows, row_bytes, count, panel);
  });
}

} // namespace kern::cuda
