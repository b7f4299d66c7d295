// Products of warpgroups on the CPU: what kernels/cuda/warpgroup.h names, as functions. Operands are found by the same
// descriptors, as the hardware reads them.
//
// A product's operands are read as soon or as late as they may be: when it is issued, or when it is waited for
// (grid.h). Meanwhile its registers hold nonsense, which must still be there when it ends.
#pragma once

#include <span>
#include <type_traits>

#include "device_on_host/host_device.h"

namespace kern::test {

/// One thread's part of a product.
struct WarpgroupProduct {
  void (*multiply)(const WarpgroupProduct&, void* d); // reads operands, writes d
  void* d;
  std::size_t bytes; // of d
  std::uint64_t a, b;
  bool accumulate;
  std::uint32_t* fragment = nullptr; // [4]: a, where it is in registers; nonsense meanwhile, as d
  std::byte rows[2][32] = {};        // of a then, that the thread's part of d needs
};
/// All threads of the warpgroup come by here. The launch throws where their operands differ, no register fence stands
/// before, or the block's last barrier was reached by a thread that hadn't published its writes.
void enqueue_product(const WarpgroupProduct& product);
void begin_products();
void commit_products();
void wait_for_products(int newest);
/// The thread's writes to shared memory and its finished copies may be read by products after the next barrier.
void publish_shared();
/// The launch will throw, with this about a thread.
void report_fault(const char* what);
/// Whether operands are to be read as hardware would that knows another swizzle: for tests of what notices it.
bool operands_are_misread();

/// An operand in shared memory, as PTX says under "Matrix Descriptor Format": rows of 32 bytes along k.
class WarpgroupOperand {
public:
  explicit WarpgroupOperand(std::uint64_t descriptor)
      : start_(field(descriptor, 0)), leading_(field(descriptor, 16)), stride_(field(descriptor, 32)),
        swizzled_(descriptor >> 62 == 1) {
    if (descriptor >> 62 > 1) report_fault(" has an operand with another swizzle than kernels here use");
    if ((descriptor >> 49 & 7) != 0 || (swizzled_ && (start_ & 0x380) != 0))
      report_fault(" has an operand whose pattern doesn't begin at a multiple of 1024");
  }
  /// Bytes 0..31 of row `row`.
  void read(unsigned row, std::byte (&to)[32]) const {
    for (unsigned piece = 0; piece < 2; ++piece) std::memcpy(to + piece * 16, here.shared + place(row, piece), 16);
  }

private:
  static std::uint32_t field(std::uint64_t descriptor, int bit) {
    return static_cast<std::uint32_t>(descriptor >> bit & 0x3FFF) << 4;
  }
  std::uint32_t place(unsigned row, unsigned piece) const {
    if (!swizzled_) return start_ + row / 8 * stride_ + piece * leading_ + row % 8 * 16;
    const std::uint32_t at = start_ + row / 8 * stride_ + row % 8 * 128 + piece * 16;
    return operands_are_misread() ? at : at ^ (at >> 7 & 7) << 4;
  }

  std::uint32_t start_, leading_, stride_;
  bool swizzled_;
};

/// Column and row of element i of a thread's part of d; see kernels/cuda/warpgroup.h.
inline unsigned product_row(unsigned i) {
  const auto thread = static_cast<unsigned>(here.thread) % 128;
  return thread / 32 * 16 + thread % 32 / 4 + i % 4 / 2 * 8;
}
inline unsigned product_column(unsigned i) { return i / 4 * 8 + static_cast<unsigned>(here.thread) % 4 * 2 + i % 2; }

/// d += a * b: numbers [32 / size of one] along k, each widened by `convert`.
template <class Sum, class NumberA, class NumberB, class Convert>
void multiply_operands(const WarpgroupProduct& product, std::span<Sum> d, Convert&& convert) {
  constexpr std::size_t length = 32 / sizeof(NumberA);
  const WarpgroupOperand b(product.b);
  const auto widen = [&]<class Number>(const std::byte(&bytes)[32], Sum(&to)[length], Number number) {
    for (std::size_t k = 0; k < length; ++k) {
      std::memcpy(&number, bytes + k * sizeof(Number), sizeof(Number));
      to[k] = convert(number);
    }
  };
  const auto read = [](const WarpgroupOperand& operand, unsigned row, std::byte(&bytes)[32]) -> const auto& {
    operand.read(row, bytes);
    return bytes;
  };
  Sum rows[2][length];
  std::byte bytes[32];
  for (unsigned r = 0; r < 2; ++r)
    widen(product.fragment ? product.rows[r] : read(WarpgroupOperand(product.a), product_row(2 * r), bytes), rows[r],
          NumberA{});
  for (std::size_t i = 0; i < d.size(); ++i) {
    if (i % 4 >= 2) continue; // with the same column of the row above
    Sum column[length];
    widen(read(b, product_column(static_cast<unsigned>(i)), bytes), column, NumberB{});
    for (std::size_t r = 0; r < 2; ++r) {
      Sum& sum = d[i + r * 2];
      if (!product.accumulate) sum = 0;
      for (std::size_t k = 0; k < length; ++k) sum += rows[r][k] * column[k];
    }
  }
}

} // namespace kern::test

namespace kern::cuda {

inline constexpr bool has_warpgroup_products = true;

inline std::uint32_t shared_address(const void* shared) {
  return static_cast<std::uint32_t>(static_cast<const std::byte*>(shared) - test::here.shared);
}
inline void publish_shared() { test::publish_shared(); }
inline void begin_warpgroup_products() { test::begin_products(); }
inline void commit_warpgroup_products() { test::commit_products(); }
template <int newest, class Sum, std::size_t count> void wait_warpgroup_products(Sum (&)[count]) {
  test::wait_for_products(newest);
}
template <int newest> void wait_warpgroup_operands() { test::wait_for_products(newest); }

/// a is a descriptor, or [4] in registers.
template <class NumberA, class NumberB, class Sum, std::size_t count, class Operand>
void warpgroup_multiply(Sum (&d)[count], Operand& a, std::uint64_t b, bool accumulate) {
  const auto multiply = [](const test::WarpgroupProduct& product, void* to) {
    test::multiply_operands<Sum, NumberA, NumberB>(product, std::span(static_cast<Sum*>(to), count), [](auto number) {
      if constexpr (std::is_integral_v<decltype(number)>) return int{number};
      else return to_float(number);
    });
  };
  test::WarpgroupProduct product{multiply, d, sizeof d, 0, b, accumulate};
  if constexpr (std::is_array_v<Operand>) product.fragment = a;
  else product.a = a;
  test::enqueue_product(product);
}
inline void warpgroup_multiply_bytes(int (&d)[64], std::uint32_t (&a)[4], std::uint64_t b, bool accumulate) {
  warpgroup_multiply<std::int8_t, std::int8_t>(d, a, b, accumulate);
}
inline void warpgroup_multiply_unsigned_signed(int (&d)[64], std::uint32_t (&a)[4], std::uint64_t b, bool accumulate) {
  warpgroup_multiply<std::uint8_t, std::int8_t>(d, a, b, accumulate);
}
inline void warpgroup_multiply_unsigned(int (&d)[64], std::uint32_t (&a)[4], std::uint64_t b, bool accumulate) {
  warpgroup_multiply<std::uint8_t, std::uint8_t>(d, a, b, accumulate);
}
inline void warpgroup_multiply_halves(float (&d)[64], std::uint64_t a, std::uint64_t b, bool accumulate) {
  warpgroup_multiply<Half, Half>(d, a, b, accumulate);
}
inline void warpgroup_multiply_bfloats(float (&d)[64], std::uint64_t a, std::uint64_t b, bool accumulate) {
  warpgroup_multiply<BFloat16, BFloat16>(d, a, b, accumulate);
}

} // namespace kern::cuda
