#include "cli/devices.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "cli/output.h"
#include "cli/terminal.h"
#include "kernels/cuda/runtime.h"
#include "kernels/gpu.h"
#include "model/architectures/registry.h"
#include "model/error.h"

namespace kern {

namespace {

bool wants_gpu(const ModelFlags& flags) {
  return flags.gpu_layers != "0" && flags.device != "none" && flags.device != "cpu";
}

/// -ngl as a number; -1: as many as fit.
int wished_layers(const ModelFlags& flags) {
  if (flags.gpu_layers == "auto" || flags.gpu_layers == "-1") return -1;
  if (flags.gpu_layers == "all" || flags.gpu_layers.size() > 6) return 1 << 20;
  return std::stoi(flags.gpu_layers);
}

/// --device: a number, or one behind "cuda" as llama.cpp lists them. Throws Error(usage).
int device_index(const std::string& name, int count) {
  if (name == "auto") return 0;
  std::string number = name;
  if (number.size() > 4 && (number.starts_with("CUDA") || number.starts_with("cuda"))) number.erase(0, 4);
  if (number.starts_with(":")) number.erase(0, 1);
  const bool digits =
      !number.empty() && number.size() < 4 && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
  if (digits && std::stoi(number) < count) return std::stoi(number);
  throw Error(ExitCode::usage, fmt::format("--device: found '{}', expected auto, none, or a number below {}, the GPUs "
                                           "that can be used here",
                                           name, count));
}

std::unique_ptr<CpuBackend> open_cpu(const ModelFlags& flags) {
  try {
    return std::make_unique<CpuBackend>(flags.threads ? flags.threads : available_threads(), choose_cpu_kernels(),
                                        flags.no_repack ? Repack::never : Repack::automatic);
  } catch (const std::invalid_argument& error) {
    throw Error(ExitCode::usage, error.what());
  }
}

/// Null where there is none to use.
std::unique_ptr<Backend> find_gpu(const ModelFlags& flags) {
  std::string reason;
  const int count = gpu_count(reason);
  const bool asked = flags.gpu_layers != "auto" || flags.device != "auto";
  if (count == 0) {
    // A build for the CPU is no news to anybody who didn't ask for a GPU.
    if ((asked || built_for_gpu()) && !flags.quiet)
      write_notice(fmt::format("kern: no GPU: {}; running on the CPU\n", reason));
    return nullptr;
  }
  const int index = device_index(flags.device, count);
  try {
    std::string notice;
    auto gpu = open_gpu(index, flags.exact, notice);
    if (!notice.empty() && !flags.quiet) write_notice(fmt::format("kern: {}\n", escape_controls(notice)));
    return gpu;
  } catch (const cuda::DeviceError& error) {
    if (asked) throw;
    if (!flags.quiet) write_notice(fmt::format("kern: {}; running on the CPU\n", escape_controls(error.what())));
    return nullptr;
  }
}

} // namespace

Devices open_devices(const ModelFlags& flags) {
  Devices devices;
  devices.cpu = open_cpu(flags);
  if (wants_gpu(flags)) devices.gpu = find_gpu(flags);
  return devices;
}

PlacedModel place_model(const Gguf& gguf, const ModelSpec& spec, const Devices& devices, const ModelFlags& flags,
                        const SessionOptions& options) {
  const PlacedModel on_cpu{{devices.cpu.get()}, Placement::all_on(0, spec.layers.size()), 0};
  if (!devices.gpu) return on_cpu;
  if (const auto layer = layer_not_for(*devices.gpu, spec)) {
    const auto& attention = std::get<Attention>(spec.layers[*layer].mixer);
    const std::string problem =
        fmt::format("{}: layer {} has heads of {} and {} numbers, the GPU's kernels take even numbers up to 256",
                    gguf.name(), *layer, attention.key_dim, attention.value_dim);
    if (wished_layers(flags) >= 0) throw Error(ExitCode::model, problem + "; -ngl 0 runs it on the CPU");
    if (!flags.quiet) write_notice(fmt::format("kern: {}; running on the CPU\n", escape_controls(problem)));
    return on_cpu;
  }
  return choose_placement(gguf, spec, *devices.cpu, *devices.gpu, {wished_layers(flags), flags.cache_on_host}, options);
}

Model load_model(const Gguf& gguf, const Devices& devices, const ModelFlags& flags, const SessionOptions& options) {
  const ModelSpec spec = read_spec(gguf);
  PlacedModel placed = place_model(gguf, spec, devices, flags, options);
  for (;;) {
    try {
      return Model(gguf, placed.backends, placed.placement);
    } catch (const cuda::DeviceMemoryError&) {
      // Somebody else took memory since it was asked for.
      if (wished_layers(flags) >= 0 || placed.gpu_layers == 0) throw;
      const PlacedModel now = place_model(gguf, spec, devices, flags, options);
      const int fewer = std::min(now.gpu_layers, placed.gpu_layers - 1);
      placed = place_layers(spec, *devices.cpu, *devices.gpu, fewer, flags.cache_on_host);
    }
  }
}

std::string describe_devices(const Devices& devices, const Model& model) {
  if (model.backends().size() == 1) return model.backend(0).description();
  const Placement& placement = model.placement();
  const auto layers = std::ranges::count(placement.ffn, 1) + (placement.output == 1 ? 1 : 0);
  return fmt::format("{} with {} of {} layers; {}", devices.gpu->description(), layers, placement.ffn.size() + 1,
                     devices.cpu->description());
}

} // namespace kern
