#include "cli/quantize_plan.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "cli/model_file.h"
#include "model/error.h"
#include "model/recode.h"

namespace kern {

namespace {

/// N of blk.N., or -1.
int layer_of(std::string_view name) {
  int layer = -1;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

MixModel describe_model(const ModelSource& source, bool importance) {
  const Metadata& metadata = *source.metadata;
  const std::string arch(metadata.get_string("general.architecture"));
  MixModel model;
  model.layers = static_cast<int>(metadata.get_uint_or(arch + ".block_count", 0, 1 << 20));
  const std::uint64_t heads = metadata.get_uint_or(arch + ".attention.head_count", 1, 1 << 20);
  const std::uint64_t kv_heads = metadata.get_uint_or(arch + ".attention.head_count_kv", heads, 1 << 20);
  model.heads_per_kv_head = static_cast<int>(heads / std::max<std::uint64_t>(kv_heads, 1));
  model.experts = static_cast<int>(metadata.get_uint_or(arch + ".expert_count", 0, 1 << 20));
  model.importance = importance;
  model.tied_embeddings = !source.has("output.weight");
  return model;
}

/// The number of each tensor among those of its role, layer by layer.
std::map<std::string_view, int> number_tensors(const ModelSource& source) {
  std::map<TensorRole, std::vector<std::pair<int, std::string_view>>> by_role;
  for (const TensorInfo& tensor : source.tensors)
    if (tensor.rank >= 2) by_role[tensor_role(tensor.name)].emplace_back(layer_of(tensor.name), tensor.name);
  std::map<std::string_view, int> numbers;
  for (auto& [role, tensors] : by_role) {
    std::ranges::sort(tensors);
    for (std::size_t i = 0; i < tensors.size(); ++i) numbers[tensors[i].second] = static_cast<int>(i);
  }
  return numbers;
}

/// What the user asks for a tensor by its name or role.
std::optional<Format> asked_format(const TensorInfo& tensor, const QuantizeOptions& options, const MixModel& model) {
  const TensorRole role = tensor_role(tensor.name);
  const auto named = std::ranges::find_if(
      options.overrides, [&](const auto& override) { return std::regex_search(tensor.name, override.pattern); });
  if (named != options.overrides.end()) return named->format;
  if (role == TensorRole::token_embedding && options.embedding_format) return *options.embedding_format;
  if (options.output_format &&
      (role == TensorRole::output || (role == TensorRole::token_embedding && model.tied_embeddings)))
    return *options.output_format;
  return std::nullopt;
}

/// What the mix, or what was chosen in its place, says of a tensor, before rows are considered.
Format mixed_format(const TensorInfo& tensor, const QuantizeOptions& options, const MixModel& model, int number) {
  if (options.chosen) return options.chosen->find(tensor.name)->second;
  if (options.pure) return options.mix->format;
  return choose_format(*options.mix, model,
                       {tensor.name, tensor.columns(), tensor.shape[2], layer_of(tensor.name), number});
}

void check_source(const ModelSource& source, const TensorInfo& tensor, Format format, bool allow_requantize) {
  const FormatInfo from = find_format(tensor.format).value();
  if (format == tensor.format || from.is_float || allow_requantize) return;
  throw Error(ExitCode::usage,
              fmt::format("{}: tensor {} is {} already, and quantizing to {} loses more than from the original; start "
                          "from an F16, BF16 or F32 file, or give --allow-requantize",
                          source.name, tensor.name, from.name, find_format(format)->name));
}

std::string shape_of(const TensorInfo& tensor) {
  std::string text;
  for (int i = 0; i < std::max(tensor.rank, 1); ++i)
    text += fmt::format("{}{}", i ? " x " : "", tensor.shape[static_cast<std::size_t>(i)]);
  return text;
}

} // namespace

QuantizePlan plan_quantization(const ModelSource& source, const QuantizeOptions& options,
                               const Importance* importance) {
  const MixModel model = describe_model(source, importance != nullptr);
  const std::map<std::string_view, int> numbers = number_tensors(source);
  QuantizePlan plan;
  plan.file_type = options.mix->file_type;
  for (const TensorInfo& tensor : source.tensors) {
    PlannedTensor planned{&tensor, tensor.format, {}, false};
    const bool stays = !may_quantize(tensor.name, tensor.rank) ||
                       (options.leave_output && tensor_role(tensor.name) == TensorRole::output) ||
                       (options.keep_quantized && !find_format(tensor.format)->is_float);
    if (!stays) {
      const std::optional<Format> asked = asked_format(tensor, options, model);
      planned.is_free = !asked;
      const Format wanted = asked ? *asked : mixed_format(tensor, options, model, numbers.at(tensor.name));
      planned.format = fall_back(wanted, tensor.columns());
      if (planned.format != wanted) planned.wanted = wanted;
      check_source(source, tensor, planned.format, options.allow_requantize);
      if (planned.format != tensor.format && !find_format(planned.format)->is_float) {
        ++plan.quantized;
        const bool expected = tensor.name != "token_embd.weight" && tensor.name != "output.weight";
        if (importance && importance->find(tensor).empty() && expected) ++plan.without_importance;
        if (!importance && expected && needs_importance(planned.format)) ++plan.unweighed;
      }
    }
    plan.bytes_before += bytes_in(tensor, tensor.format);
    plan.bytes_after += bytes_in(tensor, planned.format);
    plan.weights += tensor.elements();
    plan.tensors.push_back(planned);
  }
  return plan;
}

std::string plan_table(const QuantizePlan& plan) {
  std::string table = "| tensor | shape | from | to | bytes | |\n| --- | --- | --- | --- | ---: | --- |\n";
  for (const PlannedTensor& planned : plan.tensors) {
    const TensorInfo& tensor = *planned.tensor;
    table += fmt::format("| {} | {} | {} | {} | {} | {} |\n", tensor.name, shape_of(tensor),
                         find_format(tensor.format)->name, find_format(planned.format)->name,
                         bytes_in(tensor, planned.format),
                         planned.wanted ? fmt::format("rows of {} are no whole number of {}'s blocks", tensor.columns(),
                                                      find_format(*planned.wanted)->name)
                                        : "");
  }
  return table + fmt::format("\n{} in {} tensors: {}, {:.2f} bits a weight -> {}, {:.2f} bits a weight\n", plan.weights,
                             plan.tensors.size(), format_bytes(plan.bytes_before), plan.bits_before(),
                             format_bytes(plan.bytes_after), plan.bits_after());
}

std::string default_output(const std::string& in, std::string_view type) {
  const std::filesystem::path path(in);
  std::string stem = path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
  // A type at the name's end is replaced: NAME-F16, NAME.f16, NAME_BF16.
  const std::size_t mark = stem.find_last_of("-.");
  if (mark != std::string::npos && mark > 0 && find_mix(stem.substr(mark + 1))) stem.resize(mark);
  return (path.parent_path() / (stem + "-" + std::string(type) + ".gguf")).string();
}

std::string mix_names() {
  std::string names;
  for (const Mix& mix : mixes()) names += (names.empty() ? "" : ", ") + std::string(mix.name);
  return names;
}

} // namespace kern
