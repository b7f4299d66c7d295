#include "engine/importance_collector.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "model/error.h"
#include "model/gguf_writer.h"

namespace kern {

namespace {

constexpr std::size_t inputs_of_a_layer = 4;

std::size_t input_of(TapPoint point) {
  switch (point) {
  case TapPoint::mixer_input: return 0;
  case TapPoint::mixer_output: return 1;
  case TapPoint::ffn_input: return 2;
  case TapPoint::ffn_hidden: return 3;
  case TapPoint::layer_output: break;
  }
  return inputs_of_a_layer;
}

constexpr const char* matrices_of_input[inputs_of_a_layer][3] = {
    {"attn_q", "attn_k", "attn_v"}, {"attn_output"}, {"ffn_gate", "ffn_up"}, {"ffn_down"}};

std::string sums_name(const std::string& tensor) { return tensor + ".in_sum2"; }
std::string counts_name(const std::string& tensor) { return tensor + ".counts"; }

std::span<const std::byte> bytes_of(const std::vector<float>& values) { return std::as_bytes(std::span(values)); }

/// The floats of a tensor of `count`.
std::vector<float> read_floats(const Gguf& gguf, const std::string& name, std::size_t count) {
  const TensorInfo* tensor = gguf.find(name);
  if (!tensor || tensor->format != Format::f32 || tensor->elements() != count)
    throw Error(ExitCode::model,
                fmt::format("{}: tensor {}: found {}, expected {} F32 numbers; the file is of another "
                            "model or damaged, begin anew without --resume",
                            gguf.name(), name, tensor ? fmt::format("{} numbers", tensor->elements()) : "none", count));
  std::vector<float> values(count);
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

} // namespace

ImportanceCollector::ImportanceCollector(const ModelSpec& spec) {
  for (std::size_t layer = 0; layer < spec.layers.size(); ++layer) {
    const auto& attention = std::get<Attention>(spec.layers[layer].mixer);
    const auto& ffn = std::get<DenseFfn>(spec.layers[layer].ffn);
    const int columns[inputs_of_a_layer] = {spec.dim, attention.output_size(), spec.dim, ffn.hidden_dim};
    for (std::size_t input = 0; input < inputs_of_a_layer; ++input) {
      Entry entry;
      for (const char* name : matrices_of_input[input])
        if (name) entry.tensors.push_back(fmt::format("blk.{}.{}.weight", layer, name));
      entry.chunk.resize(static_cast<std::size_t>(columns[input]));
      entry.sums.resize(entry.chunk.size());
      entries_.push_back(std::move(entry));
    }
  }
}

void ImportanceCollector::activation(TapPoint point, int layer, Backend& backend, Rows rows) {
  const std::size_t input = input_of(point);
  if (input == inputs_of_a_layer) return;
  Entry& entry = entries_[static_cast<std::size_t>(layer) * inputs_of_a_layer + input];
  rows_.resize(std::max(rows_.size(), rows.elements()));
  backend.read(rows.data, rows_.data(), rows.elements() * sizeof(float));
  const std::size_t columns = entry.chunk.size();
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows.rows); ++row)
    for (std::size_t i = 0; i < columns; ++i) {
      const auto value = static_cast<double>(rows_[row * columns + i]);
      entry.chunk[i] += value * value;
    }
  entry.chunk_rows += rows.rows;
}

void ImportanceCollector::finish_chunk() {
  for (Entry& entry : entries_) {
    for (std::size_t i = 0; i < entry.sums.size(); ++i) {
      entry.sums[i] += static_cast<float>(entry.chunk[i]);
      if (!std::isfinite(entry.sums[i]))
        throw Error(ExitCode::model,
                    fmt::format("{}: found a sum of {} for column {}, expected a finite number; the model is damaged, "
                                "fetch or convert it again",
                                entry.tensors[0], entry.sums[i], i));
    }
    entry.rows += static_cast<float>(entry.chunk_rows);
    std::ranges::fill(entry.chunk, 0.0);
    entry.chunk_rows = 0.0;
  }
  ++chunks_;
}

void ImportanceCollector::write(const std::filesystem::path& path, const ImportanceText& text) const {
  GgufWriter writer;
  writer.add("general.type", "imatrix");
  writer.add("imatrix.datasets", std::vector<std::string>{text.name});
  writer.add("imatrix.chunk_count", chunks_);
  writer.add("imatrix.chunk_size", text.chunk_tokens);
  for (const Entry& entry : entries_)
    for (const std::string& tensor : entry.tensors) {
      writer.add_tensor(sums_name(tensor), Format::f32, {entry.sums.size(), 1}, bytes_of(entry.sums));
      writer.add_tensor(counts_name(tensor), Format::f32, {1, 1}, std::as_bytes(std::span(&entry.rows, 1)));
    }
  writer.write(path);
}

void ImportanceCollector::restore(const Gguf& gguf, const ImportanceText& text) {
  const Metadata& metadata = gguf.metadata();
  const auto names =
      metadata.has("imatrix.datasets") ? metadata.get_strings("imatrix.datasets") : std::vector<std::string_view>();
  if (names.size() != 1 || names[0] != text.name)
    metadata.fail("imatrix.datasets",
                  fmt::format("found '{}', expected '{}'; give the same text, or begin anew without --resume",
                              fmt::join(names, "', '"), text.name));
  const std::uint64_t tokens = metadata.get_uint_or("imatrix.chunk_size", 0, UINT32_MAX);
  if (tokens != text.chunk_tokens)
    metadata.fail("imatrix.chunk_size", fmt::format("found {}, expected {}; give -c {}, or begin anew without --resume",
                                                    tokens, text.chunk_tokens, tokens));
  for (Entry& entry : entries_)
    for (const std::string& tensor : entry.tensors) {
      entry.sums = read_floats(gguf, sums_name(tensor), entry.sums.size());
      entry.rows = read_floats(gguf, counts_name(tensor), 1)[0];
    }
  chunks_ = static_cast<std::uint32_t>(metadata.get_uint("imatrix.chunk_count", UINT32_MAX));
}

} // namespace kern
