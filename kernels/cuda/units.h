// How weights lie in device memory.
//
// Quantized matrices: panels of 16 rows; along a row, units of 256 weights; a row's unit is cut into pieces of 16 bytes
// (the rest of it into one of 8, 4, 2 and 1 as far as it goes), and the same piece of all 16 rows lies together:
//   [panel][unit][piece][row of 16][bytes of the piece]
// so that 16 threads, one a row, read whole lines. Rows and blocks that are missing at the end are zeros: a scale of 0.
// Formats with narrow blocks keep the codes of all blocks of a unit before the scales of all, so that codes fill
// pieces.
//
// Float matrices: panels of 16 rows by 16 columns, [panel][column / 16][row of 16][16], zeros at the end.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/formats.h"

namespace kern::cuda {

inline constexpr int panel_rows = 16;
inline constexpr int unit_columns = 256;
inline constexpr int float_columns = 16; // of a tile of a float panel

/// Bytes [offset, offset + bytes) of a block, which are kept together for all blocks of a unit.
template <int offset_, int bytes_> struct BlockField {
  static constexpr int offset = offset_;
  static constexpr int bytes = bytes_;
};

template <class... Fields> struct FieldList {
  /// Where byte `index` of a block stands among the unit's `blocks`.
  KERN_INLINE static constexpr int place(int blocks, int block, int index) {
    int begin = 0;
    int found = -1;
    ((found = index >= Fields::offset && index < Fields::offset + Fields::bytes
                  ? begin + block * Fields::bytes + index - Fields::offset
                  : found,
      begin += Fields::bytes * blocks),
     ...);
    return found;
  }
};

template <class Traits>
struct UnitFields : FieldList<BlockField<0, static_cast<int>(sizeof(typename Traits::Block))>> {};
template <> struct UnitFields<Q8_0> : FieldList<BlockField<2, 32>, BlockField<0, 2>> {};
template <> struct UnitFields<Q4_0> : FieldList<BlockField<2, 16>, BlockField<0, 2>> {};
template <> struct UnitFields<Q4_1> : FieldList<BlockField<4, 16>, BlockField<0, 4>> {};
template <> struct UnitFields<Q5_0> : FieldList<BlockField<6, 16>, BlockField<2, 4>, BlockField<0, 2>> {};
template <> struct UnitFields<Q5_1> : FieldList<BlockField<8, 16>, BlockField<4, 4>, BlockField<0, 4>> {};
template <> struct UnitFields<IQ4_NL> : FieldList<BlockField<2, 16>, BlockField<0, 2>> {};
template <> struct UnitFields<MXFP4> : FieldList<BlockField<1, 16>, BlockField<0, 1>> {};
template <> struct UnitFields<NVFP4> : FieldList<BlockField<4, 32>, BlockField<0, 4>> {};
template <> struct UnitFields<Q1_0> : FieldList<BlockField<2, 16>, BlockField<0, 2>> {};
template <> struct UnitFields<Q2_0> : FieldList<BlockField<2, 16>, BlockField<0, 2>> {};
// A block is a unit; its scale goes behind the rest, so that words are whole, or codes fill pieces.
template <> struct UnitFields<IQ4_XS> : FieldList<BlockField<8, 128>, BlockField<0, 8>> {};
template <> struct UnitFields<IQ1_S> : FieldList<BlockField<2, 48>, BlockField<0, 2>> {};
template <> struct UnitFields<IQ2_XXS> : FieldList<BlockField<2, 64>, BlockField<0, 2>> {};
template <> struct UnitFields<IQ2_XS> : FieldList<BlockField<2, 72>, BlockField<0, 2>> {};
template <> struct UnitFields<IQ2_S> : FieldList<BlockField<2, 80>, BlockField<0, 2>> {};
template <> struct UnitFields<IQ3_XXS> : FieldList<BlockField<2, 96>, BlockField<0, 2>> {};
template <> struct UnitFields<IQ3_S> : FieldList<BlockField<2, 108>, BlockField<0, 2>> {};

template <class Traits> struct Unit {
  static_assert(!Traits::is_float && unit_columns % Traits::width == 0);
  using Block = typename Traits::Block;
  static constexpr int blocks = unit_columns / Traits::width;
  static constexpr int bytes = blocks * static_cast<int>(sizeof(Block));
  static constexpr int panel_bytes = bytes * panel_rows;
  static constexpr int whole_pieces = bytes / 16;

  /// Activations that share a scale with a product of this format.
  static constexpr int rounding = Traits::width == 256 ? 256 : 32;
  static constexpr int roundings = unit_columns / rounding;
  static constexpr int groups = unit_columns / Traits::group;
  static constexpr int groups_of_rounding = rounding / Traits::group;
};

/// Where byte `index` of a row's unit stands in the panel's unit; `bytes` is the unit's size.
KERN_INLINE constexpr int byte_in_panel(int bytes, int row, int index) {
  int begin = 0; // of the piece, in the row's unit
  int size = 16;
  while (index >= begin + size || begin + size > bytes) {
    if (begin + size <= bytes) begin += size;
    else size /= 2;
  }
  return begin * panel_rows + row * size + (index - begin);
}

/// Where byte `index` of a block stands in its row's unit.
template <class Traits> KERN_INLINE constexpr int byte_in_unit(int block, int index) {
  return UnitFields<Traits>::place(Unit<Traits>::blocks, block, index);
}

/// A matrix on the device.
struct DeviceMatrix {
  const std::byte* data = nullptr;
  std::int64_t rows = 0;
  int columns = 0;
  Format format{};

  KERN_INLINE std::int64_t panels() const { return (rows + panel_rows - 1) / panel_rows; }
  KERN_INLINE int units() const { return (columns + unit_columns - 1) / unit_columns; }
  KERN_INLINE int float_tiles() const { return (columns + float_columns - 1) / float_columns; }
};

/// Bytes of 16 rows.
std::size_t panel_bytes(Format format, std::int64_t columns);
inline std::size_t matrix_bytes(Format format, std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>((rows + panel_rows - 1) / panel_rows) * panel_bytes(format, columns);
}
/// Up to 16 rows of a file, `row_bytes` apart, -> one panel [panel_bytes].
void arrange_panel(Format format, const std::byte* rows, std::size_t row_bytes, int count, std::int64_t columns,
                   std::byte* panel);

} // namespace kern::cuda
