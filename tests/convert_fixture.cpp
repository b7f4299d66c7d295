#include "tests/convert_fixture.h"

#include <fstream>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "cli/quantize_plan.h"
#include "kernels/cpu/memory.h"
#include "model/error.h"
#include "model/gguf_writer.h"
#include "model/recode.h"
#include "tests/fixtures.h"

namespace kern::test {

namespace fs = std::filesystem;

fs::path convert_folder(const std::string& name) { return data_path("convert") / name; }

nlohmann::json convert_reference(const std::string& name) {
  const std::vector<char> text = read_file(data_path("convert") / (name + ".json"));
  return nlohmann::json::parse(text.begin(), text.end());
}

FolderCopy::FolderCopy(const std::string& name) : name_(name) {
  fs::copy(convert_folder(name), path(), fs::copy_options::recursive);
}

std::string FolderCopy::read(const std::string& file) const {
  const std::vector<char> bytes = read_file(path() / file);
  return {bytes.begin(), bytes.end()};
}

void FolderCopy::write(const std::string& file, std::string_view bytes) const {
  std::ofstream(path() / file, std::ios::binary | std::ios::trunc) << bytes;
}

void FolderCopy::edit(const std::string& file, const std::function<void(nlohmann::json&)>& change) const {
  nlohmann::json json = nlohmann::json::parse(read(file));
  change(json);
  write(file, json.dump());
}

void FolderCopy::remove(const std::string& file) const { REQUIRE(fs::remove(path() / file)); }

std::vector<std::byte> converted(const FolderModel& model, std::string_view mix, bool keep_quantized) {
  QuantizeOptions options;
  options.mix = find_mix(mix);
  options.allow_requantize = true;
  options.keep_quantized = keep_quantized;
  const ModelSource source = model.source();
  const QuantizePlan plan = plan_quantization(source, options, nullptr);
  ThreadPool pool(2);
  Recoder recoder(pool, choose_cpu_kernels(), source.name);
  GgufWriter writer;
  for (const auto& [key, value] : source.metadata->values()) writer.add(key, value);
  for (const PlannedTensor& planned : plan.tensors) {
    const TensorInfo& tensor = *planned.tensor;
    writer.add_tensor(tensor.name, planned.format, {tensor.shape.begin(), tensor.shape.begin() + tensor.rank},
                      [&recoder, &planned](const GgufWriter::Sink& sink) {
                        recoder.recode(*planned.tensor, planned.format, {}, sink);
                      });
  }
  return writer.bytes();
}

std::string refusal(const fs::path& folder) {
  try {
    converted(FolderModel::open(folder, {}), "F32");
  } catch (const Error& error) {
    const std::string line = error.what();
    CHECK(error.code() == ExitCode::model);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(line.starts_with(folder.string()));
    return line;
  }
  return "";
}

std::string hash_of(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const std::byte byte : bytes) hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001B3u;
  return fmt::format("{:016x}", hash);
}

std::string safetensors_file(std::string_view header, std::string_view data) {
  const std::uint64_t size = header.size();
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof size);
  return bytes.append(header).append(data);
}

} // namespace kern::test
