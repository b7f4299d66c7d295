// Up to three matrices that one launch multiplies, as a list of panels, and what becomes of their results.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"

namespace kern::cuda {

/// A panel in its place in the list. With Epilogue::activate panels of gate (part 0) and up (part 1) take turns, so
/// that a pair of slots has both results of a row; otherwise parts follow each other.
struct PanelPlace {
  int part = 0;
  std::int64_t panel = 0;
};

struct PanelList {
  struct Part {
    const std::byte* weights;
    const float* bias;
    float* out;        // [tokens][rows]
    std::int64_t rows; // of this part
  };
  Part parts[most_parts];
  int first_slot[most_parts]; // where parts follow each other
  int part_count;
  int slots;
  Epilogue epilogue;

  static PanelList make(std::span<const ProductPart> parts, Epilogue epilogue) {
    PanelList list{};
    list.part_count = static_cast<int>(parts.size());
    list.epilogue = epilogue;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      list.parts[i] = {parts[i].weight.data, parts[i].bias, parts[i].out, parts[i].weight.rows};
      list.first_slot[i] = list.slots;
      list.slots += static_cast<int>(parts[i].weight.panels());
    }
    return list;
  }

  KERN_DEVICE PanelPlace place(int slot) const {
    if (epilogue == Epilogue::activate) return {slot % 2, slot / 2};
    int part = 0;
    if (part_count > 1 && slot >= first_slot[1]) part = 1;
    if (part_count > 2 && slot >= first_slot[2]) part = 2;
    return {part, slot - first_slot[part]};
  }
  /// The same for slots that a block has too many: the last one again.
  KERN_DEVICE PanelPlace place_within(int slot) const { return place(slot < slots ? slot : slots - 1); }
};

/// For store and add. `slot` may lie behind the list, and its panel's last rows behind the matrix.
KERN_DEVICE void store_result(const PanelList& list, int slot, int row_of_panel, int token, float result) {
  if (slot >= list.slots) return;
  const PanelPlace at = list.place(slot);
  const PanelList::Part& part = list.parts[at.part];
  const std::int64_t row = at.panel * panel_rows + row_of_panel;
  if (row >= part.rows) return;
  if (part.bias) result += part.bias[row];
  float& out = part.out[token * part.rows + row];
  out = list.epilogue == Epilogue::add ? out + result : result;
}

/// For activate; `slot` is the gate's, an even one.
KERN_DEVICE void store_activated(const PanelList& list, int slot, int row_of_panel, int token, float gate, float up) {
  if (slot >= list.slots) return;
  const std::int64_t row = slot / 2 * panel_rows + row_of_panel;
  if (row >= list.parts[0].rows) return;
  if (list.parts[0].bias) gate += list.parts[0].bias[row];
  if (list.parts[1].bias) up += list.parts[1].bias[row];
  list.parts[0].out[token * list.parts[0].rows + row] = silu_f32(gate) * up;
}

} // namespace kern::cuda
