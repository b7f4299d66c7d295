// What the host makes of kernels that use products of warpgroups as hardware wouldn't let them.
#include "device_on_host/host_warpgroup.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "device_on_host/grid.h"
#include "kernels/cuda/shared_barrier.h"
#include "kernels/cuda/warpgroup.h"

namespace kern {

namespace {

using cuda::begin_warpgroup_products;
using cuda::block_barrier;
using cuda::commit_warpgroup_products;
using cuda::operand_offset;
using cuda::operand_row_bytes;
using cuda::shared_address;
using cuda::shared_memory;
using cuda::swizzled_operand;
using cuda::thread_index;
using cuda::wait_for_inputs;
using cuda::wait_warpgroup_products;
using cuda::warpgroup_multiply_bytes;
using cuda::warpgroup_multiply_halves;
using cuda::warpgroup_threads;

/// What a kernel leaves out, or does that it mustn't.
enum class Misuse {
  none,
  unpublished,
  published_too_early,
  no_fence,
  no_wait,
  touched,
  other_operand,
  unknown_swizzle,
  misaligned,
  read_early,
  overwritten,
  fragment_touched,
  fragment_missing,
};

/// One product of ones, 16 of them along k; returns what the kernel's first thread has at the end.
int product_of_ones(test::ThreadOrder order, Misuse misuse) {
  int result = 0;
  const auto kernel = [&] {
    wait_for_inputs();
    auto* shared = &shared_memory<unsigned char>();
    constexpr unsigned bytes = 128 * operand_row_bytes;
    const auto thread = static_cast<unsigned>(thread_index());
    if (misuse == Misuse::published_too_early) cuda::publish_shared();
    if (misuse == Misuse::published_too_early) block_barrier();
    for (unsigned i = thread; i < bytes; i += warpgroup_threads) shared[i] = i % 2 == 0 ? 0 : 0x3C; // halves of 1
    if (misuse != Misuse::unpublished && misuse != Misuse::published_too_early) cuda::publish_shared();
    block_barrier();
    float d[64] = {};
    std::uint64_t a = swizzled_operand(shared_address(shared));
    if (misuse == Misuse::other_operand && thread >= 32) a += operand_offset(1024);
    if (misuse == Misuse::unknown_swizzle) a |= std::uint64_t{2} << 62;
    if (misuse == Misuse::misaligned) a += operand_offset(128);
    if (misuse != Misuse::no_fence) begin_warpgroup_products();
    warpgroup_multiply_halves(d, a, swizzled_operand(shared_address(shared)), false);
    commit_warpgroup_products();
    if (misuse == Misuse::read_early && thread == 0) result = static_cast<int>(d[0] == 16.0f) * 16;
    if (misuse == Misuse::touched) d[5] = 7;
    if (misuse == Misuse::overwritten) shared[thread * 32 + 1] = 0;
    if (misuse == Misuse::no_wait) return;
    wait_warpgroup_products<0>(d);
    if (misuse != Misuse::read_early && thread == 0) result = static_cast<int>(d[0]);
  };
  test::run_grid({}, warpgroup_threads, 128 * operand_row_bytes, order, kernel);
  return result;
}

/// The same with ones in registers, by the row's number.
int product_of_fragments(test::ThreadOrder order, Misuse misuse) {
  int result = 0;
  const auto kernel = [&] {
    wait_for_inputs();
    auto* shared = &shared_memory<unsigned char>();
    const auto thread = static_cast<unsigned>(thread_index());
    for (unsigned i = thread; i < 128 * operand_row_bytes; i += warpgroup_threads) shared[i] = 1;
    cuda::publish_shared();
    block_barrier();
    const std::uint32_t row = thread / 32 * 16 + thread % 32 / 4; // and eight more
    std::uint32_t a[4] = {0x01010101u * row, 0x01010101u * (row + 8), 0, 0x01010101u};
    int d[64] = {};
    const std::uint64_t b = swizzled_operand(shared_address(shared));
    begin_warpgroup_products();
    if (misuse == Misuse::fragment_missing && thread == 3) {
      float other[64] = {};
      warpgroup_multiply_halves(other, b, b, false);
      commit_warpgroup_products();
      wait_warpgroup_products<0>(other);
      return;
    }
    warpgroup_multiply_bytes(d, a, b, false);
    commit_warpgroup_products();
    if (misuse == Misuse::fragment_touched) a[1] = 7;
    wait_warpgroup_products<0>(d);
    if (thread == 37) result = d[0] * 1000 + d[2]; // rows 17 and 25
  };
  test::run_grid({}, warpgroup_threads, 128 * operand_row_bytes, order, kernel);
  return result;
}

enum class BarrierMisuse {
  none,
  not_made,
  made_twice,
  misaligned,
  outside,
  empty,
  expects_more,
  expects_less,
  too_many_arrivals,
  no_wait,
  next_phase,
};

/// One thread brings 64 words in two pieces, and all add up what they see; returns a thread's sum.
int sum_of_copies(test::ThreadOrder order, BarrierMisuse misuse, std::uint32_t* expired = nullptr) {
  struct Shared {
    alignas(16) int words[64];
    cuda::SharedBarrier barrier;
  };
  alignas(16) static int source[68];
  for (int i = 0; i < 68; ++i) source[i] = i;
  int result = 0;
  const auto kernel = [&] {
    wait_for_inputs();
    auto& shared = shared_memory<Shared>();
    if (thread_index() == 0 && misuse != BarrierMisuse::not_made) cuda::init_barrier(shared.barrier, 1);
    if (thread_index() == 0 && misuse == BarrierMisuse::made_twice) cuda::init_barrier(shared.barrier, 1);
    cuda::publish_shared();
    block_barrier();
    if (thread_index() == 0) {
      const unsigned wrong = misuse == BarrierMisuse::expects_more   ? 16
                             : misuse == BarrierMisuse::expects_less ? -16u
                                                                     : 0;
      cuda::arrive_expecting(shared.barrier, 256 + wrong);
      if (misuse == BarrierMisuse::too_many_arrivals) cuda::arrive(shared.barrier);
      const int* from = source + (misuse == BarrierMisuse::misaligned ? 1 : 0);
      int* to = shared.words + (misuse == BarrierMisuse::outside ? 64 : 0);
      cuda::copy_bulk(to, from, misuse == BarrierMisuse::empty ? 0 : 128, shared.barrier);
      cuda::copy_bulk(shared.words + 32, source + 32, 128, shared.barrier);
    }
    if (misuse != BarrierMisuse::no_wait)
      cuda::wait_for_phase(shared.barrier, misuse == BarrierMisuse::next_phase ? 1 : 0, expired);
    int sum = 0;
    for (const int word : shared.words) sum += word;
    if (thread_index() == 63) result = sum;
  };
  test::run_grid({}, 64, sizeof(Shared), order, kernel);
  return result;
}

} // namespace

TEST_CASE("host executor: copies in one piece come when their barrier says so, and misuse is noticed") {
  for (const test::ThreadOrder order :
       {test::ThreadOrder::forward, test::ThreadOrder::backward, test::ThreadOrder::scattered}) {
    CHECK(sum_of_copies(order, BarrierMisuse::none) == 64 * 63 / 2);
    for (const BarrierMisuse misuse : {BarrierMisuse::not_made, BarrierMisuse::made_twice, BarrierMisuse::misaligned,
                                       BarrierMisuse::outside, BarrierMisuse::empty, BarrierMisuse::expects_more,
                                       BarrierMisuse::expects_less, BarrierMisuse::too_many_arrivals}) {
      CAPTURE(static_cast<int>(misuse));
      CHECK_THROWS_AS(sum_of_copies(order, misuse), std::logic_error);
    }
  }
  // Copies come as late as may be, in all orders but the first.
  for (const BarrierMisuse misuse : {BarrierMisuse::no_wait, BarrierMisuse::next_phase})
    CHECK_THROWS_AS(sum_of_copies(test::ThreadOrder::backward, misuse), std::logic_error);
  // Who waits for what doesn't come goes on where that is said.
  std::uint32_t expired = 0;
  sum_of_copies(test::ThreadOrder::forward, BarrierMisuse::expects_more, &expired);
  CHECK(expired == 1);
}

TEST_CASE("host executor: a product of a warpgroup is what it should be, and misuse is noticed") {
  for (const test::ThreadOrder order :
       {test::ThreadOrder::forward, test::ThreadOrder::backward, test::ThreadOrder::scattered}) {
    CHECK(product_of_ones(order, Misuse::none) == 16);
    for (const Misuse misuse : {Misuse::unpublished, Misuse::published_too_early, Misuse::no_fence, Misuse::no_wait,
                                Misuse::touched, Misuse::other_operand, Misuse::unknown_swizzle, Misuse::misaligned}) {
      CAPTURE(static_cast<int>(misuse));
      CHECK_THROWS_AS(product_of_ones(order, misuse), std::logic_error);
    }
    CHECK(product_of_ones(order, Misuse::read_early) != 16);
    CHECK(product_of_fragments(order, Misuse::none) == 16 * 17 * 1000 + 16 * (25 + 1));
    CHECK_THROWS_AS(product_of_fragments(order, Misuse::fragment_touched), std::logic_error);
    CHECK_THROWS_AS(product_of_fragments(order, Misuse::fragment_missing), std::logic_error);
  }
  // Operands are read as late as may be, in all orders but the first.
  CHECK(product_of_ones(test::ThreadOrder::scattered, Misuse::overwritten) != 16);
}

} // namespace kern
