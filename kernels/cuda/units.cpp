#include "kernels/cuda/units.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace kern::cuda {

namespace {

/// The blocks of a unit, field by field. All sizes are constants: this is what loading a model waits for.
template <class Traits, class... Fields>
void order_fields(const std::byte* blocks, std::byte* ordered, FieldList<Fields...>) {
  constexpr int count = Unit<Traits>::blocks;
  constexpr std::size_t block_bytes = sizeof(typename Traits::Block);
  std::byte* to = ordered;
  const auto copy_field = [&]<class Field>(Field) {
    for (std::size_t b = 0; b < count; ++b, to += Field::bytes)
      std::memcpy(to, blocks + b * block_bytes + Field::offset, Field::bytes);
  };
  (copy_field(Fields{}), ...);
}

/// A row's unit in order -> its pieces' places in the panel's unit.
template <class Traits> void spread_unit(const std::byte* ordered, int row, std::byte* unit) {
  constexpr std::size_t bytes = Unit<Traits>::bytes;
  const auto place = static_cast<std::size_t>(row);
  std::size_t done = 0;
  for (; done + 16 <= bytes; done += 16) std::memcpy(unit + done * panel_rows + place * 16, ordered + done, 16);
  const auto rest = [&]<std::size_t size>(std::integral_constant<std::size_t, size>) {
    if constexpr ((bytes & size) != 0) {
      std::memcpy(unit + done * panel_rows + place * size, ordered + done, size);
      done += size;
    }
  };
  rest(std::integral_constant<std::size_t, 8>{});
  rest(std::integral_constant<std::size_t, 4>{});
  rest(std::integral_constant<std::size_t, 2>{});
}

template <class Traits> void arrange_units(const std::byte* rows, std::size_t row_bytes, int count, std::byte* panel) {
  constexpr std::size_t bytes = Unit<Traits>::bytes;
  alignas(16) std::byte blocks[bytes];
  alignas(16) std::byte ordered[bytes];
  for (int row = 0; row < count; ++row) {
    const std::byte* from = rows + static_cast<std::size_t>(row) * row_bytes;
    std::byte* unit = panel;
    for (std::size_t done = 0; done < row_bytes; done += bytes, unit += Unit<Traits>::panel_bytes) {
      const std::byte* source = from + done;
      if (row_bytes - done < bytes) { // the last unit may have fewer blocks
        std::memset(blocks, 0, bytes);
        std::memcpy(blocks, source, row_bytes - done);
        source = blocks;
      }
      order_fields<Traits>(source, ordered, UnitFields<Traits>{});
      spread_unit<Traits>(ordered, row, unit);
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
