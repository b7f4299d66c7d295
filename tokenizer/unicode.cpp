#include "tokenizer/unicode.h"

#include <algorithm>

namespace kern {

namespace {

/// What a lead byte demands: how many bytes, and the range of the second one (Unicode 15, table 3-7).
struct Lead {
  std::size_t length;
  unsigned char second_min;
  unsigned char second_max;
};

Lead classify(unsigned char lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

/// How many of the bytes at `position` fit the lead there, and how many it demands.
struct Prefix {
  std::size_t fitting;
  std::size_t demanded;
};

Prefix character_prefix(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const Lead lead = classify(byte(0));
  const std::size_t available = std::min(lead.length, text.size() - position);
  std::size_t fitting = std::min<std::size_t>(available, 1);
  while (fitting < available) {
    const unsigned char low = fitting == 1 ? lead.second_min : 0x80;
    const unsigned char high = fitting == 1 ? lead.second_max : 0xBF;
    if (byte(fitting) < low || byte(fitting) > high) break;
    ++fitting;
  }
  return {fitting, lead.length};
}

} // namespace

std::size_t utf8_character(std::string_view text, std::size_t position) {
  const Prefix prefix = character_prefix(text, position);
  return prefix.fitting == prefix.demanded ? prefix.demanded : 0;
}

std::size_t unfinished_utf8_tail(std::string_view text) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(3, text.size()); ++length) {
    const Prefix prefix = character_prefix(text, text.size() - length);
    if (prefix.demanded > length && prefix.fitting == length) return length;
  }
  return 0;
}

std::size_t end_of_utf8_run(std::string_view text, std::size_t position, bool valid) {
  while (position < text.size()) {
    const std::size_t length = utf8_character(text, position);
    if ((length > 0) != valid) break;
    position += valid ? length : 1;
  }
  return position;
}

std::string to_utf8(std::uint32_t code_point) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((code_point >> shift) & 0x3F)); };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xC0 | (code_point >> 6)), tail(0)};
  if (code_point < 0x10000) return {static_cast<char>(0xE0 | (code_point >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | (code_point >> 18)), tail(12), tail(6), tail(0)};
}

ByteAlphabet::ByteAlphabet() {
  bytes_.fill(-1);
  std::uint16_t next = 0x100;
  for (std::uint16_t byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    const std::uint16_t code_point = visible ? byte : next++;
    code_points_[byte] = code_point;
    bytes_[code_point] = static_cast<std::int16_t>(byte);
  }
}

std::optional<std::string> ByteAlphabet::to_bytes(std::string_view spelling) const {
  std::string bytes;
  bytes.reserve(spelling.size());
  for (std::size_t i = 0; i < spelling.size();) {
    const std::size_t length = utf8_character(spelling, i);
    if (length != 1 && length != 2) return std::nullopt; // the alphabet ends at U+0143
    const auto lead = static_cast<unsigned char>(spelling[i]);
    const std::size_t code_point =
        length == 1 ? lead : ((lead & 0x1Fu) << 6) | (static_cast<unsigned char>(spelling[i + 1]) & 0x3Fu);
    if (code_point >= bytes_.size() || bytes_[code_point] < 0) return std::nullopt;
    bytes += static_cast<char>(bytes_[code_point]);
    i += length;
  }
  return bytes;
}

std::string ByteAlphabet::to_spelling(std::string_view bytes) const {
  std::string spelling;
  for (const char c : bytes) spelling += to_utf8(code_points_[static_cast<unsigned char>(c)]);
  return spelling;
}

} // namespace kern
