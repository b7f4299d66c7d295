#include "convert/json_reader.h"

#include <cmath>
#include <fstream>
#include <system_error>

#include <fmt/format.h>

#include "model/error.h"

namespace kern {

using Json = nlohmann::json;

void check_json_depth(std::string_view text, const std::string& source) {
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      else if (c == '"') in_text = false;
      continue;
    }
    if (c == '"') in_text = true;
    else if (c == '{' || c == '[') ++depth;
    else if (c == '}' || c == ']') --depth;
    if (depth > max_json_depth)
      throw Error(ExitCode::model, fmt::format("{}: offset {}: found JSON nested deeper than {} levels; the file is "
                                               "damaged",
                                               source, i, max_json_depth));
  }
}

Json parse_json(std::string_view text, const std::string& source) {
  check_json_depth(text, source);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw Error(ExitCode::model, fmt::format("{}: offset {}: found text that is no JSON; the file is truncated or "
                                             "damaged, fetch it again",
                                             source, error.byte));
  } catch (const Json::out_of_range&) {
    throw Error(ExitCode::model, fmt::format("{}: found a number too large for JSON; the file is damaged", source));
  }
}

std::string describe_json(const Json& json) {
  switch (json.type()) {
  case Json::value_t::null: return "null";
  case Json::value_t::boolean: return json.get<bool>() ? "true" : "false";
  case Json::value_t::string: {
    const std::string text = json.get<std::string>();
    return text.size() <= 60 ? "'" + text + "'" : fmt::format("a string of {} bytes", text.size());
  }
  case Json::value_t::array: return fmt::format("an array of {}", json.size());
  case Json::value_t::object: return "an object";
  default: return "the number " + json.dump();
  }
}

JsonObject::JsonObject(const Json& json, std::string source, std::string path)
    : json_(&json), source_(std::move(source)), path_(std::move(path)) {
  if (!json.is_object())
    throw Error(ExitCode::model, fmt::format("{}: {}found {}, expected an object; the file is damaged", source_,
                                             path_.empty() ? "" : "'" + path_ + "': ", describe_json(json)));
}

const Json* JsonObject::find(std::string_view key) const {
  const auto found = json_->find(std::string(key));
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

std::string JsonObject::place(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void JsonObject::fail(std::string_view key, const std::string& problem) const {
  throw Error(ExitCode::model, fmt::format("{}: '{}': {}", source_, place(key), problem));
}

std::optional<std::uint64_t> JsonObject::uint(std::string_view key, std::uint64_t max) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_number_integer() || (!value->is_number_unsigned() && value->get<std::int64_t>() < 0))
    fail(key, fmt::format("found {}, expected a whole number of at least 0", describe_json(*value)));
  const auto number = value->get<std::uint64_t>();
  if (number > max) fail(key, fmt::format("found {}, expected at most {}", number, max));
  return number;
}

std::optional<double> JsonObject::number(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_number() || !std::isfinite(value->get<double>()))
    fail(key, fmt::format("found {}, expected a number", describe_json(*value)));
  return value->get<double>();
}

std::optional<bool> JsonObject::flag(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) fail(key, fmt::format("found {}, expected true or false", describe_json(*value)));
  return value->get<bool>();
}

std::optional<std::string> JsonObject::text(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) fail(key, fmt::format("found {}, expected a string", describe_json(*value)));
  return value->get<std::string>();
}

std::optional<JsonObject> JsonObject::object(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  return JsonObject(*value, source_, place(key));
}

std::vector<JsonObject> JsonObject::objects(std::string_view key) const {
  std::vector<JsonObject> out;
  const Json* value = find(key);
  if (!value) return out;
  if (!value->is_array()) fail(key, fmt::format("found {}, expected an array", describe_json(*value)));
  for (std::size_t i = 0; i < value->size(); ++i)
    out.emplace_back((*value)[i], source_, fmt::format("{}[{}]", place(key), i));
  return out;
}

std::uint64_t JsonObject::require_uint(std::string_view key, std::uint64_t max) const {
  if (const auto value = uint(key, max)) return *value;
  fail(key, "missing, expected a number; the file is incomplete");
}

std::string JsonObject::require_text(std::string_view key) const {
  if (const auto value = text(key)) return *value;
  fail(key, "missing, expected a string; the file is incomplete");
}

bool has_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

std::string read_small_file(const std::filesystem::path& path, std::uint64_t max) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    throw Error(ExitCode::model,
                fmt::format("{}: found no such file, expected it in the model's folder", path.string()));
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error || size > max)
    throw Error(ExitCode::model,
                fmt::format("{}: found {} bytes, expected at most {}; the file is damaged", path.string(), size, max));
  std::ifstream file(path, std::ios::binary);
  std::string bytes(size, '\0');
  if (!file.read(bytes.data(), static_cast<std::streamsize>(size)))
    throw Error(ExitCode::model, fmt::format("{}: cannot be read", path.string()));
  return bytes;
}

JsonFile::JsonFile(const std::filesystem::path& path) : JsonFile(read_small_file(path, max_bytes), path.string()) {}

JsonFile::JsonFile(std::string_view text, std::string source) : json_(parse_json(text, source)) {
  top_.emplace(json_, std::move(source));
}

} // namespace kern
