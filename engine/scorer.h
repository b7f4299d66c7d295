// The logits after every token of a text: for measuring a model, and what passes through it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/session.h"
#include "model/forward.h"
#include "model/model.h"
#include "model/state.h"

namespace kern {

/// Runs texts one after the other, each from an empty context and in steps, so that two models can be compared row by
/// row. All memory is taken at construction; the model must outlive it.
class Scorer {
public:
  /// Texts have at most options.context tokens. Steps are shorter than options.step_tokens where the logits of all
  /// their rows would take more than 64 MiB; that changes no bit of a result.
  Scorer(const Model& model, const SessionOptions& options);

  /// Begins a text, which must live until its last step. Logits are wanted after token `first` and all behind it;
  /// `first` at the text's end or behind it: none.
  void begin(std::span<const std::int32_t> tokens, std::size_t first);

  struct Step {
    std::size_t first = 0;         // the token of the text that the first row follows
    std::span<const float> logits; // [rows][vocab_size]; none where none are wanted
  };
  /// Computes the next step; nothing where the text is at its end. Valid until the next call. Throws Error(model)
  /// saying what is wrong with the weights where logits aren't finite.
  std::optional<Step> next();

  Forward& forward() { return forward_; }

private:
  const Model& model_;
  int step_tokens_;
  State state_;
  Forward forward_;
  Batch batch_;
  std::span<const std::int32_t> text_;
  std::size_t first_ = 0;
  std::size_t done_ = 0;
  std::vector<float> logits_;
};

} // namespace kern
