#include "model/scratch.h"

#include <algorithm>

namespace kern {

void Batch::reserve(std::size_t count) {
  for (auto* values : {&tokens, &positions, &sequences, &logit_rows}) values->reserve(count);
}

void Batch::clear() {
  tokens.clear();
  positions.clear();
  sequences.clear();
  logit_rows.clear();
}

void Batch::add(std::int32_t token, int position, int sequence, bool wants_logits) {
  if (wants_logits) logit_rows.push_back(static_cast<std::int32_t>(tokens.size()));
  tokens.push_back(token);
  positions.push_back(position);
  sequences.push_back(sequence);
}

namespace {

/// Columns of every scratch buffer: the most any layer needs.
struct Widths {
  int dim = 0, query = 0, key = 0, value = 0, mixed = 0, hidden = 0, rope = 0, vocab = 0;

  explicit Widths(const ModelSpec& spec) : dim(spec.dim), vocab(spec.vocab_size) {
    for (const LayerSpec& layer : spec.layers) {
      const Attention& attention = std::get<Attention>(layer.mixer);
      query = std::max(query, attention.query_size());
      key = std::max(key, attention.key_size());
      value = std::max(value, attention.value_size());
      mixed = std::max(mixed, attention.output_size());
      hidden = std::max(hidden, std::get<DenseFfn>(layer.ffn).hidden_dim);
    }
    for (const RopeSpec& r : spec.ropes) rope = std::max(rope, r.dims);
  }

  /// Floats for each token of a step: x, normed, scratch; q, k, v, mixed; gate, up; a table for each rotation.
  std::uint64_t per_token(std::size_t ropes) const {
    return 3 * static_cast<std::uint64_t>(dim) + static_cast<std::uint64_t>(query) + static_cast<std::uint64_t>(key) +
           static_cast<std::uint64_t>(value) + static_cast<std::uint64_t>(mixed) +
           2 * static_cast<std::uint64_t>(hidden) + static_cast<std::uint64_t>(rope) * ropes;
  }
};

std::uint64_t input_count(const StateOptions& state, int groups, const ForwardLimits& limits) {
  const auto pages = static_cast<std::uint64_t>((state.context + page_positions - 1) / page_positions);
  return 3 * static_cast<std::uint64_t>(limits.tokens) + static_cast<std::uint64_t>(limits.logits) +
         static_cast<std::uint64_t>(groups) * static_cast<std::uint64_t>(state.sequences) * pages;
}

} // namespace

std::uint64_t forward_scratch_bytes(const ModelSpec& spec, const StateOptions& state, int groups,
                                    const ForwardLimits& limits) {
  const Widths widths(spec);
  const std::uint64_t logits =
      static_cast<std::uint64_t>(limits.logits) * static_cast<std::uint64_t>(widths.dim + widths.dim + widths.vocab);
  return (static_cast<std::uint64_t>(limits.tokens) * widths.per_token(spec.ropes.size()) + logits) * sizeof(float) +
         input_count(state, groups, limits) * sizeof(std::int32_t);
}

StepLimits step_limits(const ModelSpec& spec, const ForwardLimits& limits, int context) {
  StepLimits step;
  step.tokens = std::max(limits.tokens, limits.logits);
  step.columns = spec.dim;
  step.vocab_size = spec.vocab_size;
  step.pages = (context + page_positions - 1) / page_positions;
  for (const LayerSpec& layer : spec.layers) {
    const Attention& attention = std::get<Attention>(layer.mixer);
    step.columns =
        std::max<std::int64_t>({step.columns, attention.output_size(), std::get<DenseFfn>(layer.ffn).hidden_dim});
    step.queries_per_key = std::max(step.queries_per_key, attention.heads / attention.kv_heads);
    step.heads = std::max(step.heads, attention.heads);
    step.key_dim = std::max(step.key_dim, attention.key_dim);
    step.value_dim = std::max(step.value_dim, attention.value_dim);
  }
  return step;
}

Scratch::Scratch(Backend& b, const ModelSpec& spec, const State& state, const ForwardLimits& limits)
    : backend(b), buffer_(b.allocate(forward_scratch_bytes(spec, state.options(), state.groups(), limits))) {
  const Widths widths(spec);
  auto* next = reinterpret_cast<float*>(buffer_->data());
  const auto take = [&](int rows, int columns) {
    const Rows taken{next, rows, columns};
    next += taken.elements();
    return taken;
  };
  x = take(limits.tokens, widths.dim);
  normed = take(limits.tokens, widths.dim);
  product = take(limits.tokens, widths.dim);
  q = take(limits.tokens, widths.query);
  k = take(limits.tokens, widths.key);
  v = take(limits.tokens, widths.value);
  mixed = take(limits.tokens, widths.mixed);
  gate = take(limits.tokens, widths.hidden);
  up = take(limits.tokens, widths.hidden);
  for (const RopeSpec& rope : spec.ropes) {
    rope_tables.push_back(take(limits.tokens, widths.rope));
    rope_tables.back().columns = rope.dims;
  }
  wanted = take(limits.logits, widths.dim);
  wanted_normed = take(limits.logits, widths.dim);
  logits = take(limits.logits, widths.vocab);
  inputs_ = reinterpret_cast<std::int32_t*>(next);
  host_inputs_.reserve(input_count(state.options(), state.groups(), limits));
  backend.reserve(step_limits(spec, limits, state.options().context));
}

void Scratch::load(const Batch& batch, const State& state) {
  host_inputs_.clear();
  const auto put = [&](const std::vector<std::int32_t>& values) {
    const std::int32_t* at = inputs_ + host_inputs_.size();
    host_inputs_.insert(host_inputs_.end(), values.begin(), values.end());
    return at;
  };
  step.prompt = batch.prompt;
  step.tokens = static_cast<int>(batch.tokens.size());
  step.logits = static_cast<int>(batch.logit_rows.size());
  step.sequences = state.options().sequences;
  step.pages_per_sequence = state.pages_per_sequence();
  step.page_table = put(state.page_tables());
  step.token = put(batch.tokens);
  step.position = put(batch.positions);
  step.sequence = put(batch.sequences);
  step.logit_row = put(batch.logit_rows);
  backend.upload(host_inputs_.data(), inputs_, host_inputs_.size() * sizeof(std::int32_t));
}

} // namespace kern
