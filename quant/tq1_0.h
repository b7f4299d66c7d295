// TQ1_0: 256 ternary weights, five in a byte, that share a binary16 scale. 1.6875 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct TQ1_0 {
  struct Block {
    std::uint8_t codes[48]; // 32 bytes for weights 0..159, then 16 for 160..239: five base-3 digits a byte
    std::uint8_t rest[4];   // weights 240..255: four digits a byte
    Half d;                 // scale; weight = d * (digit - 1)
  };
  static_assert(sizeof(Block) == 48 + 4 + 2);
  static constexpr Format id = Format::tq1_0;
  static constexpr const char* name = "TQ1_0";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 256;
  static constexpr bool has_min = false;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<TQ1_0>(block, out); }

  /// codes [256], scales [1]: weight i = block_scale * scales[0] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int i = 0; i < 160; ++i) codes[i] = digit(block.codes[i % 32], i / 32);
    for (int i = 0; i < 80; ++i) codes[160 + i] = digit(block.codes[32 + i % 16], i / 16);
    for (int i = 0; i < 16; ++i) codes[240 + i] = digit(block.rest[i % 4], i / 4);
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d); }
  KERN_INLINE static void unpack_scales(const Block&, std::int16_t* scales) { scales[0] = 1; }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    for (int i = 0; i < 32; ++i) block.codes[i] = fraction(parts.digits + i, 32, 5);
    for (int i = 0; i < 16; ++i) block.codes[32 + i] = fraction(parts.digits + 160 + i, 16, 5);
    for (int i = 0; i < 4; ++i) block.rest[i] = fraction(parts.digits + 240 + i, 4, 4);
  }

private:
  /// A byte is a fraction of 256 whose base-3 digits follow the point: multiplying by 3^n (modulo 256) drops n of them,
  /// and three times the rest over 256 is the next.
  KERN_INLINE static std::int8_t digit(std::uint8_t byte, int n) {
    const int power = n == 0 ? 1 : n == 1 ? 3 : n == 2 ? 9 : n == 3 ? 27 : 81;
    const int shifted = (byte * power) & 255;
    return static_cast<std::int8_t>(((shifted * 3) >> 8) - 1);
  }
  /// `count` digits, `stride` apart, as the smallest such fraction.
  KERN_INLINE static std::uint8_t fraction(const std::uint8_t* digits, int stride, int count) {
    int number = 0;
    for (int i = 0; i < 5; ++i) number = number * 3 + (i < count ? digits[i * stride] : 0);
    return static_cast<std::uint8_t>((number * 256 + 242) / 243); // 243 = 3^5
  }
};

} // namespace kern
