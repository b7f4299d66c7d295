#include "tokenizer/normalizer.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "model/error.h"
#include "tokenizer/space_mark.h"
#include "tokenizer/unicode.h"

namespace kern {

namespace {

constexpr std::string_view key_map = "tokenizer.ggml.precompiled_charsmap";
constexpr std::string_view replacement_character = "\xEF\xBF\xBD"; // U+FFFD
constexpr std::size_t longest_replacement = 255;                   // bytes; the longest of NFKC has 33

std::uint32_t read_u32(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= static_cast<std::uint32_t>(bytes[i]) << (8 * i);
  return value;
}

// A unit of the double array, 32 bits: the byte that leads to it, whether a text may end there, and where its children
// are, relative to it; or, with the highest bit set, a value.
std::uint32_t label_of(std::uint32_t unit) { return unit & 0x800000FFu; }
bool has_value(std::uint32_t unit) { return (unit >> 8) & 1; }
std::size_t offset_of(std::uint32_t unit) { return (unit >> 10) << ((unit & 0x200u) >> 6); }
std::size_t value_of(std::uint32_t unit) { return unit & 0x7FFFFFFFu; }

} // namespace

Normalizer::Normalizer(const Metadata& metadata)
    : source_(metadata.source()),
      merges_spaces_(metadata.get_bool_or("tokenizer.ggml.remove_extra_whitespaces", false)),
      adds_space_(metadata.get_bool_or("tokenizer.ggml.add_space_prefix", false)) {
  const MetadataValue* value = metadata.find(key_map);
  if (!value) return;
  const auto* array = std::get_if<MetadataArray>(&value->data);
  if (!array || (array->type != MetadataType::i8 && array->type != MetadataType::u8))
    fail(fmt::format("found {}, expected an array of i8 or u8", describe(*value)));
  std::span<const std::byte> bytes = array->bytes;
  if (bytes.empty()) return;
  if (bytes.size() < 4) fail(fmt::format("found {} bytes, expected at least 4", bytes.size()));
  const std::size_t size = read_u32(bytes);
  bytes = bytes.subspan(4);
  if (size >= bytes.size() || size % 4 != 0)
    fail(
        fmt::format("found a trie of {} bytes, expected a multiple of 4 below the {} that follow", size, bytes.size()));
  if (bytes.back() != std::byte{0}) fail("the last replacement is not ended by a zero byte");
  for (std::size_t i = 0; i < size; i += 4) units_.push_back(read_u32(bytes.subspan(i)));
  bytes = bytes.subspan(size);
  replacements_.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void Normalizer::fail(const std::string& problem) const {
  throw Error(ExitCode::model, fmt::format("{}: key '{}': {}; convert the model again", source_, key_map, problem));
}

std::uint32_t Normalizer::unit(std::size_t index) const {
  if (index >= units_.size())
    fail(fmt::format("the trie refers to its entry {}, expected one below {}", index, units_.size()));
  return units_[index];
}

std::string_view Normalizer::replacement(std::size_t offset) const {
  if (offset >= replacements_.size())
    fail(fmt::format("the trie refers to byte {} of the replacements, expected one below {}", offset,
                     replacements_.size()));
  const std::string_view rest = std::string_view(replacements_).substr(offset, longest_replacement + 1);
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos)
    fail(fmt::format("the replacement at byte {} is longer than the {} allowed", offset, longest_replacement));
  return rest.substr(0, end);
}

Normalizer::Prefix Normalizer::normalize_prefix(std::string_view text) const {
  std::size_t longest = 0;
  std::size_t value = 0;
  if (!units_.empty()) {
    std::size_t node = offset_of(unit(0));
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      node ^= byte;
      const std::uint32_t found = unit(node);
      if (byte == 0 || label_of(found) != byte) break;
      node ^= offset_of(found);
      if (!has_value(found)) continue;
      longest = i + 1;
      value = value_of(unit(node));
    }
  }
  if (longest > 0) return {replacement(value), longest};
  const std::size_t length = utf8_character(text, 0);
  return length > 0 ? Prefix{text.substr(0, length), length} : Prefix{replacement_character, 1};
}

std::string Normalizer::normalize(std::string_view text, bool at_start) const {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  bool after_space = merges_spaces_; // spaces that follow are left out
  bool any = false;
  while (!text.empty()) {
    auto [piece, consumed] = normalize_prefix(text);
    text.remove_prefix(consumed);
    if (!any && merges_spaces_ && piece == " ") continue;
    if (!any && adds_space_ && at_start) out += space_mark;
    any = true;
    if (after_space) piece.remove_prefix(std::min(piece.find_first_not_of(' '), piece.size()));
    for (const char c : piece)
      if (c == ' ') out += space_mark;
      else out += c;
    if (!piece.empty()) after_space = merges_spaces_ && piece.ends_with(' ');
  }
  if (merges_spaces_)
    while (out.ends_with(space_mark)) out.resize(out.size() - space_mark.size());
  return out;
}

} // namespace kern
