#include "convert/folder_model.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "convert/architecture.h"
#include "convert/checkpoint.h"
#include "convert/json_reader.h"
#include "convert/model_card.h"
#include "convert/model_name.h"
#include "convert/packed_rows.h"
#include "convert/quantization.h"
#include "convert/stored_rows.h"
#include "convert/vocabulary.h"
#include "kernels/cpu/memory.h"
#include "model/error.h"
#include "model/gguf_writer.h"

namespace kern {

namespace fs = std::filesystem;

namespace {

/// Samplings that a model's makers recommend: keys of generation_config.json and of GGUF files.
struct SamplingKey {
  const char* theirs;
  const char* ours;
  bool whole;
};
constexpr SamplingKey sampling_keys[] = {
    {"top_k", "top_k", true},
    {"top_p", "top_p", false},
    {"min_p", "min_p", false},
    {"xtc_probability", "xtc_probability", false},
    {"xtc_threshold", "xtc_threshold", false},
    {"temperature", "temp", false},
    {"penalty_last_n", "penalty_last_n", true},
    {"repetition_penalty", "penalty_repeat", false},
    {"penalty_repeat", "penalty_repeat", false},
    {"mirostat", "mirostat", true},
    {"mirostat_tau", "mirostat_tau", false},
    {"mirostat_eta", "mirostat_eta", false},
};

void set_sampling(const fs::path& folder, Keys& keys, std::vector<std::string>& warnings) {
  std::error_code ignored;
  if (!fs::is_regular_file(folder / "generation_config.json", ignored)) return;
  try {
    const JsonFile file(folder / "generation_config.json");
    for (const auto& [theirs, ours, whole] : sampling_keys) {
      const std::string key = std::string("general.sampling.") + ours;
      if (whole) {
        if (const auto value = file.top().uint(theirs, INT32_MAX)) keys.set(key, static_cast<std::int32_t>(*value));
      } else if (const auto value = file.top().number(theirs)) {
        keys.set(key, static_cast<float>(*value));
      }
    }
  } catch (const Error& error) {
    // It only recommends, and many are written by hand.
    warnings.push_back(fmt::format("{}; its recommendations are left out", error.what()));
  }
}

std::string folder_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

} // namespace

struct FolderModel::Parts {
  fs::path folder;
  ModelConfig config;
  Keys keys;
  ModelNames names;
  Checkpoint checkpoint;
  Quantization quantization;
  bool keep_exact = true;
  std::uint64_t weights = 0;

  std::vector<TensorInfo> tensors;
  std::vector<std::unique_ptr<RowReader>> readers;
  std::vector<std::byte> header; // what the metadata points to
  Gguf metadata;

  void add_vector(const std::string& name, std::vector<float> values); // GGUF files hold them in F32
  void add_tensor(const StoredTensor& tensor);
  void add_matrix(const StoredTensor& tensor, const std::string& name);
  void add_packed(const StoredTensor& codes);
  void add_rows(const std::string& name, Format format, std::uint64_t rows, std::uint64_t columns);
  void read_weights();
  void check_complete(const JsonObject& config_file) const;
  std::string mapped_name(const StoredTensor& tensor, const std::string& as) const;
  void check_shape(const StoredTensor& tensor, const std::string& name, const std::vector<std::uint64_t>& shape) const;
  RowOrder order_of(const std::string& name) const;
  void write_header();
};

void FolderModel::Parts::add_rows(const std::string& name, Format format, std::uint64_t rows, std::uint64_t columns) {
  TensorInfo info;
  info.name = name;
  info.format = format;
  info.rank = rows ? 2 : 1;
  info.shape = {columns, rows ? rows : 1, 1, 1};
  weights += info.elements();
  tensors.push_back(std::move(info));
}

void FolderModel::Parts::add_vector(const std::string& name, std::vector<float> values) {
  add_rows(name, Format::f32, 0, values.size());
  readers.push_back(make_held_row(std::move(values)));
  tensors.back().reader = readers.back().get();
}

std::string FolderModel::Parts::mapped_name(const StoredTensor& tensor, const std::string& as) const {
  if (const auto name = gguf_tensor_name(config, as)) return *name;
  tensor.fail(fmt::format("found a tensor that {} doesn't have; kern can't run this model", config.class_name));
}

void FolderModel::Parts::check_shape(const StoredTensor& tensor, const std::string& name,
                                     const std::vector<std::uint64_t>& shape) const {
  const std::vector<std::uint64_t> expected = expected_shape(config, name);
  if (shape == expected) return;
  StoredTensor found, wanted;
  found.shape = shape;
  wanted.shape = expected;
  tensor.fail(
      fmt::format("found the shape {}, expected {} as config.json says; the files belong to different models, or "
                  "are damaged",
                  found.shape_text(), wanted.shape_text()));
}

RowOrder FolderModel::Parts::order_of(const std::string& name) const {
  RowOrder order;
  if (reordered_heads(config, name) > 0) order.head_rows = static_cast<std::int64_t>(config.head_dim);
  return order;
}

void FolderModel::Parts::add_matrix(const StoredTensor& tensor, const std::string& name) {
  const RowOrder order = order_of(name);
  if (tensor.type == StoredType::f8_e4m3) {
    const StoredTensor* scale = checkpoint.find(tensor.name + "_scale_inv");
    if (!scale) scale = checkpoint.find(tensor.name + "_scale");
    readers.push_back(make_fp8_rows(tensor, scale, quantization.block, order));
    add_rows(name, Format::f32, tensor.shape[0], tensor.shape[1]);
    tensors.back().reader = readers.back().get();
    return;
  }
  const auto format = stored_format(tensor.type);
  if (!format)
    tensor.fail(fmt::format("found weights of type {}, expected F32, F16, BF16 or F8_E4M3; save the model in one of "
                            "these",
                            stored_type_name(tensor.type)));
  add_rows(name, *format, tensor.shape[0], tensor.shape[1]);
  // Headers of any length may leave numbers at odd places.
  const bool aligned = reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % stored_type_bytes(tensor.type) == 0;
  if (order.head_rows == 0 && aligned) {
    tensors.back().bytes = tensor.bytes;
    return;
  }
  readers.push_back(make_reordered_rows(tensor, order));
  tensors.back().reader = readers.back().get();
}

void FolderModel::Parts::add_packed(const StoredTensor& codes) {
  const std::string base = codes.name.substr(0, codes.name.size() - std::string_view("qweight").size());
  const std::string name = mapped_name(codes, base + "weight");
  const PackedMatrix matrix = find_packed(checkpoint, quantization, codes);
  PackedRows packed = make_packed_rows(matrix, order_of(name), keep_exact);
  for (const StoredTensor* looked_at : {matrix.zeros, matrix.scales}) drop_pages(looked_at->bytes);
  check_shape(codes, name, {packed.rows, packed.columns});
  add_rows(name, packed.format, packed.rows, packed.columns);
  readers.push_back(std::move(packed.reader));
  tensors.back().reader = readers.back().get();
}

void FolderModel::Parts::add_tensor(const StoredTensor& tensor) {
  if (is_buffer(tensor.name) || is_companion(quantization, tensor.name)) return;
  const bool packs = quantization.kind == Quantization::Kind::gptq || quantization.kind == Quantization::Kind::awq;
  if (packs && tensor.name.ends_with(".qweight")) return add_packed(tensor);
  const std::string name = mapped_name(tensor, tensor.name);
  check_shape(tensor, name, tensor.shape);
  if (tensor.shape.size() == 2) return add_matrix(tensor, name);
  const std::vector<float> stored = stored_floats(tensor);
  const RowOrder order = order_of(name);
  std::vector<float> values(stored.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = stored[static_cast<std::size_t>(order.stored(static_cast<std::int64_t>(i)))];
  add_vector(name, std::move(values));
}

void FolderModel::Parts::read_weights() {
  if (!config.rope_factors.empty()) add_vector("rope_freqs.weight", config.rope_factors);
  for (const StoredTensor& tensor : checkpoint.tensors()) add_tensor(tensor);
}

void FolderModel::Parts::check_complete(const JsonObject& config_file) const {
  std::set<std::string_view> found;
  for (const TensorInfo& tensor : tensors)
    if (!found.insert(tensor.name).second)
      throw Error(ExitCode::model, fmt::format("{}: found two tensors for {}, expected one; the model is damaged",
                                               folder.string(), tensor.name));
  std::vector<std::string> needed = required_tensors(config);
  if (!config_file.flag("tie_word_embeddings").value_or(true) && !config.bare) needed.emplace_back("output.weight");
  for (const std::string& name : needed)
    if (!found.contains(name))
      throw Error(
          ExitCode::model,
          fmt::format("{}: found no tensor for {}, expected {} tensors of {} layers; a part is missing, fetch the "
                      "model again",
                      folder.string(), name, needed.size(), config.layers));
}

void FolderModel::Parts::write_header() {
  GgufWriter writer;
  keys.write(writer);
  header = writer.bytes();
  metadata = Gguf::parse(header, folder.string());
}

FolderModel FolderModel::open(const fs::path& folder, const FolderOptions& options) {
  auto parts = std::make_unique<Parts>();
  parts->folder = folder;
  parts->keep_exact = options.keep_exact;
  const JsonFile config_file(folder / "config.json");
  const JsonObject& config = config_file.top();
  parts->config = read_config(config, parts->keys);
  if (has_file(folder / "modules.json"))
    throw Error(ExitCode::model, fmt::format("{}: found a pooling of embeddings, expected a model that generates text",
                                             (folder / "modules.json").string()));
  if (!options.vocabulary_only) {
    parts->quantization = read_quantization(folder, config);
    parts->checkpoint = Checkpoint::open(folder);
    parts->read_weights();
    parts->check_complete(config);
  }
  const auto id = config.text("_name_or_path");
  read_model_card(folder, parts->weights, parts->names, parts->keys);
  if (id && std::ranges::count(*id, '/') <= 1) parts->names.add(split_model_name(*id, parts->weights));
  parts->names.add(split_model_name(folder_name(folder), parts->weights));
  if (!parts->names.parts.size_label && parts->weights) parts->names.parts.size_label = size_label(parts->weights);
  parts->names.write(parts->keys);
  set_sampling(folder, parts->keys, parts->config.warnings);
  convert_vocabulary(folder, parts->config, parts->keys);
  parts->write_header();
  return FolderModel(std::move(parts));
}

FolderModel::FolderModel(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
FolderModel::~FolderModel() = default;
FolderModel::FolderModel(FolderModel&&) noexcept = default;
FolderModel& FolderModel::operator=(FolderModel&&) noexcept = default;

ModelSource FolderModel::source() const {
  return {parts_->folder.string(), parts_->metadata.metadata(), parts_->tensors};
}

const std::vector<std::string>& FolderModel::warnings() const { return parts_->config.warnings; }

Format FolderModel::half_format() const {
  // Files by name, and tensors in each by name: which one is the first doesn't depend on how they were written.
  std::map<std::pair<std::string_view, std::string_view>, Format> halves;
  for (const StoredTensor& tensor : parts_->checkpoint.tensors()) {
    const auto format = stored_format(tensor.type);
    if (tensor.shape.size() >= 2 && format && *format != Format::f32) halves[{tensor.file, tensor.name}] = *format;
  }
  return halves.empty() ? Format::f16 : halves.begin()->second;
}

fs::path FolderModel::default_output(std::string_view type) const {
  return parts_->folder / (parts_->names.file_stem(type) + ".gguf");
}

bool FolderModel::reads(const fs::path& path) const {
  std::error_code error;
  if (!fs::exists(path, error) || path.extension() == ".gguf") return false;
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  return fs::equivalent(parent, parts_->folder, error) && !error;
}

bool is_model_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

} // namespace kern
