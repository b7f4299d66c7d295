#include "cli/editor/width.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "cli/editor/width_table.h"
#include "tokenizer/unicode.h"

namespace kern {

namespace {

constexpr std::uint32_t no_character = 0xFFFFFFFF;
constexpr int max_spacing_marks = 6;
constexpr std::uint32_t joiner = 0x200D;
constexpr std::uint32_t emoji_selector = 0xFE0F;

struct Code {
  std::uint32_t code = no_character;
  std::size_t size = 1;
};

/// The code point at a position; `no_character` for a byte that belongs to none.
Code code_at(std::string_view text, std::size_t position) {
  const std::size_t size = utf8_character(text, position);
  if (size == 0) return {};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
  if (size == 1) return {byte(0), 1};
  std::uint32_t code = byte(0) & (0xFFu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) code = code << 6 | (byte(i) & 0x3Fu);
  return {code, size};
}

bool is_flag_letter(std::uint32_t code) { return code >= 0x1F1E6 && code <= 0x1F1FF; }
bool is_skin_tone(std::uint32_t code) { return code >= 0x1F3FB && code <= 0x1F3FF; }

/// Where emoji are, roughly: what a joiner joins.
bool is_picture(std::uint32_t code) {
  return (code >= 0x2190 && code <= 0x2BFF) || (code >= 0x1F000 && code <= 0x1FAFF) || code == 0xA9 || code == 0xAE ||
         code == 0x2122 || code == 0x3030 || code == 0x303D || code == 0x3297 || code == 0x3299;
}

bool is_control(std::uint32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == no_character; }

/// Changes the direction of writing, or breaks the line.
bool disturbs(std::uint32_t code) {
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0x200E || code == 0x200F ||
         code == 0x2028 || code == 0x2029;
}

bool belongs_to_previous(std::uint32_t code) {
  if (is_control(code) || disturbs(code)) return false;
  const CharacterKind kind = character_kind(code);
  return kind == CharacterKind::mark || kind == CharacterKind::spacing;
}

} // namespace

CharacterKind character_kind(std::uint32_t code) {
  const auto behind = std::ranges::upper_bound(width_ranges, code, {}, &WidthRange::first);
  return behind == std::begin(width_ranges) ? CharacterKind::narrow : std::prev(behind)->kind;
}

std::size_t next_character(std::string_view text, std::size_t position) {
  // Nothing below 0x80 belongs to what stands before it.
  const auto is_ascii = [&](std::size_t i) { return static_cast<unsigned char>(text[i]) < 0x80; };
  if (is_ascii(position) && (position + 1 == text.size() || is_ascii(position + 1))) return position + 1;
  const Code first = code_at(text, position);
  std::size_t end = position + first.size;
  if (is_control(first.code) || disturbs(first.code)) return end;
  if (is_flag_letter(first.code) && end < text.size()) {
    const Code second = code_at(text, end);
    if (is_flag_letter(second.code)) end += second.size;
  }
  std::uint32_t last = first.code;
  int spacing = 0;
  while (end < text.size()) {
    const Code next = code_at(text, end);
    // So that no character is wider than a narrow terminal.
    if (character_kind(next.code) == CharacterKind::spacing && ++spacing > max_spacing_marks) break;
    const bool joined = last == joiner && is_picture(first.code) && is_picture(next.code);
    const bool toned = is_picture(first.code) && is_skin_tone(next.code);
    if (!joined && !toned && !belongs_to_previous(next.code)) break;
    end += next.size;
    last = next.code;
  }
  return end;
}

std::size_t previous_character(std::string_view text, std::size_t position) {
  // Where a character begins can only be told from a place that is sure to begin one: a line's first.
  const std::size_t newline = position > 1 ? text.rfind('\n', position - 2) : std::string_view::npos;
  std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  for (;;) {
    const std::size_t next = next_character(text, begin);
    if (next >= position) return begin;
    begin = next;
  }
}

ShownCharacter show_character(std::string_view character) {
  if (is_plain(character)) return {std::string(character), 1};
  const Code first = code_at(character, 0);
  if (first.code == '\t') return {"    ", 4};
  if (first.code == no_character) return {fmt::format("\\x{:02x}", static_cast<unsigned char>(character[0])), 4};
  if (first.code < 0x20 || first.code == 0x7F) return {fmt::format("\\x{:02x}", first.code), 4};
  if (is_control(first.code) || disturbs(first.code)) return {fmt::format("\\u{:04x}", first.code), 6};
  const auto columns = [](CharacterKind kind) {
    return kind == CharacterKind::wide ? 2 : kind == CharacterKind::mark ? 0 : 1;
  };
  int width = columns(character_kind(first.code));
  const bool picture = is_picture(first.code) || is_flag_letter(first.code);
  for (std::size_t i = first.size; i < character.size();) {
    const Code next = code_at(character, i);
    if (picture) width = next.code == emoji_selector || is_flag_letter(next.code) ? 2 : width;
    else width += columns(character_kind(next.code));
    i += next.size;
  }
  return {std::string(character), width};
}

int columns_of(std::string_view text) {
  int columns = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t next = next_character(text, i);
    const std::string_view character = text.substr(i, next - i);
    columns += is_plain(character) ? 1 : show_character(character).columns;
    i = next;
  }
  return columns;
}

} // namespace kern
