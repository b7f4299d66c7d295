#include "kernels/cuda/warpgroup_check.h"

#include <cassert>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/warpgroup.h"

namespace kern::cuda {

namespace {

struct TellCode {
  std::uint32_t* has_products;
};

/// The code that runs knows what it was compiled for.
__global__ void tell_code(TellCode call) {
  wait_for_inputs();
  if (thread_index() == 0) *call.has_products = has_warpgroup_products ? 1 : 0;
}

// Tiles of two warpgroups, every element of them; more units of 256 columns than there are stages, and three stages of
// 64.
constexpr int check_rows = 128;
constexpr int check_float_rows = 256;
constexpr int check_tokens = 128;
constexpr int check_columns = 1280;
constexpr int check_float_columns = 192;

/// Device memory for the time of the check, filled from the front.
class CheckMemory {
public:
  explicit CheckMemory(Device& device) : device_(device), data_(device.allocate(bytes)) { device.clear(data_, bytes); }
  ~CheckMemory() { device_.release(data_); }
  CheckMemory(const CheckMemory&) = delete;
  CheckMemory& operator=(const CheckMemory&) = delete;

  std::byte* take(std::size_t count) {
    std::byte* taken = data_ + used_;
    used_ += (count + 255) / 256 * 256;
    assert(used_ <= bytes);
    return taken;
  }
  template <class Value> Value* copy(const std::vector<Value>& values) {
    std::byte* to = take(values.size() * sizeof(Value));
    device_.copy_in(values.data(), to, values.size() * sizeof(Value));
    return reinterpret_cast<Value*>(to);
  }
  template <class Value> std::vector<Value> read(const Value* from, std::size_t count) {
    std::vector<Value> values(count);
    device_.copy_out(reinterpret_cast<const std::byte*>(from), values.data(), count * sizeof(Value));
    device_.synchronize();
    return values;
  }

private:
  static constexpr std::size_t bytes = std::size_t{4} << 20;
  Device& device_;
  std::byte* data_;
  std::size_t used_ = 0;
};

/// Numbers that look random, the same everywhere.
class CheckNumbers {
public:
  std::uint32_t operator()() {
    state_ = state_ * 1664525u + 1013904223u;
    return state_ >> 8;
  }
  /// A whole number from -3 to 3.
  float small() { return static_cast<float>(static_cast<int>((*this)() % 7) - 3); }

private:
  std::uint32_t state_ = 1;
};

template <class Block>
DeviceMatrix place_matrix(CheckMemory& memory, Format format, const std::vector<Block>& blocks, int rows, int columns) {
  const std::size_t row = blocks.size() / static_cast<std::size_t>(rows);
  const std::size_t panel = panel_bytes(format, columns);
  std::vector<std::byte> panels(matrix_bytes(format, rows, columns));
  for (std::size_t p = 0; p * panel < panels.size(); ++p)
    arrange_panel(format, reinterpret_cast<const std::byte*>(blocks.data() + p * panel_rows * row), row * sizeof(Block),
                  panel_rows, columns, panels.data() + p * panel);
  return {memory.copy(panels), rows, columns, format};
}

/// Results of all tokens and of so many rows.
float* take_results(CheckMemory& memory, std::size_t rows) {
  return reinterpret_cast<float*>(memory.take(rows * check_tokens * sizeof(float)));
}
bool same_results(CheckMemory& memory, const float* a, const float* b, std::size_t rows) {
  const std::vector<float> of_a = memory.read(a, rows * check_tokens);
  const std::vector<float> of_b = memory.read(b, rows * check_tokens);
  return std::memcmp(of_a.data(), of_b.data(), of_a.size() * sizeof(float)) == 0;
}

/// Formats that have every kind of operand: both ways give the same bits.
template <class Traits> bool check_integers(Device& device, CheckMemory& memory, CheckNumbers& number) {
  std::vector<typename Traits::Block> blocks(std::size_t{check_rows} * check_columns / Traits::width);
  for (auto& block : blocks) {
    auto* bytes = reinterpret_cast<unsigned char*>(&block);
    for (std::size_t i = 0; i < sizeof block; ++i) bytes[i] = static_cast<unsigned char>(number());
    const auto scale = [&] { return to_half(0.001f * (number.small() + 4.0f)); };
    block.d = scale();
    if constexpr (requires { block.dmin; }) block.dmin = scale();
    else block.m = scale();
  }
  std::vector<float> x(std::size_t{check_tokens} * check_columns);
  for (float& value : x) value = static_cast<float>(number() % 2001) * 0.001f - 1.0f;
  const DeviceMatrix weight = place_matrix(memory, Traits::id, blocks, check_rows, check_columns);
  constexpr int units = check_columns / unit_columns;
  constexpr int rounding = Unit<Traits>::rounding;
  const RoundedRows rounded{memory.take(RoundedRows::bytes(check_tokens, units, rounding)), units, rounding};
  float* expected = take_results(memory, check_rows);
  float* found = take_results(memory, check_rows);
  const float* on_device = memory.copy(x);
  launch_quantize(device, on_device, check_tokens, check_columns, rounding == 32 ? rounded : RoundedRows{},
                  rounding == 256 ? rounded : RoundedRows{});
  const ProductPart parts[] = {{weight, nullptr, expected}, {weight, nullptr, found}};
  launch_tile_product(device, {parts, 1}, rounded, check_tokens, Epilogue::store);
  auto* expired = reinterpret_cast<std::uint32_t*>(memory.take(sizeof(std::uint32_t)));
  launch_warpgroup_tile_product(device, {parts + 1, 1}, rounded, check_tokens, Epilogue::store, {2, expired});
  return memory.read(expired, 1)[0] == 0 && same_results(memory, expected, found, check_rows);
}

/// F16, small whole numbers: every sum is exact, whatever the order, and both ways give the same bits.
bool check_halves(Device& device, CheckMemory& memory, CheckNumbers& number) {
  std::vector<Half> blocks(std::size_t{check_float_rows} * check_float_columns);
  for (Half& block : blocks) block = to_half(number.small());
  std::vector<float> x(std::size_t{check_tokens} * check_float_columns);
  for (float& value : x) value = number.small();
  const DeviceMatrix weight = place_matrix(memory, Format::f16, blocks, check_float_rows, check_float_columns);
  float* expected = take_results(memory, check_float_rows);
  float* found = take_results(memory, check_float_rows);
  const float* on_device = memory.copy(x);
  std::byte* scratch = memory.take(warpgroup_float_bytes(check_tokens, check_float_columns));
  const ProductPart parts[] = {{weight, nullptr, expected}, {weight, nullptr, found}};
  launch_float_tile_product(device, {parts, 1}, on_device, check_tokens, Epilogue::store);
  for (const unsigned row_tiles : {2u, 4u}) {
    device.clear(reinterpret_cast<std::byte*>(found), std::size_t{check_float_rows} * check_tokens * sizeof(float));
    launch_warpgroup_float_product(device, {parts + 1, 1}, on_device, check_tokens, Epilogue::store, scratch,
                                   row_tiles);
    if (!same_results(memory, expected, found, check_float_rows)) return false;
  }
  return true;
}

bool has_code(Device& device, CheckMemory& memory) {
  auto* answer = reinterpret_cast<std::uint32_t*>(memory.take(sizeof(std::uint32_t)));
  launch(device, tell_code, {}, 32, 0, TellCode{answer});
  return memory.read(answer, 1)[0] == 1;
}

} // namespace

std::string check_warpgroup_products(Device& device) {
  device.use_warpgroup_products(false);
  const char* wish = std::getenv("KERN_GPU_WGMMA");
  if (device.info().major != 9 || (wish && std::string_view(wish) == "0")) return {};
  try {
    CheckMemory memory(device);
    if (!has_code(device, memory)) return {};
    CheckNumbers number;
    const bool right = check_integers<Q4_K>(device, memory, number) && check_integers<Q5_1>(device, memory, number) &&
                       check_halves(device, memory, number);
    device.use_warpgroup_products(right);
    if (right) return {};
    return device.info().name +
           ": products of warpgroups came out wrong in a check; prompts are computed without them, more slowly";
  } catch (const DeviceMemoryError& error) {
    return std::string(error.what()) + "; prompts are computed without products of warpgroups";
  }
}

} // namespace kern::cuda
