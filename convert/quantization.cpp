#include "convert/quantization.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

namespace kern {

namespace {

constexpr std::uint64_t max_group = 1u << 20;

/// group_size, where -1 is one group for all columns.
std::uint64_t read_group_size(const JsonObject& object, std::string_view key) {
  const nlohmann::json* value = object.find(key);
  if (!value || (value->is_number_integer() && value->get<std::int64_t>() == -1)) return 0;
  const std::uint64_t size = object.uint(key, max_group).value_or(0);
  if (size == 0) object.fail(key, "found 0, expected a number of columns, as 128, or -1 for all");
  return size;
}

void expect_four_bits(const JsonObject& object, std::string_view key) {
  const auto bits = object.uint(key);
  if (bits != 4) object.fail(key, fmt::format("found {} bits, expected 4", bits.value_or(0)));
}

std::vector<std::uint64_t> read_block(const JsonObject& object, std::string_view key) {
  std::vector<std::uint64_t> block;
  const nlohmann::json* list = object.find(key);
  if (!list) return block;
  if (list->is_array())
    for (const nlohmann::json& size : *list)
      if (size.is_number_unsigned()) block.push_back(size.get<std::uint64_t>());
  if (block.size() != 2 || list->size() != 2 || block[0] == 0 || block[1] == 0 || block[0] > max_group ||
      block[1] > max_group)
    object.fail(key,
                fmt::format("found {}, expected the rows and columns of a block, as [128, 128]", describe_json(*list)));
  return block;
}

Quantization read_gptq(const JsonObject& object) {
  expect_four_bits(object, "bits");
  Quantization result;
  result.kind = Quantization::Kind::gptq;
  result.group_size = read_group_size(object, "group_size");
  const std::string format = object.text("checkpoint_format").value_or("gptq");
  if (format != "gptq" && format != "gptq_v2")
    object.fail("checkpoint_format", fmt::format("found '{}', expected gptq or gptq_v2", format));
  if (const auto pack = object.text("pack_dtype"); pack && *pack != "int32" && *pack != "torch.int32")
    object.fail("pack_dtype", fmt::format("found '{}', expected int32", *pack));
  result.zero_offset = format == "gptq" ? 1 : 0;
  return result;
}

Quantization read_awq(const JsonObject& object) {
  expect_four_bits(object, object.has("w_bit") ? "w_bit" : "bits");
  const std::string version = object.text("version").value_or("gemm");
  if (version != "gemm" && version != "GEMM") object.fail("version", fmt::format("found '{}', expected gemm", version));
  Quantization result;
  result.kind = Quantization::Kind::awq;
  result.group_size = read_group_size(object, object.has("q_group_size") ? "q_group_size" : "group_size");
  return result;
}

Quantization read_fp8(const JsonObject& object) {
  Quantization result;
  result.kind = Quantization::Kind::fp8;
  if (object.text("fmt").value_or("e4m3") != "e4m3")
    object.fail("fmt", fmt::format("found '{}', expected e4m3", object.text("fmt").value_or("")));
  result.block = read_block(object, "weight_block_size");
  return result;
}

Quantization read_compressed_tensors(const JsonObject& object) {
  const std::string format = object.text("format").value_or("");
  if (format != "float-quantized" && format != "naive-quantized")
    object.fail("format", fmt::format("found '{}', expected float-quantized", format));
  Quantization result;
  result.kind = Quantization::Kind::fp8;
  const auto groups = object.object("config_groups");
  if (!groups || groups->json().size() != 1)
    object.fail("config_groups", "found other than one group, expected one for all matrices");
  const auto& [name, group] = *groups->json().items().begin();
  const auto weights =
      JsonObject(group, object.source(), "quantization_config.config_groups." + name).object("weights");
  if (!weights || weights->text("type").value_or("") != "float" || weights->uint("num_bits") != 8)
    object.fail("config_groups", "found weights other than 8-bit floats, expected these");
  result.block = read_block(*weights, "block_structure");
  return result;
}

} // namespace

Quantization read_quantization(const std::filesystem::path& folder, const JsonObject& config) {
  std::unique_ptr<JsonFile> file;
  std::optional<JsonObject> object = config.object("quantization_config");
  if (!object && has_file(folder / "quantize_config.json")) {
    file = std::make_unique<JsonFile>(folder / "quantize_config.json"); // AutoGPTQ's own
    return file->top().has("bits") ? read_gptq(file->top()) : read_awq(file->top());
  }
  if (!object) return {};
  const std::string method = object->text("quant_method").value_or("");
  if (method == "gptq") return read_gptq(*object);
  if (method == "awq") return read_awq(*object);
  if (method == "fp8" || method == "fbgemm_fp8") return read_fp8(*object);
  if (method == "compressed-tensors") return read_compressed_tensors(*object);
  object->fail("quant_method", fmt::format("found '{}', expected fp8, compressed-tensors with 8-bit floats, gptq or "
                                           "awq; convert the model as it was before",
                                           method));
}

bool is_companion(const Quantization& quantization, std::string_view name) {
  const auto ends = [&](std::initializer_list<std::string_view> suffixes) {
    return std::ranges::any_of(suffixes, [&](std::string_view suffix) { return name.ends_with(suffix); });
  };
  switch (quantization.kind) {
  case Quantization::Kind::none: return false;
  case Quantization::Kind::fp8:
    return ends({".weight_scale", ".weight_scale_inv", ".input_scale", ".activation_scale", ".k_scale", ".v_scale",
                 ".input_scale_ub"});
  case Quantization::Kind::gptq: return ends({".qzeros", ".scales", ".g_idx"});
  case Quantization::Kind::awq: return ends({".qzeros", ".scales"});
  }
  return false;
}

PackedMatrix find_packed(const Checkpoint& checkpoint, const Quantization& quantization, const StoredTensor& codes) {
  const std::string base = codes.name.substr(0, codes.name.size() - std::string_view("qweight").size());
  const auto require = [&](const char* part) {
    const StoredTensor* tensor = checkpoint.find(base + part);
    if (!tensor) codes.fail(fmt::format("'{}{}' is missing, expected it beside; fetch the model again", base, part));
    return tensor;
  };
  PackedMatrix matrix;
  const bool awq = quantization.kind == Quantization::Kind::awq;
  matrix.packing = awq ? PackedMatrix::Packing::awq : PackedMatrix::Packing::gptq;
  matrix.codes = &codes;
  matrix.zeros = require("qzeros");
  matrix.scales = require("scales");
  matrix.groups = awq ? nullptr : checkpoint.find(base + "g_idx");
  matrix.group_size = quantization.group_size;
  matrix.zero_offset = quantization.zero_offset;
  return matrix;
}

} // namespace kern
