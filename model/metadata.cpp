#include "model/metadata.h"

#include <cstring>

#include <fmt/format.h>

#include "model/cursor.h"
#include "model/error.h"

namespace kern {

std::string_view type_name(MetadataType type) {
  static constexpr std::string_view names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                               "bool", "string", "array", "u64", "i64", "f64"};
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(names) ? names[index] : "unknown";
}

namespace {

/// An integer element of any type or a bool; nothing for other types and for u64 values past int64.
std::optional<std::int64_t> read_int(Cursor& cursor, MetadataType type) {
  switch (type) {
  case MetadataType::u8: return cursor.read<std::uint8_t>("element");
  case MetadataType::i8: return cursor.read<std::int8_t>("element");
  case MetadataType::u16: return cursor.read<std::uint16_t>("element");
  case MetadataType::i16: return cursor.read<std::int16_t>("element");
  case MetadataType::u32: return cursor.read<std::uint32_t>("element");
  case MetadataType::i32: return cursor.read<std::int32_t>("element");
  case MetadataType::i64: return cursor.read<std::int64_t>("element");
  case MetadataType::boolean: return cursor.read<std::uint8_t>("element") != 0;
  case MetadataType::u64: {
    const auto value = cursor.read<std::uint64_t>("element");
    if (value > INT64_MAX) return std::nullopt;
    return static_cast<std::int64_t>(value);
  }
  default: return std::nullopt;
  }
}

std::string quote(std::string_view text, std::size_t limit) {
  std::string out = "\"";
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') out += "\\n";
    else if (c == '"' || c == '\\') (out += '\\') += c;
    else if (byte < 0x20 || byte == 0x7F) out += fmt::format("\\x{:02x}", byte);
    else out += c;
  }
  // A cut in the middle of a character leaves bytes that begin one: drop them.
  if (text.size() > limit) {
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0) out.pop_back();
    out += "...";
  }
  return out + '"';
}

std::string describe_array(const MetadataArray& array, std::size_t limit) {
  std::string out = fmt::format("{} x {} [", type_name(array.type), array.count);
  Cursor cursor(array.bytes, "");
  for (std::uint64_t i = 0; i < array.count; ++i) {
    if (i) out += ", ";
    if (out.size() >= limit || array.type == MetadataType::array) return out + "...]";
    if (array.type == MetadataType::string) out += quote(cursor.text("element"), limit);
    else if (array.type == MetadataType::f32) out += fmt::format("{}", cursor.read<float>("element"));
    else if (array.type == MetadataType::f64) out += fmt::format("{}", cursor.read<double>("element"));
    else if (const auto value = read_int(cursor, array.type)) out += fmt::format("{}", *value);
    else out += "> 2^63";
  }
  return out + "]";
}

} // namespace

std::string describe(const MetadataValue& value, std::size_t limit) {
  return std::visit(
      [&](const auto& data) -> std::string {
        using T = std::decay_t<decltype(data)>;
        if constexpr (std::is_same_v<T, std::string_view>) return quote(data, limit);
        else if constexpr (std::is_same_v<T, MetadataArray>) return describe_array(data, limit);
        else return fmt::format("{}", data);
      },
      value.data);
}

const MetadataValue* Metadata::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void Metadata::fail(std::string_view key, const std::string& problem) const {
  throw Error(ExitCode::model, fmt::format("{}: key '{}': {}", source_, key, problem));
}

const MetadataValue& Metadata::require(std::string_view key, std::string_view expected) const {
  const MetadataValue* value = find(key);
  if (!value)
    fail(key, fmt::format("missing, expected {}; convert the model again with a current converter", expected));
  return *value;
}

std::uint64_t Metadata::get_uint(std::string_view key, std::uint64_t max) const {
  const MetadataValue& value = require(key, "an integer");
  std::uint64_t result = 0;
  if (const auto* natural = std::get_if<std::uint64_t>(&value.data)) result = *natural;
  else if (const auto* integer = std::get_if<std::int64_t>(&value.data); integer && *integer >= 0)
    result = static_cast<std::uint64_t>(*integer);
  else fail(key, fmt::format("found {} {}, expected an integer of at least 0", type_name(value.type), describe(value)));
  if (result > max) fail(key, fmt::format("found {}, expected at most {}", result, max));
  return result;
}

std::uint64_t Metadata::get_uint_or(std::string_view key, std::uint64_t fallback, std::uint64_t max) const {
  return has(key) ? get_uint(key, max) : fallback;
}

double Metadata::get_float(std::string_view key) const {
  const MetadataValue& value = require(key, "a number");
  if (const auto* real = std::get_if<double>(&value.data)) return *real;
  if (const auto* natural = std::get_if<std::uint64_t>(&value.data)) return static_cast<double>(*natural);
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*integer);
  fail(key, fmt::format("found {} {}, expected a number", type_name(value.type), describe(value)));
}

double Metadata::get_float_or(std::string_view key, double fallback) const {
  return has(key) ? get_float(key) : fallback;
}

bool Metadata::get_bool_or(std::string_view key, bool fallback) const {
  const MetadataValue* value = find(key);
  if (!value) return fallback;
  if (const bool* flag = std::get_if<bool>(&value->data)) return *flag;
  fail(key, fmt::format("found {} {}, expected a bool", type_name(value->type), describe(*value)));
}

std::string_view Metadata::get_string(std::string_view key) const {
  const MetadataValue& value = require(key, "a string");
  if (const auto* text = std::get_if<std::string_view>(&value.data)) return *text;
  fail(key, fmt::format("found {} {}, expected a string", type_name(value.type), describe(value)));
}

std::string_view Metadata::get_string_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? get_string(key) : fallback;
}

const MetadataArray& Metadata::require_array(std::string_view key, std::string_view expected) const {
  const MetadataValue& value = require(key, expected);
  if (const auto* array = std::get_if<MetadataArray>(&value.data)) return *array;
  fail(key, fmt::format("found {} {}, expected {}", type_name(value.type), describe(value), expected));
}

std::vector<std::string_view> Metadata::get_strings(std::string_view key) const {
  const MetadataArray& array = require_array(key, "an array of strings");
  if (array.type != MetadataType::string)
    fail(key, fmt::format("found an array of {}, expected an array of strings", type_name(array.type)));
  Cursor cursor(array.bytes, source_);
  std::vector<std::string_view> out;
  out.reserve(array.count); // bounded: every element was found in the file
  for (std::uint64_t i = 0; i < array.count; ++i) out.push_back(cursor.text(key));
  return out;
}

std::vector<float> Metadata::get_floats(std::string_view key) const {
  const MetadataArray& array = require_array(key, "an array of numbers");
  if (array.type != MetadataType::f32 && array.type != MetadataType::f64)
    fail(key, fmt::format("found an array of {}, expected an array of f32", type_name(array.type)));
  Cursor cursor(array.bytes, source_);
  std::vector<float> out;
  out.reserve(array.count);
  for (std::uint64_t i = 0; i < array.count; ++i)
    out.push_back(array.type == MetadataType::f32 ? cursor.read<float>(key)
                                                  : static_cast<float>(cursor.read<double>(key)));
  return out;
}

std::vector<std::int64_t> Metadata::get_ints(std::string_view key) const {
  const MetadataArray& array = require_array(key, "an array of integers");
  Cursor cursor(array.bytes, source_);
  std::vector<std::int64_t> out;
  for (std::uint64_t i = 0; i < array.count; ++i) {
    const auto value = read_int(cursor, array.type);
    if (!value)
      fail(key, fmt::format("element {} is of type {}, expected an integer within 64 signed bits", i,
                            type_name(array.type)));
    out.push_back(*value);
  }
  return out;
}

} // namespace kern
