// What the CUDA backend takes, launches, and does where that fails.
#include <doctest/doctest.h>

#include "device_on_host/runtime.h"
#include "engine/placement.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/device_models.h"

namespace kern {

TEST_CASE("device: a generated token is one recorded step of at most 8 launches a layer") {
  for (const char* name : {"wide-Q4_K_M", "qwen3"}) { // formats that differ within a layer; floats, norms of heads
    const Gguf gguf = test::open_fixture(name);
    const auto gpu = test::open_gpu_backend();
    const Model model(gguf, *gpu);
    Session session(model, test::device_session());
    session.prefill(test::some_tokens(3));
    session.decode(1);
    const std::uint64_t before = test::host_device_launches();
    session.decode(2);
    const std::uint64_t launches = test::host_device_launches() - before;
    constexpr std::uint64_t outside = 4; // rotation table, embedding, gathering, output
    CHECK(launches <= 8 * model.spec().layers.size() + outside);
    CHECK(launches >= 7 * model.spec().layers.size() + outside);
  }
}

TEST_CASE("device: the plan is what is taken, and automatic placement stays within free memory") {
  const Gguf gguf = test::open_fixture("wide-Q4_K_M");
  CpuBackend cpu(1);
  const ModelSpec spec = Model(gguf, cpu).spec();
  const int all = static_cast<int>(spec.layers.size()) + 1;
  test::HostDeviceOptions& host = test::host_device();
  const std::uint64_t memory = host.memory_bytes;
  int seen = 0;
  for (int layers = all; layers >= 1; --layers) {
    const auto gpu = test::open_gpu_backend();
    const std::uint64_t before = test::host_device_bytes();
    const PlacedModel placed = place_layers(spec, cpu, *gpu, layers, false);
    const std::uint64_t planned = plan_gpu(gguf, spec, placed, test::device_session());
    // With exactly that much and what is left to the driver, these layers are chosen; with less, fewer.
    host.memory_bytes = before + planned + (std::uint64_t{256} << 20);
    CHECK(choose_placement(gguf, spec, cpu, *gpu, {}, test::device_session()).gpu_layers == layers);
    host.memory_bytes -= 1;
    CHECK(choose_placement(gguf, spec, cpu, *gpu, {}, test::device_session()).gpu_layers < layers);
    host.memory_bytes = memory;
    const Model model(gguf, placed.backends, placed.placement);
    Session session(model, test::device_session());
    const std::uint64_t taken = test::host_device_bytes() - before;
    constexpr std::uint64_t of_arena = std::uint64_t{2} << 20; // rounded up, and not filled to its end
    CHECK(taken <= planned + of_arena);
    CHECK(taken + of_arena >= planned);
    ++seen;
  }
  CHECK(seen == all);
}

TEST_CASE("device: memory that runs out and kernels that fail are errors, and nothing stays taken") {
  const Gguf gguf = test::open_fixture("wide-Q8_0");
  test::HostDeviceOptions& host = test::host_device();
  const std::uint64_t before = test::host_device_bytes();
  int failures = 0;
  for (bool failed = true; failed; ++failures) {
    failed = false;
    try {
      host.fail_allocation = failures + 1;
      const auto gpu = test::open_gpu_backend();
      const Model model(gguf, *gpu);
      Session session(model, test::device_session());
      session.prefill(test::some_tokens(3));
      session.decode(1);
    } catch (const cuda::DeviceMemoryError& error) {
      failed = true;
      CHECK(std::string(error.what()).find('\n') == std::string::npos);
    }
    host.fail_allocation = 0;
    CHECK(test::host_device_bytes() == before);
  }
  CHECK(failures > 4);
  for (const int launch : {1, 7, 20}) {
    const auto gpu = test::open_gpu_backend();
    const Model model(gguf, *gpu);
    Session session(model, test::device_session());
    host.fail_launch = launch;
    CHECK_THROWS_AS(
        [&] {
          session.prefill(test::some_tokens(3));
          session.decode(1);
        }(),
        cuda::DeviceError);
    host.fail_launch = 0;
  }
}

} // namespace kern
