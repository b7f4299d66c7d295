#include "tokenizer/jinja/text.h"

#include <algorithm>

#include "tokenizer/unicode.h"

namespace kern::jinja {

namespace {

bool within(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

} // namespace

Text::Text(std::string bytes, bool marked) : bytes_(std::move(bytes)) {
  if (marked) mark(0, bytes_.size());
}

void Text::mark(std::size_t begin, std::size_t end) {
  if (begin == end) return;
  if (!marks_.empty() && marks_.back().end == begin) marks_.back().end = end;
  else marks_.push_back({begin, end});
}

Text& Text::append(std::string_view bytes, bool marked) {
  const std::size_t begin = bytes_.size();
  bytes_ += bytes;
  if (marked) mark(begin, bytes_.size());
  return *this;
}

Text& Text::append(const Text& other) { return append(other, 0, other.size()); }

Text& Text::append(const Text& other, std::size_t begin, std::size_t end) {
  const std::size_t base = bytes_.size();
  bytes_.append(other.bytes_, begin, end - begin);
  auto range = std::partition_point(other.marks_.begin(), other.marks_.end(),
                                    [begin](const ByteRange& r) { return r.end <= begin; });
  for (; range != other.marks_.end() && range->begin < end; ++range)
    mark(base + std::max(range->begin, begin) - begin, base + std::min(range->end, end) - begin);
  return *this;
}

Text Text::slice(std::size_t begin, std::size_t end) const {
  Text part;
  part.append(*this, begin, end);
  return part;
}

bool Text::marked(std::size_t begin, std::size_t end) const {
  const auto range =
      std::partition_point(marks_.begin(), marks_.end(), [begin](const ByteRange& r) { return r.end <= begin; });
  return range != marks_.end() && range->begin < end;
}

Character character_at(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const std::size_t size = utf8_character(text, position);
  switch (size) {
  case 1: return {byte(0), 1};
  case 2: return {static_cast<char32_t>((byte(0) & 0x1F) << 6 | (byte(1) & 0x3F)), 2};
  case 3: return {static_cast<char32_t>((byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F)), 3};
  case 4:
    return {static_cast<char32_t>((byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
                                  (byte(3) & 0x3F)),
            4};
  default: return {0xFFFD, 1};
  }
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += character_at(text, at).size) ++count;
  return count;
}

std::vector<std::size_t> character_offsets(std::string_view text) {
  std::vector<std::size_t> offsets;
  for (std::size_t at = 0; at < text.size(); at += character_at(text, at).size) offsets.push_back(at);
  offsets.push_back(text.size());
  return offsets;
}

bool is_space(char32_t c) {
  return within(c, 9, 13) || within(c, 0x1C, 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         within(c, 0x2000, 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_letter(char32_t c) {
  if (c < 0x80) return within(c | 0x20, 'a', 'z');
  if (c == 0xAA || c == 0xB5 || c == 0xBA) return true;
  return c >= 0xC0 && c != 0xD7 && c != 0xF7 && !within(c, 0x2000, 0x206F) && !within(c, 0x20A0, 0x2BFF) &&
         !within(c, 0x3000, 0x3004) && !within(c, 0x3008, 0x3020) && !within(c, 0xFF00, 0xFF20) &&
         !within(c, 0x1F000, 0x1FAFF) && c != 0xFFFD;
}

bool is_digit(char32_t c) { return within(c, '0', '9') || within(c, 0x660, 0x669) || within(c, 0xFF10, 0xFF19); }

char32_t to_upper(char32_t c) {
  if (c < 0x80) return within(c, 'a', 'z') ? c - 32 : c;
  if (c == 0xB5) return 0x39C;
  if (c == 0xFF) return 0x178;
  if (within(c, 0xE0, 0xFE) && c != 0xF7) return c - 32;
  if (within(c, 0x100, 0x137) || within(c, 0x14A, 0x177)) return c == 0x131 ? 'I' : c & ~char32_t{1};
  if (within(c, 0x139, 0x148) || within(c, 0x179, 0x17E)) return c % 2 == 0 ? c - 1 : c;
  if (c == 0x17F) return 'S';
  if (c == 0x3AC) return 0x386;
  if (within(c, 0x3AD, 0x3AF)) return c - 37;
  if (c == 0x3C2) return 0x3A3;
  if (within(c, 0x3B1, 0x3CB)) return c - 32;
  if (c == 0x3CC) return 0x38C;
  if (within(c, 0x3CD, 0x3CE)) return c - 63;
  if (within(c, 0x430, 0x44F)) return c - 32;
  if (within(c, 0x450, 0x45F)) return c - 80;
  return c;
}

char32_t to_lower(char32_t c) {
  if (c < 0x80) return within(c, 'A', 'Z') ? c + 32 : c;
  if (within(c, 0xC0, 0xDE) && c != 0xD7) return c + 32;
  if (c == 0x178) return 0xFF;
  if ((within(c, 0x100, 0x137) || within(c, 0x14A, 0x177)) && c != 0x130 && c != 0x131) return c | 1;
  if (within(c, 0x139, 0x148) || within(c, 0x179, 0x17E)) return c % 2 == 1 ? c + 1 : c;
  if (c == 0x386) return 0x3AC;
  if (within(c, 0x388, 0x38A)) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (within(c, 0x38E, 0x38F)) return c + 63;
  if (within(c, 0x391, 0x3AB) && c != 0x3A2) return c + 32;
  if (within(c, 0x410, 0x42F)) return c + 32;
  if (within(c, 0x400, 0x40F)) return c + 80;
  return c;
}

bool is_printable(char32_t c) {
  if (c < 0xA1) return within(c, 0x20, 0x7E);
  return c != 0xAD && !is_space(c) && !within(c, 0x200B, 0x200F) && !within(c, 0x202A, 0x202E) &&
         !within(c, 0x2060, 0x206F) && !within(c, 0xE000, 0xF8FF) && c != 0xFEFF && c < 0xE0000;
}

template <class Map> Text map_characters(const Text& text, Map map) {
  Text out;
  const std::string_view view = text.view();
  for (std::size_t at = 0; at < view.size();) {
    const Character c = character_at(view, at);
    const char32_t mapped = map(c.code);
    if (mapped == c.code) out.append(text, at, at + c.size);
    else out.append(to_utf8(static_cast<std::uint32_t>(mapped)), text.marked(at, at + c.size));
    at += c.size;
  }
  return out;
}

Text upper(const Text& text) {
  Text out;
  const std::string_view view = text.view();
  std::size_t done = 0;
  // The one common letter that becomes two.
  for (std::size_t at = view.find("\xC3\x9F"); at != std::string_view::npos; at = view.find("\xC3\x9F", done)) {
    out.append(map_characters(text.slice(done, at), to_upper)).append("SS", text.marked(at, at + 2));
    done = at + 2;
  }
  return out.append(map_characters(text.slice(done, text.size()), to_upper));
}

Text lower(const Text& text) { return map_characters(text, to_lower); }

Text capitalize(const Text& text) {
  return map_characters(text, [first = true](char32_t c) mutable {
    const char32_t mapped = first ? to_upper(c) : to_lower(c);
    first = false;
    return mapped;
  });
}

Text title(const Text& text) {
  return map_characters(text, [in_word = false](char32_t c) mutable {
    const char32_t mapped = in_word ? to_lower(c) : to_upper(c);
    in_word = is_letter(c);
    return mapped;
  });
}

Text swap_case(const Text& text) {
  return map_characters(text, [](char32_t c) { return to_upper(c) != c ? to_upper(c) : to_lower(c); });
}

Text strip(const Text& text, Ends ends, const Text* characters) {
  const std::string_view view = text.view();
  const auto goes = [&](std::size_t at, const Character& c) {
    if (!characters) return is_space(c.code);
    return characters->view().find(view.substr(at, c.size)) != std::string_view::npos;
  };
  std::size_t begin = 0;
  std::size_t end = view.size();
  if (ends != Ends::right)
    while (begin < end) {
      const Character c = character_at(view, begin);
      if (!goes(begin, c)) break;
      begin += c.size;
    }
  if (ends != Ends::left)
    while (begin < end) {
      std::size_t last = end - 1;
      // Back to where the last character begins: at most four bytes.
      for (std::size_t back = 2; back <= 4 && back <= end - begin; ++back)
        if (utf8_character(view, end - back) == back) last = end - back;
      const Character c = character_at(view, last);
      if (!goes(last, c)) break;
      end = last;
    }
  return text.slice(begin, end);
}

} // namespace kern::jinja
