#include "model/gguf_writer.h"

#include <cassert>

#include "model/output_file.h"
#include "quant/formats.h"

namespace kern {

namespace {

constexpr std::uint64_t alignment = 32; // the default of general.alignment

std::uint64_t padding_after(std::uint64_t bytes) { return (alignment - bytes % alignment) % alignment; }

template <class T> void append(std::vector<std::byte>& out, T value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_text(std::vector<std::byte>& out, std::string_view text) {
  append(out, static_cast<std::uint64_t>(text.size()));
  const auto bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

} // namespace

void GgufWriter::begin(std::string_view key, MetadataType type) {
  append_text(metadata_, key);
  put(static_cast<std::uint32_t>(type));
  ++keys_;
}

void GgufWriter::text(std::string_view value) { append_text(metadata_, value); }

void GgufWriter::add(std::string_view key, std::string_view value) {
  begin(key, MetadataType::string);
  text(value);
}

void GgufWriter::array(std::string_view key, MetadataType type, std::span<const std::byte> elements,
                       std::size_t count) {
  begin(key, MetadataType::array);
  put(static_cast<std::uint32_t>(type));
  put(static_cast<std::uint64_t>(count));
  metadata_.insert(metadata_.end(), elements.begin(), elements.end());
}

void GgufWriter::add(std::string_view key, const std::vector<std::string>& values) {
  array(key, MetadataType::string, {}, values.size());
  for (const std::string& value : values) text(value);
}

void GgufWriter::add(std::string_view key, const MetadataValue& value) {
  if (const auto* elements = std::get_if<MetadataArray>(&value.data))
    return array(key, elements->type, elements->bytes, elements->count);
  if (const auto* string = std::get_if<std::string_view>(&value.data)) return add(key, *string);
  begin(key, value.type);
  const auto put_number = [&](auto number) {
    switch (value.type) {
    case MetadataType::u8: return put(static_cast<std::uint8_t>(number));
    case MetadataType::i8: return put(static_cast<std::int8_t>(number));
    case MetadataType::u16: return put(static_cast<std::uint16_t>(number));
    case MetadataType::i16: return put(static_cast<std::int16_t>(number));
    case MetadataType::u32: return put(static_cast<std::uint32_t>(number));
    case MetadataType::i32: return put(static_cast<std::int32_t>(number));
    case MetadataType::u64: return put(static_cast<std::uint64_t>(number));
    case MetadataType::i64: return put(static_cast<std::int64_t>(number));
    case MetadataType::f32: return put(static_cast<float>(number));
    case MetadataType::f64: return put(static_cast<double>(number));
    case MetadataType::boolean: return put(static_cast<std::uint8_t>(number));
    case MetadataType::string:
    case MetadataType::array: return;
    }
  };
  std::visit(
      [&](const auto& data) {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(data)>>) put_number(data);
      },
      value.data);
}

void GgufWriter::add_tensor(std::string name, Format format, std::vector<std::uint64_t> shape,
                            std::span<const std::byte> data) {
  add_tensor(std::move(name), format, std::move(shape), [data](const Sink& sink) { sink(data); });
  assert(data.size() == tensors_.back().bytes);
}

void GgufWriter::add_tensor(std::string name, Format format, std::vector<std::uint64_t> shape,
                            std::function<void(const Sink&)> produce) {
  assert(!shape.empty() && shape.size() <= 4);
  std::uint64_t bytes = row_bytes(format, shape[0]);
  for (std::size_t i = 1; i < shape.size(); ++i) bytes *= shape[i];
  tensors_.push_back({std::move(name), format, std::move(shape), bytes, std::move(produce)});
}

void GgufWriter::emit(const Sink& sink) const {
  std::vector<std::byte> header;
  append(header, std::uint32_t{0x46554747}); // "GGUF"
  append(header, std::uint32_t{3});
  append(header, static_cast<std::uint64_t>(tensors_.size()));
  append(header, keys_);
  header.insert(header.end(), metadata_.begin(), metadata_.end());
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    append_text(header, tensor.name);
    append(header, static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t size : tensor.shape) append(header, size);
    append(header, static_cast<std::uint32_t>(tensor.format));
    append(header, offset);
    offset += tensor.bytes + padding_after(tensor.bytes);
  }
  header.resize(header.size() + padding_after(header.size()));
  sink(header);
  const std::byte zeros[alignment] = {};
  for (const Tensor& tensor : tensors_) {
    std::uint64_t written = 0;
    tensor.produce([&](std::span<const std::byte> part) {
      written += part.size();
      sink(part);
    });
    assert(written == tensor.bytes);
    sink(std::span(zeros).first(padding_after(tensor.bytes)));
  }
}

void GgufWriter::write(const std::filesystem::path& path) const {
  OutputFile file(path);
  emit([&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

std::vector<std::byte> GgufWriter::bytes() const {
  std::vector<std::byte> out;
  emit([&](std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); });
  return out;
}

} // namespace kern
