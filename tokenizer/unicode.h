// UTF-8 as strictly as the Unicode standard defines it, and GPT-2's alphabet for bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kern {

/// Bytes of the well-formed UTF-8 character at `position` (Unicode 15, table 3-7: no overlong forms, no surrogates,
/// nothing past U+10FFFF); 0 where there is none.
std::size_t utf8_character(std::string_view text, std::size_t position);

/// Length of the tail of `text` that begins a well-formed UTF-8 character but ends before it is complete: 0..3.
std::size_t unfinished_utf8_tail(std::string_view text);

/// End of the longest stretch from `position` on that is well-formed (`valid`) or holds no well-formed character at
/// all.
std::size_t end_of_utf8_run(std::string_view text, std::size_t position, bool valid);

std::string to_utf8(std::uint32_t code_point);

/// The 256 characters by which GPT-2 spells bytes in vocabularies: visible Latin-1 characters stand for themselves, the
/// others, in order, for U+0100 and up. Source: bytes_to_unicode() in openai/gpt-2 src/encoder.py.
class ByteAlphabet {
public:
  ByteAlphabet();

  /// The bytes that `spelling` stands for; nothing where it has a character outside the alphabet.
  std::optional<std::string> to_bytes(std::string_view spelling) const;
  std::string to_spelling(std::string_view bytes) const;

private:
  std::array<std::uint16_t, 256> code_points_{};
  std::array<std::int16_t, 0x144> bytes_{}; // by code point; -1: not in the alphabet
};

} // namespace kern
