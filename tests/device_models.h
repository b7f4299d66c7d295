// Models for tests of the CUDA backend.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/session.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/fixtures.h"

namespace kern::test {

inline std::unique_ptr<CudaBackend> open_gpu_backend(bool exact = false) {
  return std::make_unique<CudaBackend>(cuda::open_device(0), exact);
}

inline SessionOptions device_session(Format cache = Format::f16, int step_tokens = 512) {
  SessionOptions options;
  options.context = 192;
  options.step_tokens = step_tokens;
  options.key_format = options.value_format = cache;
  return options;
}

inline std::int32_t argmax(std::span<const float> scores) {
  return static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

/// Logits after a prompt and after each of some greedy tokens.
inline std::vector<float> trace(const Model& model, const SessionOptions& options, std::span<const std::int32_t> prompt,
                                int generated = 3) {
  Session session(model, options);
  session.prefill(prompt);
  std::vector<float> all;
  for (int i = 0; i <= generated; ++i) {
    all.insert(all.end(), session.logits().begin(), session.logits().end());
    if (i < generated) session.decode(argmax(session.logits()));
  }
  return all;
}

inline Gguf open_fixture(const std::string& name) { return Gguf::open(test::data_path("models/" + name + ".gguf")); }

/// Some tokens of any vocabulary that has 256.
inline std::vector<std::int32_t> some_tokens(int count) {
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 37 + 11) % 256);
  return tokens;
}

} // namespace kern::test
