// What tests of kernels and models share.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "kernels/cpu/cpu_backend.h"

namespace kern {

#if defined(KERN_TILES_IN_MEMORY)
CpuKernels make_kernels_of_tiles_in_memory(); // see amx_in_memory.cpp
#endif

/// Instruction sets this machine can run, the best last.
inline std::vector<const CpuKernels*> kernel_tables() {
  std::vector<const CpuKernels*> tables;
  for (const char* name : {"portable", "neon", "i8mm", "avx2", "avxvnni", "avx512", "amx"}) {
    try {
      tables.push_back(&choose_cpu_kernels(name));
    } catch (const std::invalid_argument&) { // this machine can't
    }
  }
#if defined(KERN_TILES_IN_MEMORY)
  if (std::find(tables.begin(), tables.end(), &avx512_kernels) != tables.end()) { // it is code for AVX-512 itself
    static const CpuKernels in_memory = make_kernels_of_tiles_in_memory();
    tables.insert(tables.end() - 1, &in_memory);
  }
#endif
  return tables;
}

inline std::vector<float> random_floats(std::size_t count, unsigned seed, float scale = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// A CPU backend that never fuses: every fused operation is the interface's default.
class PrimitiveBackend final : public Backend {
public:
  explicit PrimitiveBackend(CpuBackend& cpu) : cpu_(cpu) {}
  std::string description() const override { return cpu_.description(); }
  std::uint64_t free_memory() override { return cpu_.free_memory(); }
  std::unique_ptr<Buffer> allocate(std::size_t bytes) override { return cpu_.allocate(bytes); }
  void upload(const void* host, void* to, std::size_t bytes) override { cpu_.upload(host, to, bytes); }
  void read(const void* from, void* host, std::size_t bytes) override { cpu_.read(from, host, bytes); }
  std::unique_ptr<Weight> bind(const WeightSource& source, WeightUse use) override { return cpu_.bind(source, use); }
  MemoryUse weight_memory(const WeightSource& source, WeightUse use) const override {
    return cpu_.weight_memory(source, use);
  }
  std::uint64_t workspace_bytes(const StepLimits& limits) const override { return cpu_.workspace_bytes(limits); }
  void reserve(const StepLimits& limits) override { cpu_.reserve(limits); }
  void embed(const Weight& table, const StepInputs& step, float scale, Rows out) override {
    cpu_.embed(table, step, scale, out);
  }
  void rms_norm(Rows x, const Weight& weight, float epsilon, Rows out) override {
    cpu_.rms_norm(x, weight, epsilon, out);
  }
  void matmul(const Weight& weight, Rows x, Rows out) override { cpu_.matmul(weight, x, out); }
  void add_bias(const Weight& bias, Rows x) override { cpu_.add_bias(bias, x); }
  void add(Rows x, Rows to) override { cpu_.add(x, to); }
  void activate(Activation activation, Rows up, Rows gate) override { cpu_.activate(activation, up, gate); }
  void rope_table(const Rope& rope, const StepInputs& step, Rows table) override { cpu_.rope_table(rope, step, table); }
  void rotate(const Rope& rope, Rows table, int head_dim, Rows x) override { cpu_.rotate(rope, table, head_dim, x); }
  void store_kv(const KvLayer& cache, const StepInputs& step, Rows k, Rows v) override {
    cpu_.store_kv(cache, step, k, v);
  }
  void attention(const AttentionShape& shape, const KvLayer& cache, const StepInputs& step, Rows q, Rows out) override {
    cpu_.attention(shape, cache, step, q, out);
  }
  void gather(const StepInputs& step, Rows x, Rows out) override { cpu_.gather(step, x, out); }

private:
  CpuBackend& cpu_;
};

} // namespace kern
