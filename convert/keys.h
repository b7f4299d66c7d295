// Metadata keys as they are collected for a new file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/gguf_writer.h"

namespace kern {

class Keys {
public:
  using Value = std::variant<std::uint32_t, std::int32_t, float, bool, std::string, std::vector<std::string>,
                             std::vector<float>, std::vector<std::int32_t>>;

  /// A key that is set twice keeps its last value.
  void set(std::string_view key, Value value) { values_.insert_or_assign(std::string(key), std::move(value)); }
  void set(std::string_view key, const char* value) { set(key, std::string(value)); }
  bool has(std::string_view key) const { return values_.contains(key); }
  void write(GgufWriter& writer) const {
    for (const auto& [key, value] : values_)
      std::visit([&, &name = key](const auto& held) { writer.add(name, held); }, value);
  }

private:
  std::map<std::string, Value, std::less<>> values_;
};

} // namespace kern
