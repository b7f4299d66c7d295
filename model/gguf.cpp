#include "model/gguf.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>

#include <fmt/format.h>

#include "model/cursor.h"
#include "model/error.h"

namespace kern {

namespace {

constexpr std::uint32_t magic = 0x46554747; // "GGUF"
constexpr std::uint64_t max_name_bytes = 1024;
constexpr int max_array_depth = 4;
// Smallest encodings: an entry of each section needs at least this much, so a count above left/size is a lie.
constexpr std::uint64_t min_key_value_bytes = 8 + 4 + 1;
constexpr std::uint64_t min_tensor_bytes = 8 + 4 + 8 + 4 + 8;

struct Header {
  std::uint32_t version;
  std::uint64_t tensors;
  std::uint64_t key_values;
};

Header read_header(Cursor& cursor) {
  const auto found = cursor.read<std::uint32_t>("the magic number");
  if (found != magic)
    cursor.fail(
        fmt::format("found magic {:#010x}, expected {:#010x} (\"GGUF\"); this is not a GGUF file", found, magic));
  Header header{};
  header.version = cursor.read<std::uint32_t>("the version");
  if (header.version == 0 || (header.version & 0xFFFFu) == 0)
    cursor.fail("this is a big-endian GGUF file; convert the model for little-endian machines");
  if (header.version < 2 || header.version > 3)
    cursor.fail(fmt::format("found GGUF version {}, expected 2 or 3; convert the model again", header.version));
  header.tensors = cursor.read<std::uint64_t>("the tensor count");
  header.key_values = cursor.read<std::uint64_t>("the key count");
  if (header.key_values > cursor.left() / min_key_value_bytes)
    cursor.fail(
        fmt::format("claims {} keys, but only {} bytes follow; the file is damaged", header.key_values, cursor.left()));
  if (header.tensors > cursor.left() / min_tensor_bytes)
    cursor.fail(
        fmt::format("claims {} tensors, but only {} bytes follow; the file is damaged", header.tensors, cursor.left()));
  return header;
}

/// Bytes of a fixed-size element; 0 for strings and arrays.
std::uint64_t element_bytes(MetadataType type) {
  switch (type) {
  case MetadataType::u8:
  case MetadataType::i8:
  case MetadataType::boolean: return 1;
  case MetadataType::u16:
  case MetadataType::i16: return 2;
  case MetadataType::u32:
  case MetadataType::i32:
  case MetadataType::f32: return 4;
  case MetadataType::u64:
  case MetadataType::i64:
  case MetadataType::f64: return 8;
  default: return 0;
  }
}

MetadataType read_type(Cursor& cursor, std::string_view key) {
  const auto type = cursor.read<std::uint32_t>("a value's type");
  if (type > static_cast<std::uint32_t>(MetadataType::f64))
    cursor.fail(
        fmt::format("key '{}' has value type {}, expected 0..12; the file is damaged or newer than kern", key, type));
  return static_cast<MetadataType>(type);
}

/// Steps over the elements, so that everything an array claims is known to lie within the file.
MetadataArray read_array(Cursor& cursor, std::string_view key, std::span<const std::byte> file, int depth) {
  if (depth > max_array_depth)
    cursor.fail(fmt::format("key '{}' nests arrays deeper than {}; the file is damaged", key, max_array_depth));
  MetadataArray array;
  array.type = read_type(cursor, key);
  array.count = cursor.read<std::uint64_t>("an array's length");
  const std::size_t begin = cursor.offset();
  if (const std::uint64_t size = element_bytes(array.type)) {
    if (array.count > cursor.left() / size)
      cursor.fail(fmt::format("key '{}' claims {} elements of type {}, but only {} bytes follow; the file is damaged",
                              key, array.count, type_name(array.type), cursor.left()));
    cursor.take(array.count * size, key);
  } else {
    const std::uint64_t least = array.type == MetadataType::string ? 8 : 12; // a length; a type and a length
    if (array.count > cursor.left() / least)
      cursor.fail(fmt::format("key '{}' claims {} elements of type {}, but only {} bytes follow; the file is damaged",
                              key, array.count, type_name(array.type), cursor.left()));
    // Checked as it is walked: the first element that isn't there ends it.
    for (std::uint64_t i = 0; i < array.count; ++i) {
      if (array.type == MetadataType::string) cursor.text(key);
      else read_array(cursor, key, file, depth + 1);
    }
  }
  array.bytes = file.subspan(begin, cursor.offset() - begin);
  return array;
}

MetadataValue read_value(Cursor& cursor, std::string_view key, std::span<const std::byte> file) {
  MetadataValue value;
  value.type = read_type(cursor, key);
  const auto natural = [&](auto number) { value.data = static_cast<std::uint64_t>(number); };
  const auto integer = [&](auto number) { value.data = static_cast<std::int64_t>(number); };
  switch (value.type) {
  case MetadataType::u8: natural(cursor.read<std::uint8_t>(key)); break;
  case MetadataType::u16: natural(cursor.read<std::uint16_t>(key)); break;
  case MetadataType::u32: natural(cursor.read<std::uint32_t>(key)); break;
  case MetadataType::u64: natural(cursor.read<std::uint64_t>(key)); break;
  case MetadataType::i8: integer(cursor.read<std::int8_t>(key)); break;
  case MetadataType::i16: integer(cursor.read<std::int16_t>(key)); break;
  case MetadataType::i32: integer(cursor.read<std::int32_t>(key)); break;
  case MetadataType::i64: integer(cursor.read<std::int64_t>(key)); break;
  case MetadataType::f32: value.data = static_cast<double>(cursor.read<float>(key)); break;
  case MetadataType::f64: value.data = cursor.read<double>(key); break;
  case MetadataType::boolean: value.data = cursor.read<std::uint8_t>(key) != 0; break;
  case MetadataType::string: value.data = cursor.text(key); break;
  case MetadataType::array: value.data = read_array(cursor, key, file, 1); break;
  }
  return value;
}

std::uint64_t read_alignment(const Cursor& cursor, const Metadata& metadata) {
  const std::uint64_t alignment = metadata.get_uint_or("general.alignment", 32, 1u << 20);
  if (!std::has_single_bit(alignment) || alignment < 8)
    cursor.fail(fmt::format("key 'general.alignment' is {}, expected a power of two from 8 to 1048576", alignment));
  return alignment;
}

/// Directory entry with everything but its data: name, shape, format, offset within the data section.
TensorInfo read_tensor(Cursor& cursor, std::uint64_t* size) {
  TensorInfo tensor;
  const std::string_view name = cursor.text("a tensor's name");
  if (name.empty() || name.size() > max_name_bytes)
    cursor.fail(
        fmt::format("a tensor's name has {} bytes, expected 1..{}; the file is damaged", name.size(), max_name_bytes));
  tensor.name = name;
  const auto rank = cursor.read<std::uint32_t>("a tensor's rank");
  if (rank < 1 || rank > 4)
    cursor.fail(fmt::format("tensor '{}' has {} dimensions, expected 1..4; the file is damaged", name, rank));
  tensor.rank = static_cast<int>(rank);
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    tensor.shape[i] = cursor.read<std::uint64_t>("a tensor's shape");
    // 2^48 elements leave room for every later product of sizes in 64 bits.
    if (tensor.shape[i] == 0 || tensor.shape[i] > (std::uint64_t{1} << 48) / elements)
      cursor.fail(fmt::format("tensor '{}' has dimension {} of {}, expected 1 or more and at most 2^48 elements in "
                              "all; the file is damaged",
                              name, i, tensor.shape[i]));
    elements *= tensor.shape[i];
  }
  const auto type = cursor.read<std::uint32_t>("a tensor's type");
  tensor.format = static_cast<Format>(type);
  const auto info = find_format(tensor.format);
  if (!info)
    cursor.fail(fmt::format("tensor '{}' has type {}, expected one of {}; quantize the model to one of these", name,
                            type, format_names()));
  if (tensor.columns() % static_cast<std::uint64_t>(info->width) != 0)
    cursor.fail(fmt::format("tensor '{}' has rows of {} weights, expected a multiple of {} for {}; the file is damaged",
                            name, tensor.columns(), info->width, info->name));
  *size = elements / static_cast<std::uint64_t>(info->width) * info->block_bytes;
  tensor.offset = cursor.read<std::uint64_t>("a tensor's offset");
  return tensor;
}

void check_overlaps(const Cursor& cursor, std::span<const TensorInfo> tensors) {
  std::vector<const TensorInfo*> order;
  order.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors) order.push_back(&tensor);
  std::ranges::sort(order, {}, &TensorInfo::offset);
  for (std::size_t i = 1; i < order.size(); ++i) {
    const TensorInfo& before = *order[i - 1];
    if (before.offset + before.bytes.size() > order[i]->offset)
      cursor.fail(fmt::format("tensors '{}' ({} bytes at {}) and '{}' (at {}) overlap; the file is damaged",
                              before.name, before.bytes.size(), before.offset, order[i]->name, order[i]->offset));
  }
}

struct SplitName {
  std::string prefix;
  std::uint64_t part;
  std::uint64_t count;
};

/// The parts of "PREFIX-00001-of-00003.gguf"; nothing for another name.
std::optional<SplitName> parse_split_name(const std::string& name) {
  constexpr std::size_t tail = 20; // -00001-of-00003.gguf
  if (name.size() <= tail) return std::nullopt;
  const std::string_view end = std::string_view(name).substr(name.size() - tail);
  const auto number = [&](std::size_t at) {
    std::uint64_t value = 0;
    for (const char c : end.substr(at, 5)) {
      if (c < '0' || c > '9') return std::uint64_t{0};
      value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
  };
  if (end[0] != '-' || end.substr(6, 4) != "-of-" || end.substr(15) != ".gguf") return std::nullopt;
  if (number(1) == 0 || number(10) == 0) return std::nullopt;
  return SplitName{name.substr(0, name.size() - tail), number(1), number(10)};
}

} // namespace

Gguf Gguf::parse(std::span<const std::byte> bytes, const std::string& name) {
  Gguf gguf;
  gguf.name_ = name;
  gguf.metadata_ = Metadata(name);
  gguf.read_part(bytes, name, 0);
  return gguf;
}

Gguf Gguf::open(const std::filesystem::path& path) {
  Gguf gguf;
  gguf.name_ = path.string();
  gguf.metadata_ = Metadata(gguf.name_);
  gguf.files_.emplace_back(path);
  gguf.read_part(gguf.files_.back().bytes(), gguf.name_, 0);

  const std::uint64_t parts = gguf.metadata_.get_uint_or("split.count", 1, 65535);
  if (parts <= 1) return gguf;
  const std::uint64_t part = gguf.metadata_.get_uint_or("split.no", 0, 65535);
  const auto split = parse_split_name(path.filename().string());
  if (!split || split->count != parts || split->part != part + 1)
    gguf.metadata_.fail(
        "split.count",
        fmt::format("found part {} of {}, expected a file name ending in -{:05}-of-{:05}.gguf; rename it", part + 1,
                    parts, part + 1, parts));
  if (part != 0)
    gguf.metadata_.fail("split.no", fmt::format("this is part {} of {}; open the first, {}-00001-of-{:05}.gguf",
                                                part + 1, parts, split->prefix, parts));
  for (std::uint64_t i = 1; i < parts; ++i) {
    const auto file = path.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", split->prefix, i + 1, parts);
    gguf.files_.emplace_back(file);
    gguf.read_part(gguf.files_.back().bytes(), file.string(), i);
  }
  const std::uint64_t expected = gguf.metadata_.get_uint_or("split.tensors.count", gguf.tensors_.size());
  if (expected != gguf.tensors_.size())
    gguf.metadata_.fail("split.tensors.count",
                        fmt::format("found {} tensors in {} parts, expected {}; a part belongs to another model",
                                    gguf.tensors_.size(), parts, expected));
  return gguf;
}

void Gguf::read_part(std::span<const std::byte> bytes, const std::string& name, std::uint64_t part) {
  Cursor cursor(bytes, name);
  const Header header = read_header(cursor);
  file_bytes_ += bytes.size();
  Metadata metadata(name);
  for (std::uint64_t i = 0; i < header.key_values; ++i) {
    const std::string_view key = cursor.text("a key");
    if (key.empty() || key.size() > max_name_bytes)
      cursor.fail(fmt::format("a key has {} bytes, expected 1..{}; the file is damaged", key.size(), max_name_bytes));
    if (!metadata.insert(key, read_value(cursor, key, bytes)))
      cursor.fail(fmt::format("key '{}' stands twice, expected once; the file is damaged", key));
  }
  const std::uint64_t alignment = read_alignment(cursor, metadata);

  const std::size_t first = tensors_.size();
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t i = 0; i < header.tensors; ++i) {
    std::uint64_t size = 0;
    TensorInfo tensor = read_tensor(cursor, &size);
    if (!by_name_.emplace(tensor.name, tensors_.size()).second)
      cursor.fail(fmt::format("tensor '{}' stands twice, expected once; the file is damaged", tensor.name));
    tensors_.push_back(std::move(tensor));
    sizes.push_back(size);
  }
  const std::uint64_t data = (cursor.offset() + alignment - 1) / alignment * alignment;
  for (std::size_t i = first; i < tensors_.size(); ++i) {
    TensorInfo& tensor = tensors_[i];
    const std::uint64_t size = sizes[i - first];
    if (tensor.offset % alignment != 0)
      cursor.fail(fmt::format("tensor '{}' lies at {}, expected a multiple of the alignment {}; the file is damaged",
                              tensor.name, tensor.offset, alignment));
    if (data > bytes.size() || tensor.offset > bytes.size() - data || size > bytes.size() - data - tensor.offset)
      cursor.fail(fmt::format("tensor '{}' needs {} bytes at {}, but the file has {}; it is truncated, fetch it again",
                              tensor.name, size, data + std::min(tensor.offset, UINT64_MAX - data), bytes.size()));
    tensor.offset += data;
    tensor.bytes = bytes.subspan(tensor.offset, size);
  }
  check_overlaps(cursor, std::span(tensors_).subspan(first));
  if (part == 0) {
    version_ = header.version;
    metadata_ = std::move(metadata);
  } else if (metadata.get_uint("split.no", 65535) != part) {
    metadata.fail("split.no", fmt::format("found {}, expected {}; the part belongs to another place",
                                          metadata.get_uint("split.no"), part));
  }
}

void Gguf::replace(std::string_view name, Format format, std::span<const std::byte> bytes) {
  TensorInfo& tensor = tensors_[by_name_.find(name)->second];
  assert(bytes.size() == tensor.rows() * row_bytes(format, tensor.columns()));
  tensor.format = format;
  tensor.bytes = bytes;
}

const TensorInfo* Gguf::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

} // namespace kern
