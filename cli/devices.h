// What models run on: the CPU always, and a GPU where there is one and the flags let it be used.
#pragma once

#include <memory>
#include <string>

#include "cli/options.h"
#include "engine/placement.h"
#include "kernels/cpu/cpu_backend.h"
#include "model/model.h"

namespace kern {

struct Devices {
  std::unique_ptr<CpuBackend> cpu;
  std::unique_ptr<Backend> gpu; // null: none
};

/// Opens what the flags ask for; says on standard error where that includes a GPU and there is none. Throws
/// Error(usage) for a wrong $KERN_CPU or --device.
Devices open_devices(const ModelFlags& flags);

/// Where the layers go. With -ngl auto: as many on the GPU as its free memory holds beside the session's cache and
/// scratch.
PlacedModel place_model(const Gguf& gguf, const ModelSpec& spec, const Devices& devices, const ModelFlags& flags,
                        const SessionOptions& options);

/// A model with its weights where place_model() says; with -ngl auto on fewer layers where the GPU's memory has become
/// less since. Throws Error(memory), cuda::DeviceMemoryError.
Model load_model(const Gguf& gguf, const Devices& devices, const ModelFlags& flags, const SessionOptions& options);

/// "NVIDIA H200, compute 9.0", "CPU, avx512, 2 threads", or both and how the layers are shared.
std::string describe_devices(const Devices& devices, const Model& model);

} // namespace kern
