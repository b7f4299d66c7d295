#include "convert/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "convert/json_reader.h"
#include "model/cursor.h"
#include "model/error.h"

namespace kern {

namespace {

constexpr std::uint64_t max_header_bytes = 100'000'000; // the format's own limit
constexpr std::size_t max_stored_rank = 8;
constexpr std::size_t max_stored_name = 1024;
constexpr std::uint64_t max_elements = std::uint64_t{1} << 48;

struct TypeEntry {
  std::string_view name;
  StoredType type;
  std::size_t bytes;
};
constexpr TypeEntry stored_types[] = {
    {"F64", StoredType::f64, 8},   {"F32", StoredType::f32, 4},         {"F16", StoredType::f16, 2},
    {"BF16", StoredType::bf16, 2}, {"F8_E4M3", StoredType::f8_e4m3, 1}, {"F8_E5M2", StoredType::f8_e5m2, 1},
    {"I64", StoredType::i64, 8},   {"I32", StoredType::i32, 4},         {"I16", StoredType::i16, 2},
    {"I8", StoredType::i8, 1},     {"U64", StoredType::u64, 8},         {"U32", StoredType::u32, 4},
    {"U16", StoredType::u16, 2},   {"U8", StoredType::u8, 1},           {"BOOL", StoredType::boolean, 1},
};

const TypeEntry& entry_of(StoredType type) { return *std::ranges::find(stored_types, type, &TypeEntry::type); }

/// Collects the header's entries as they are read, so that names that stand twice are seen and nothing else is kept.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
public:
  struct Entry {
    StoredTensor tensor;
    std::vector<std::uint64_t> offsets;
    bool has_type = false;
    bool has_shape = false;
  };

  explicit HeaderReader(std::string source) : source_(std::move(source)) {}

  std::vector<Entry> take() { return std::move(entries_); }

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a bool"); }
  bool number_integer(number_integer_t) override { return refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return refuse("a fraction"); }
  bool binary(binary_t&) override { return refuse("bytes"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (skipping()) return true;
    if (depth_ != 3 || !list_) return refuse(fmt::format("the number {}", value));
    if (list_->size() >= max_stored_rank)
      fail(fmt::format("tensor '{}': '{}' has more than {} numbers; the file is damaged", entry().tensor.name, field_,
                       max_stored_rank));
    list_->push_back(value);
    return true;
  }
  bool string(string_t& value) override {
    if (skipping()) return true;
    if (depth_ != 2 || field_ != "dtype") return refuse("a string");
    const auto* known = std::ranges::find(stored_types, std::string_view(value), &TypeEntry::name);
    if (known == std::end(stored_types))
      fail(fmt::format("tensor '{}' has the type '{}', expected one of F32, F16, BF16, F8_E4M3 and integers; save the "
                       "model in one of these",
                       entry().tensor.name, value));
    entry().tensor.type = known->type;
    entry().has_type = true;
    return true;
  }
  bool start_object(std::size_t) override {
    ++depth_;
    if (depth_ == 1 || skipping()) return true;
    return depth_ == 2 || refuse("an object");
  }
  bool key(string_t& value) override {
    if (depth_ == 1) return begin_tensor(value);
    if (skipping()) return true;
    field_ = value;
    return true;
  }
  bool end_object() override {
    --depth_;
    if (depth_ == 1) metadata_ = false;
    return true;
  }
  bool start_array(std::size_t) override {
    ++depth_;
    if (skipping()) return true;
    list_ = nullptr;
    if (depth_ == 3 && field_ == "shape") {
      list_ = &entry().tensor.shape;
      entry().has_shape = true;
    }
    if (depth_ == 3 && field_ == "data_offsets") list_ = &entry().offsets;
    if (!list_) return refuse("an array");
    list_->clear();
    return true;
  }
  bool end_array() override {
    --depth_;
    list_ = nullptr;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(fmt::format("the header is no JSON at its byte {}; the file is truncated or damaged, fetch it again",
                     position));
  }

private:
  Entry& entry() { return entries_.back(); }
  bool skipping() const { return metadata_ && depth_ >= 1; }

  bool begin_tensor(const std::string& name) {
    metadata_ = name == "__metadata__";
    if (metadata_) return true;
    if (name.empty() || name.size() > max_stored_name)
      fail(fmt::format("a tensor's name has {} bytes, expected 1..{}; the file is damaged", name.size(),
                       max_stored_name));
    entries_.emplace_back();
    entry().tensor.name = name;
    return true;
  }

  bool refuse(const std::string& found) {
    if (skipping()) return true;
    fail(fmt::format("the header has {} {}, expected an object of tensors with dtype, shape and data_offsets; the file "
                     "is damaged",
                     found, entries_.empty() ? "first" : "after tensor '" + entry().tensor.name + "'"));
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(ExitCode::model, fmt::format("{}: {}", source_, problem));
  }

  std::string source_;
  std::vector<Entry> entries_;
  std::string field_;
  std::vector<std::uint64_t>* list_ = nullptr; // what numbers go to
  int depth_ = 0;
  bool metadata_ = false; // within __metadata__, which says nothing of tensors
};

std::uint64_t checked_elements(const StoredTensor& tensor) {
  std::uint64_t count = 1;
  for (const std::uint64_t size : tensor.shape) {
    if (size != 0 && count > max_elements / size)
      tensor.fail(fmt::format("the shape {} has more than 2^48 elements; the file is damaged", tensor.shape_text()));
    count *= size;
  }
  return count;
}

void place_tensor(HeaderReader::Entry& entry, std::span<const std::byte> data) {
  StoredTensor& tensor = entry.tensor;
  if (!entry.has_type || !entry.has_shape || entry.offsets.size() != 2)
    tensor.fail("found no dtype, shape or pair of data_offsets, expected all three; the file is damaged");
  const std::uint64_t begin = entry.offsets[0];
  const std::uint64_t end = entry.offsets[1];
  if (begin > end || end > data.size())
    tensor.fail(fmt::format("found bytes {} to {} of {}; the file is truncated or damaged, fetch it again", begin, end,
                            data.size()));
  const std::uint64_t expected = checked_elements(tensor) * stored_type_bytes(tensor.type);
  if (end - begin != expected)
    tensor.fail(fmt::format("found {} bytes, expected {} for {} {}; the file is damaged", end - begin, expected,
                            stored_type_name(tensor.type), tensor.shape_text()));
  tensor.bytes = data.subspan(begin, end - begin);
}

void check_stored_overlaps(std::vector<HeaderReader::Entry>& entries) {
  std::ranges::sort(entries, {}, [](const auto& entry) { return entry.offsets; });
  for (std::size_t i = 1; i < entries.size(); ++i)
    if (entries[i - 1].offsets[1] > entries[i].offsets[0])
      entries[i].tensor.fail(fmt::format("begins at {}, within '{}', which ends at {}; the file is damaged",
                                         entries[i].offsets[0], entries[i - 1].tensor.name, entries[i - 1].offsets[1]));
}

} // namespace

std::string_view stored_type_name(StoredType type) { return entry_of(type).name; }
std::size_t stored_type_bytes(StoredType type) { return entry_of(type).bytes; }

std::uint64_t StoredTensor::elements() const {
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) count *= size;
  return count;
}

std::string StoredTensor::shape_text() const { return fmt::format("[{}]", fmt::join(shape, ", ")); }

void StoredTensor::fail(const std::string& problem) const {
  throw Error(ExitCode::model, fmt::format("{}: tensor '{}': {}", file, name, problem));
}

std::vector<StoredTensor> Safetensors::parse(std::span<const std::byte> bytes, const std::string& name) {
  Cursor cursor(bytes, name);
  const auto length = cursor.read<std::uint64_t>("the header's length");
  if (length > max_header_bytes || length > cursor.left())
    cursor.fail(fmt::format("found a header of {} bytes, expected at most {}; this is no safetensors file, or it is "
                            "truncated",
                            length, std::min<std::uint64_t>(max_header_bytes, cursor.left())));
  const auto header = cursor.take(length, "the header");
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  if (!text.starts_with('{')) cursor.fail("found a header that doesn't begin with '{'; this is no safetensors file");
  check_json_depth(text, name);
  HeaderReader reader(name);
  nlohmann::json::sax_parse(text, &reader);
  std::vector<HeaderReader::Entry> entries = reader.take();
  for (HeaderReader::Entry& entry : entries) {
    entry.tensor.file = name;
    place_tensor(entry, bytes.subspan(cursor.offset()));
  }
  std::ranges::sort(entries, {}, [](const auto& entry) -> const std::string& { return entry.tensor.name; });
  for (std::size_t i = 1; i < entries.size(); ++i)
    if (entries[i].tensor.name == entries[i - 1].tensor.name)
      entries[i].tensor.fail("stands twice, expected once; the file is damaged");
  check_stored_overlaps(entries);
  std::vector<StoredTensor> tensors;
  for (HeaderReader::Entry& entry : entries) tensors.push_back(std::move(entry.tensor));
  return tensors;
}

} // namespace kern
