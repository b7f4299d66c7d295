#include "model/importance.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "model/cursor.h"
#include "model/error.h"

namespace kern {

namespace {

constexpr std::string_view sums_suffix = ".in_sum2";
constexpr std::string_view counts_suffix = ".counts";

std::vector<float> floats_of(const Gguf& gguf, const TensorInfo& tensor) {
  if (tensor.format != Format::f32)
    throw Error(ExitCode::model, fmt::format("{}: tensor {}: found {}, expected F32 in an importance matrix",
                                             gguf.name(), tensor.name, find_format(tensor.format)->name));
  std::vector<float> values(tensor.elements());
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

} // namespace

Importance Importance::read(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse(file.bytes(), path.string());
}

Importance Importance::parse(std::span<const std::byte> bytes, std::string source) {
  Importance importance;
  importance.source_ = std::move(source);
  const bool is_gguf = bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0;
  if (is_gguf) importance.read_gguf(Gguf::parse(bytes, importance.source_));
  else importance.read_dat(bytes);
  if (importance.entries_.empty())
    throw Error(ExitCode::model, fmt::format("{}: found no entries, expected an importance matrix as `kern imatrix` or "
                                             "llama.cpp's imatrix writes it",
                                             importance.source_));
  return importance;
}

void Importance::read_gguf(const Gguf& gguf) {
  for (const TensorInfo& tensor : gguf.tensors()) {
    if (!tensor.name.ends_with(sums_suffix)) continue;
    const std::string name = tensor.name.substr(0, tensor.name.size() - sums_suffix.size());
    const TensorInfo* counts = gguf.find(name + std::string(counts_suffix));
    if (!counts || counts->elements() == 0 || tensor.elements() % counts->elements() != 0)
      throw Error(ExitCode::model, fmt::format("{}: tensor {}: found {} sums and {} counts, expected a count for each "
                                               "matrix; the file is damaged, make it again",
                                               gguf.name(), name, tensor.elements(), counts ? counts->elements() : 0));
    insert(name, floats_of(gguf, tensor), floats_of(gguf, *counts));
  }
  const Metadata& metadata = gguf.metadata();
  if (metadata.has("imatrix.datasets"))
    for (const std::string_view text : metadata.get_strings("imatrix.datasets")) datasets_.emplace_back(text);
  chunks_ = static_cast<std::uint32_t>(metadata.get_uint_or("imatrix.chunk_count", 0, UINT32_MAX));
}

/// i32 entries; each: i32 length, name, i32 chunks, i32 values, f32 values times chunks; then, in newer files, i32
/// chunks, i32 length, the text's name.
void Importance::read_dat(std::span<const std::byte> bytes) {
  Cursor cursor(bytes, source_);
  const auto count = cursor.read<std::int32_t>("the number of entries");
  if (count < 1) cursor.fail(fmt::format("found {} entries, expected at least one of an importance matrix", count));
  for (std::int32_t i = 0; i < count; ++i) {
    const auto length = cursor.read<std::int32_t>("the length of a name");
    if (length < 1 || length > 1024) cursor.fail(fmt::format("found a name of {} bytes, expected 1 to 1024", length));
    const auto name = cursor.take(static_cast<std::uint64_t>(length), "a name");
    const auto chunks = cursor.read<std::int32_t>("the number of chunks");
    const auto values = cursor.read<std::int32_t>("the number of values");
    if (values < 1) cursor.fail(fmt::format("found {} values, expected at least one", values));
    const auto data = cursor.take(static_cast<std::uint64_t>(values) * sizeof(float), "the values of an entry");
    std::vector<float> sums(static_cast<std::size_t>(values));
    std::memcpy(sums.data(), data.data(), data.size());
    const float counted = chunks > 0 ? static_cast<float>(chunks) : 1.0f;
    insert(std::string(reinterpret_cast<const char*>(name.data()), name.size()), std::move(sums), {&counted, 1});
  }
  if (cursor.left() < 8) return;
  chunks_ = static_cast<std::uint32_t>(std::max(cursor.read<std::int32_t>("the number of chunks"), 0));
  const auto length = cursor.read<std::int32_t>("the length of the text's name");
  if (length < 0) cursor.fail(fmt::format("found a name of {} bytes, expected 0 or more", length));
  const auto text = cursor.take(static_cast<std::uint64_t>(length), "the text's name");
  datasets_.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
}

void Importance::insert(std::string name, std::vector<float> sums, std::span<const float> counts) {
  const std::size_t columns = sums.size() / counts.size();
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const float count = counts[i / columns];
    sums[i] = count > 0.0f ? sums[i] / count : 1.0f;
    if (!std::isfinite(sums[i]) || sums[i] < 0.0f)
      throw Error(ExitCode::model, fmt::format("{}: entry {}: found {} for column {}, expected a finite number of at "
                                               "least 0; make the file again",
                                               source_, name, sums[i], i % columns));
  }
  entries_[std::move(name)] = std::move(sums);
}

std::span<const float> Importance::find(std::string_view tensor) const {
  const auto found = entries_.find(tensor);
  return found == entries_.end() ? std::span<const float>() : std::span<const float>(found->second);
}

std::span<const float> Importance::find(const TensorInfo& tensor) const {
  const std::span<const float> values = find(tensor.name);
  const std::uint64_t matrices = tensor.shape[2] * tensor.shape[3];
  if (!values.empty() && values.size() != tensor.columns() && values.size() != tensor.columns() * matrices)
    throw Error(ExitCode::model,
                fmt::format("{}: entry {}: found {} values, expected {} for {} columns and {} matrices; the importance "
                            "matrix is of another model",
                            source_, tensor.name, values.size(), tensor.columns() * matrices, tensor.columns(),
                            matrices));
  return values;
}

} // namespace kern
