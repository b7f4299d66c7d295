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

/// A row of a part: where its results go, and its bias.
struct ResultRow {
  float* out = nullptr;  // of the first token; null: a row behind the matrix, or of a slot behind the list
  std::int64_t rows = 0; // from one token's to the next one's
  float bias = 0.0f;
  bool biased = false;

  KERN_DEVICE ResultRow(const PanelList& list, int slot, int row_of_panel) {
    if (slot >= list.slots) return;
    const PanelPlace at = list.place(slot);
    const PanelList::Part& part = list.parts[at.part];
    const std::int64_t row = at.panel * panel_rows + row_of_panel;
    if (row >= part.rows) return;
    out = part.out + row;
    rows = part.rows;
    biased = part.bias != nullptr;
    if (biased) bias = part.bias[row];
  }
  KERN_DEVICE float with_bias(float result) const { return biased ? result + bias : result; }

  /// For store and add.
  KERN_DEVICE void store(Epilogue epilogue, int token, float result) const {
    if (!out) return;
    float& to = out[token * rows];
    to = epilogue == Epilogue::add ? to + with_bias(result) : with_bias(result);
  }
  /// For activate; this is the gate's, from an even slot, `up` of the slot behind it.
  KERN_DEVICE void store_activated(const ResultRow& up, int token, float gate_result, float up_result) const {
    if (out) out[token * rows] = silu_f32(with_bias(gate_result)) * up.with_bias(up_result);
  }
};

/// What two rows make of their results: those of neighbouring slots.
struct ResultRows {
  ResultRow first, second;
  Epilogue epilogue;

  KERN_DEVICE ResultRows(const PanelList& list, int slot, int row_of_panel)
      : first(list, slot, row_of_panel), second(list, slot + 1, row_of_panel), epilogue(list.epilogue) {}

  KERN_DEVICE void store(int token, float of_first, float of_second) const {
    if (epilogue == Epilogue::activate) {
      first.store_activated(second, token, of_first, of_second);
    } else {
      first.store(epilogue, token, of_first);
      second.store(epilogue, token, of_second);
    }
  }
};

/// One result, for store and add; and one of gate and up, for activate.
KERN_DEVICE void store_result(const PanelList& list, int slot, int row_of_panel, int token, float result) {
  ResultRow(list, slot, row_of_panel).store(list.epilogue, token, result);
}
KERN_DEVICE void store_activated(const PanelList& list, int slot, int row_of_panel, int token, float gate, float up) {
  ResultRows(list, slot, row_of_panel).store(token, gate, up);
}

} // namespace kern::cuda
