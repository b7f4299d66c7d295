// JSON files from outside: bounded in size and depth, every value checked when it is asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace kern {

inline constexpr int max_json_depth = 64;

/// Throws Error(model) where brackets nest deeper than max_json_depth.
void check_json_depth(std::string_view text, const std::string& source);

/// Parses text. Throws Error(model) naming `source`, the offset and what is wrong.
nlohmann::json parse_json(std::string_view text, const std::string& source);

/// An object of a file; `path` says where in it, for messages. The JSON must outlive it. Getters return nothing for a
/// key that is absent or null, and throw Error(model) naming file, key, found and expected for one of another type.
class JsonObject {
public:
  /// Throws Error(model) where `json` isn't an object.
  JsonObject(const nlohmann::json& json, std::string source, std::string path = "");

  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Null where the key is absent or its value null.
  const nlohmann::json* find(std::string_view key) const;

  std::optional<std::uint64_t> uint(std::string_view key, std::uint64_t max = UINT32_MAX) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  std::optional<JsonObject> object(std::string_view key) const;
  /// Objects of an array; none where the key is absent.
  std::vector<JsonObject> objects(std::string_view key) const;

  std::uint64_t require_uint(std::string_view key, std::uint64_t max = UINT32_MAX) const;
  std::string require_text(std::string_view key) const;

  const nlohmann::json& json() const { return *json_; }
  const std::string& source() const { return source_; }
  /// Throws Error(model) "FILE: 'PATH.KEY': PROBLEM".
  [[noreturn]] void fail(std::string_view key, const std::string& problem) const;

private:
  std::string place(std::string_view key) const;

  const nlohmann::json* json_;
  std::string source_;
  std::string path_;
};

/// A JSON file whose top is an object.
class JsonFile {
public:
  static constexpr std::uint64_t max_bytes = std::uint64_t{256} << 20;

  /// Throws Error(model) where the file can't be read or is no JSON object.
  explicit JsonFile(const std::filesystem::path& path);
  JsonFile(std::string_view text, std::string source);
  JsonFile(const JsonFile&) = delete;
  JsonFile& operator=(const JsonFile&) = delete;

  const JsonObject& top() const { return *top_; }

private:
  nlohmann::json json_;
  std::optional<JsonObject> top_;
};

/// Whether there is something by that name; false too where that can't be told.
bool has_file(const std::filesystem::path& path);

/// The bytes of a file of at most `max` bytes. Throws Error(model).
std::string read_small_file(const std::filesystem::path& path, std::uint64_t max);

/// "a string", "the number 3": a value for messages.
std::string describe_json(const nlohmann::json& json);

} // namespace kern
