// How a position becomes an address in a page of the KV cache. This is the only place that knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quant/format_id.h"
#include "quant/half.h"

namespace kern {

/// Positions a page holds; also the length of the key chunks that attention reduces on their own.
inline constexpr int page_positions = 64;

/// Dimensions of a head that share a scale in a quantized cache.
inline constexpr int cache_block = 32;

/// What one attention layer keeps of a position.
struct KvShape {
  int heads = 0;     // KV heads
  int key_dim = 0;   // per head
  int value_dim = 0; // per head
};

/// Where one layer's keys and values stand in every page of its group; plain data, so that device code can hold it.
struct KvView {
  KvShape shape;
  Format key_format = Format::f16;
  Format value_format = Format::f16;
  std::size_t page_bytes = 0;   // from one page of the pool to the next
  std::size_t keys = 0;         // offset in the page of head 0's keys
  std::size_t values = 0;       // offset in the page of head 0's values
  std::size_t key_stride = 0;   // bytes of one head's keys
  std::size_t value_stride = 0; // bytes of one head's values

  /// Heads [first, first + count) only.
  KvView heads(int first, int count) const {
    KvView part = *this;
    part.shape.heads = count;
    part.keys += static_cast<std::size_t>(first) * key_stride;
    part.values += static_cast<std::size_t>(first) * value_stride;
    return part;
  }
};

/// A page of one layer group: for each layer, first the keys then the values of all heads.
///   keys   [layer][head][key_dim][64]    lane = position, so that scores of 64 keys build up without horizontal sums
///   values [layer][head][64][value_dim]  lane = dimension, so that weighted values do
/// f32 and f16: elements. q8_0 and q4_0: in blocks of 32 dimensions of one position, first the codes of the head, then
/// its scales as f16, keys [key_dim / 32][64], values [64][value_dim / 32]. A byte of q4_0 holds dimension i of a block
/// in its low and i + 16 in its high half: keys [key_dim / 32][16][64], values [64][value_dim / 32][16].
class PageLayout {
public:
  PageLayout() = default;
  PageLayout(const std::vector<KvShape>& layers, Format key_format, Format value_format) {
    for (const KvShape& shape : layers) {
      KvView view;
      view.shape = shape;
      view.key_format = key_format;
      view.value_format = value_format;
      view.key_stride = vector_bytes(key_format, shape.key_dim) * page_positions;
      view.value_stride = vector_bytes(value_format, shape.value_dim) * page_positions;
      view.keys = bytes_;
      view.values = view.keys + static_cast<std::size_t>(shape.heads) * view.key_stride;
      bytes_ = view.values + static_cast<std::size_t>(shape.heads) * view.value_stride;
      views_.push_back(view);
    }
    for (KvView& view : views_) view.page_bytes = bytes_;
  }

  /// Bytes of a page, all layers together.
  std::size_t bytes() const { return bytes_; }
  /// `layer` counts within the group.
  const KvView& view(int layer) const { return views_[static_cast<std::size_t>(layer)]; }

  /// Whether a cache can hold vectors of `dim` numbers in a format.
  static constexpr bool holds(Format format, int dim) {
    if (format == Format::f32 || format == Format::f16) return true;
    return (format == Format::q8_0 || format == Format::q4_0) && dim % cache_block == 0;
  }
  /// Bytes of one position's vector.
  static constexpr std::size_t vector_bytes(Format format, int dim) {
    const auto size = static_cast<std::size_t>(dim);
    if (format == Format::f32) return size * 4;
    if (format == Format::f16) return size * 2;
    return (format == Format::q8_0 ? size : size / 2) + size / cache_block * sizeof(Half);
  }

private:
  std::vector<KvView> views_;
  std::size_t bytes_ = 0;
};

/// Element index of a number within keys [dims][64] and values [64][dims] of a head.
KERN_INLINE int key_index(int dim, int slot) { return dim * page_positions + slot; }
KERN_INLINE int value_index(int slot, int dim, int dims) { return slot * dims + dim; }
/// Which entry of a sequence's page table holds a position, and where in the page it stands.
KERN_INLINE int page_of(int position) { return position / page_positions; }
KERN_INLINE int slot_of(int position) { return position % page_positions; }

} // namespace kern
