#include "device_on_host/grid.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <ucontext.h>

#include "device_on_host/barriers.h"
#include "device_on_host/host_warpgroup.h"
#include "kernels/cuda/shared_barrier.h"

namespace kern::test {

thread_local ThreadPlace here;

namespace {

constexpr std::size_t stack_bytes = std::size_t{128} << 10;
constexpr int warp_size = 32;
constexpr std::size_t trade_bytes = 64;
constexpr std::size_t guard_bytes = 256;

/// Where a fiber that doesn't run will go on.
struct Context {
#if defined(__x86_64__)
  void* stack = nullptr;
#else
  ucontext_t registers;
#endif
};

#if defined(__x86_64__)
// Saves what a called function must keep, changes stacks, restores. A library's swapcontext makes two system calls.
extern "C" void kern_switch_stack(void** from, void* to);
asm(R"(
.text
.globl kern_switch_stack
.type kern_switch_stack, @function
kern_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size kern_switch_stack, .-kern_switch_stack
)");
#endif

constexpr int warpgroup_size = 128;
constexpr std::size_t product_bytes = 256; // of a thread's part

enum class FiberState { ready, at_block_barrier, at_warp_barrier, at_warpgroup_barrier, at_shared_barrier, done };

/// A copy in the background.
struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
  int group; // number of groups committed before
};

/// A product of the thread's warpgroup in the background.
struct Pending {
  WarpgroupProduct product;
  int group;                                   // number of groups committed before
  bool early;                                  // d was made when it was issued
  alignas(16) std::byte d[product_bytes] = {}; // before it, or made early
};

/// What a thread at a barrier in shared memory waits for.
struct PhaseWait {
  std::uint64_t* barrier = nullptr;
  unsigned parity = 0;
  std::uint32_t* expired = nullptr;
};

struct Fiber {
  Context context;
  FiberState state = FiberState::done;
  ThreadPlace place;
  int trades = 0;
  PhaseWait wait;
  std::vector<Copy> copies; // that haven't been made yet
  int groups = 0;           // committed
  bool has_inputs = false;  // has waited for other kernels
  std::vector<Pending> products;
  int products_begun = 0;
  int product_groups = 0;        // committed
  bool registers_fenced = false; // since it waited for a product
  bool published = false;        // what it wrote, since the last barrier
};

struct Warpgroup {
  int waiting = 0;
  WarpgroupProduct product{};                      // that its threads are about to begin
  std::uint32_t fragments[2][warpgroup_size][4]{}; // this product's and the last one's
};

struct Warp {
  int waiting = 0;
  alignas(64) std::byte slots[2][warp_size * trade_bytes]; // this trade's and the last one's
};

/// One block at a time.
class BlockRun {
public:
  BlockRun(unsigned threads, ThreadOrder order, const std::function<void()>& kernel)
      : kernel_(kernel), late_copies_(order != ThreadOrder::forward),
        together_(order == ThreadOrder::scattered ? threads : warp_size),
        barriers_(late_copies_, order == ThreadOrder::scattered), fibers_(threads), warps_(threads / warp_size),
        warpgroups_((threads + warpgroup_size - 1) / warpgroup_size) {
    const std::size_t bytes = stack_bytes * threads;
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    stacks_ = static_cast<std::byte*>(memory);
  }
  ~BlockRun() { ::munmap(stacks_, stack_bytes * fibers_.size()); }
  BlockRun(const BlockRun&) = delete;
  BlockRun& operator=(const BlockRun&) = delete;

  void run(const ThreadPlace& place, std::size_t shared_bytes, std::span<const int> order) {
    waiting_ = 0;
    barriers_.reset(place.shared, shared_bytes);
    published_ = false;
    for (Warp& warp : warps_) warp.waiting = 0;
    for (Warpgroup& group : warpgroups_) group.waiting = 0;
    for (std::size_t i = 0; i < fibers_.size(); ++i) start(i, place);
    std::size_t left = fibers_.size();
    while (left > 0) {
      bool moved = false;
      for (std::size_t first = 0; first < order.size(); first += together_)
        while (pass(order.subspan(first, together_), left)) {
          moved = true;
          if (together_ == order.size()) break;
        }
      if (!moved && !barriers_.complete_copy() && !expire())
        throw std::logic_error("threads of block " + std::to_string(place.block_x) +
                               " wait for each other: some ended, or wait at another barrier");
    }
    const auto fail = [&](const char* what) {
      throw std::logic_error("a thread of block " + std::to_string(place.block_x) + what);
    };
    if (misaligned_) fail(" copies or loads what isn't aligned");
    if (fault_) fail(fault_);
    if (!barriers_.all_done() && !expired_) fail(" has ended, but not all of its copies, or others than it expected");
    for (const Fiber& fiber : fibers_) {
      if (!fiber.has_inputs) fail(" ended without waiting for its inputs");
      if (!fiber.copies.empty()) fail(" ended without waiting for its copies");
      if (!fiber.products.empty()) fail(" ended without waiting for its products");
    }
  }

  void note_inputs() { current_->has_inputs = true; }

  void block_barrier() {
    if (!meet(*current_, waiting_, 0, static_cast<int>(fibers_.size()), FiberState::at_block_barrier)) return;
    published_ = true;
    for (Fiber& fiber : fibers_) published_ = std::exchange(fiber.published, false) && published_;
  }
  void warp_barrier() {
    const int warp = current_->place.thread / warp_size;
    meet(*current_, warps_[static_cast<std::size_t>(warp)].waiting, warp * warp_size, warp_size,
         FiberState::at_warp_barrier);
  }
  const std::byte* trade(const void* from, std::size_t bytes) {
    Fiber& mine = *current_;
    Warp& warp = warps_[static_cast<std::size_t>(mine.place.thread / warp_size)];
    std::byte* slots = warp.slots[mine.trades++ % 2];
    std::memcpy(slots + static_cast<std::size_t>(mine.place.thread % warp_size) * trade_bytes, from, bytes);
    warp_barrier();
    return slots;
  }

  void copy(void* to, const void* from, std::size_t bytes) {
    const auto misaligned = [&](const void* at) { return reinterpret_cast<std::uintptr_t>(at) % bytes != 0; };
    if (misaligned(to) || misaligned(from)) report_misaligned();
    if (late_copies_) current_->copies.push_back({to, from, bytes, current_->groups});
    else std::memcpy(to, from, bytes);
  }
  void report_misaligned() { misaligned_ = true; }
  void commit_copies() { ++current_->groups; }
  void wait_for_copies(int newest) {
    Fiber& mine = *current_;
    std::erase_if(mine.copies, [&](const Copy& copy) {
      if (copy.group + newest >= mine.groups) return false;
      std::memcpy(copy.to, copy.from, copy.bytes);
      mine.published = false;
      return true;
    });
  }

  void report_fault(const char* what) {
    if (what && !expired_) fault_ = what; // who gave up to wait arrives out of turn
  }
  BlockBarriers& barriers() { return barriers_; }
  void wait_for_phase(const PhaseWait& wait) {
    Fiber& mine = *current_;
    if (!barriers_.has(wait.barrier)) fault_ = " waits for a barrier that isn't made";
    if (barriers_.has_ended(wait.barrier, wait.parity) || (wait.expired && *wait.expired != 0)) return;
    mine.wait = wait;
    mine.state = FiberState::at_shared_barrier;
    leave(mine);
  }
  void publish_shared() { current_->published = true; }
  void begin_products() { current_->registers_fenced = true; }
  void commit_products() { ++current_->product_groups; }
  void enqueue_product(const WarpgroupProduct& product) {
    Fiber& mine = *current_;
    if (!mine.registers_fenced) fault_ = " begins a product without a fence for its registers";
    if (!published_) fault_ = " begins a product of what wasn't published before the last barrier";
    Pending pending{product, mine.product_groups, !late_copies_};
    meet_warpgroup(mine, pending.product);
    const auto before = std::find_if(mine.products.rbegin(), mine.products.rend(),
                                     [&](const Pending& other) { return other.product.d == product.d; });
    if (before == mine.products.rend()) {
      std::memcpy(pending.d, product.d, product.bytes);
      std::memset(product.d, nonsense, product.bytes);
    } else std::memcpy(pending.d, before->d, product.bytes);
    if (pending.early) product.multiply(pending.product, pending.d);
    mine.products.push_back(pending);
  }
  void wait_for_products(int newest) {
    Fiber& mine = *current_;
    mine.registers_fenced = false;
    for (std::size_t i = 0; i < mine.products.size(); ++i)
      if (mine.products[i].group + newest < mine.product_groups) finish(mine, i);
    std::erase_if(mine.products, [&](const Pending& p) { return p.group + newest < mine.product_groups; });
  }

  static thread_local BlockRun* running;

private:
  static constexpr int nonsense = 0x7B;

  /// All threads of a warpgroup begin a product together, and it is the same one. Fills product.rows from fragments.
  void meet_warpgroup(Fiber& mine, WarpgroupProduct& product) {
    const int first = mine.place.thread / warpgroup_size * warpgroup_size;
    Warpgroup& group = warpgroups_[static_cast<std::size_t>(first / warpgroup_size)];
    if (group.waiting == 0) group.product = product;
    const WarpgroupProduct& theirs = group.product;
    if (theirs.multiply != product.multiply || theirs.a != product.a || theirs.b != product.b ||
        theirs.accumulate != product.accumulate || !theirs.fragment != !product.fragment)
      fault_ = " begins another product than its warpgroup";
    auto& fragments = group.fragments[mine.products_begun++ % 2];
    if (product.fragment) {
      std::memcpy(fragments[mine.place.thread - first], product.fragment, sizeof fragments[0]);
      std::memset(product.fragment, nonsense, sizeof fragments[0]);
    }
    meet(mine, group.waiting, first, warpgroup_size, FiberState::at_warpgroup_barrier);
    if (!product.fragment) return;
    const int quad = (mine.place.thread - first) / 4 * 4; // its four lanes have the same rows
    for (int i = 0; i < 16; ++i)
      std::memcpy(product.rows[i % 4 % 2] + i % 4 / 2 * 16 + i / 4 * 4, &fragments[quad + i / 4][i % 4], 4);
  }

  /// Waits in `state` until `count` threads from `first` on have come here; true for the last of them, who comes before
  /// the others go on.
  bool meet(Fiber& mine, int& waiting, int first, int count, FiberState state) {
    if (++waiting < count) {
      mine.state = state;
      leave(mine);
      return false;
    }
    waiting = 0;
    for (int i = first; i < first + count; ++i)
      if (fibers_[static_cast<std::size_t>(i)].state == state)
        fibers_[static_cast<std::size_t>(i)].state = FiberState::ready;
    return true;
  }

  /// Leaves in d what a product makes of it, or nonsense where a later one still adds to that.
  void finish(Fiber& mine, std::size_t index) {
    Pending& pending = mine.products[index];
    const WarpgroupProduct& product = pending.product;
    const auto untouched = [](const void* registers, std::size_t bytes) {
      const auto* begin = static_cast<const std::byte*>(registers);
      return std::all_of(begin, begin + bytes, [](std::byte b) { return b == std::byte{nonsense}; });
    };
    if (!untouched(product.d, product.bytes) || (product.fragment && !untouched(product.fragment, 16)))
      fault_ = " touches registers of a product that is under way";
    if (!pending.early) product.multiply(product, pending.d);
    const auto next = std::find_if(mine.products.begin() + static_cast<std::ptrdiff_t>(index) + 1, mine.products.end(),
                                   [&](const Pending& other) { return other.product.d == product.d; });
    if (next == mine.products.end()) std::memcpy(product.d, pending.d, product.bytes);
    else if (!next->early) std::memcpy(next->d, pending.d, product.bytes);
  }

  /// Lets those go on who wait for a barrier, if all have said what is to become of them.
  bool expire() {
    bool any = false;
    for (Fiber& fiber : fibers_) {
      if (fiber.state != FiberState::at_shared_barrier || !fiber.wait.expired) continue;
      *fiber.wait.expired = 1;
      fiber.state = FiberState::ready;
      any = true;
    }
    expired_ = expired_ || any;
    return any;
  }

  static void enter() {
    BlockRun& run = *running;
    run.kernel_();
    run.current_->state = FiberState::done;
    run.leave(*run.current_);
  }

  void start(std::size_t index, const ThreadPlace& place) {
    Fiber& fiber = fibers_[index];
    fiber.state = FiberState::ready;
    fiber.place = place;
    fiber.place.thread = static_cast<int>(index);
    fiber.trades = 0;
    fiber.copies.clear();
    fiber.groups = 0;
    fiber.products.clear();
    fiber.products_begun = fiber.product_groups = 0;
    fiber.registers_fenced = fiber.published = false;
    std::byte* stack = stacks_ + index * stack_bytes;
#if defined(__x86_64__)
    // As kern_switch_stack leaves it: six registers, then where to go. A function begins 8 bytes off a multiple of 16.
    auto* top = reinterpret_cast<void**>(stack + stack_bytes - 64);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(&BlockRun::enter);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    fiber.context.stack = top;
#else
    ::getcontext(&fiber.context.registers);
    fiber.context.registers.uc_stack.ss_sp = stack;
    fiber.context.registers.uc_stack.ss_size = stack_bytes;
    fiber.context.registers.uc_link = nullptr;
    ::makecontext(&fiber.context.registers, &BlockRun::enter, 0);
#endif
  }

  /// Resumes those that can go on, once; returns whether there were any.
  bool pass(std::span<const int> indices, std::size_t& left) {
    bool resumed = false;
    for (const int index : indices) {
      Fiber& fiber = fibers_[static_cast<std::size_t>(index)];
      if (fiber.state == FiberState::at_shared_barrier && barriers_.has_ended(fiber.wait.barrier, fiber.wait.parity))
        fiber.state = FiberState::ready;
      if (fiber.state != FiberState::ready) continue;
      resumed = true;
      resume(fiber);
      if (fiber.state == FiberState::done) --left;
    }
    return resumed;
  }
  void resume(Fiber& fiber) {
    current_ = &fiber;
    running = this;
    here = fiber.place;
    change(scheduler_, fiber.context);
  }
  void leave(Fiber& fiber) { change(fiber.context, scheduler_); }
  static void change(Context& from, Context& to) {
#if defined(__x86_64__)
    kern_switch_stack(&from.stack, to.stack);
#else
    ::swapcontext(&from.registers, &to.registers);
#endif
  }

  const std::function<void()>& kernel_;
  bool late_copies_;
  bool misaligned_ = false;
  const char* fault_ = nullptr; // of a thread with its products
  bool published_ = false;      // whether all threads published their writes before the last barrier
  bool expired_ = false;        // whether threads gave up to wait
  std::size_t together_;        // threads that run as far as they get before the others do
  BlockBarriers barriers_;
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  std::vector<Warpgroup> warpgroups_;
  std::byte* stacks_ = nullptr;
  Context scheduler_;
  Fiber* current_ = nullptr;
  int waiting_ = 0;
};

thread_local BlockRun* BlockRun::running = nullptr;

std::vector<int> order_of(unsigned threads, ThreadOrder order) {
  std::vector<int> indices(threads);
  for (unsigned i = 0; i < threads; ++i) indices[i] = static_cast<int>(i);
  if (order == ThreadOrder::backward) std::ranges::reverse(indices);
  if (order == ThreadOrder::scattered) // a prime that divides no number of threads
    for (unsigned i = 0; i < threads; ++i) indices[i] = static_cast<int>((i * 7919u + 13u) % threads);
  return indices;
}

} // namespace

void note_inputs() { BlockRun::running->note_inputs(); }
void wait_for_block() { BlockRun::running->block_barrier(); }
void wait_for_warp() { BlockRun::running->warp_barrier(); }
const std::byte* trade(const void* mine, std::size_t bytes) { return BlockRun::running->trade(mine, bytes); }
void copy_in_background(void* to, const void* from, std::size_t bytes) { BlockRun::running->copy(to, from, bytes); }
void commit_copies() { BlockRun::running->commit_copies(); }
void report_misaligned() { BlockRun::running->report_misaligned(); }
void wait_for_copies(int newest) { BlockRun::running->wait_for_copies(newest); }
void report_fault(const char* what) { BlockRun::running->report_fault(what); }
void publish_shared() { BlockRun::running->publish_shared(); }
void init_barrier(std::uint64_t* barrier, unsigned arrivals) {
  report_fault(BlockRun::running->barriers().init(barrier, arrivals));
}
void arrive(std::uint64_t* barrier, unsigned bytes) {
  report_fault(BlockRun::running->barriers().arrive(barrier, bytes));
}
void copy_bulk(void* shared, const void* from, unsigned bytes, std::uint64_t* barrier) {
  if (copies_get_lost()) return;
  report_fault(BlockRun::running->barriers().copy(shared, from, bytes, barrier));
}
void wait_for_phase(std::uint64_t* barrier, unsigned parity, std::uint32_t* expired) {
  BlockRun::running->wait_for_phase({barrier, parity, expired});
}
void begin_products() { BlockRun::running->begin_products(); }
void enqueue_product(const WarpgroupProduct& product) { BlockRun::running->enqueue_product(product); }
void commit_products() { BlockRun::running->commit_products(); }
void wait_for_products(int newest) { BlockRun::running->wait_for_products(newest); }

void run_grid(cuda::Grid grid, unsigned threads, std::size_t shared_bytes, ThreadOrder order,
              const std::function<void()>& kernel) {
  if (threads == 0 || threads % warp_size != 0 || threads > 1024)
    throw std::logic_error("a block of " + std::to_string(threads) + " threads, expected 32, 64 .. 1024");
  BlockRun run(threads, order, kernel);
  constexpr std::size_t alignment = 1024;
  std::vector<std::byte> memory(shared_bytes + guard_bytes + alignment);
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  std::byte* shared = memory.data() + (alignment - begin % alignment) % alignment;
  const std::vector<int> indices = order_of(threads, order);
  ThreadPlace place;
  place.threads = static_cast<int>(threads);
  place.grid_x = static_cast<int>(grid.x);
  place.grid_y = static_cast<int>(grid.y);
  place.shared = shared;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        std::memset(shared, 0xFF, shared_bytes + guard_bytes);
        place.block_x = static_cast<int>(x);
        place.block_y = static_cast<int>(y);
        place.block_z = static_cast<int>(z);
        run.run(place, shared_bytes, indices);
        const auto clean = [](std::byte b) { return b == std::byte{0xFF}; };
        if (!std::all_of(shared + shared_bytes, shared + shared_bytes + guard_bytes, clean))
          throw std::logic_error("a block writes past its " + std::to_string(shared_bytes) + " bytes of shared memory");
      }
}

} // namespace kern::test
