#include "kernels/profiled_backend.h"

#include <algorithm>
#include <chrono>

namespace kern {

namespace {

/// "blk.7.attn_q.weight" -> "attn_q": all layers count together.
std::string short_name(std::string_view tensor) {
  if (tensor.starts_with("blk.")) tensor.remove_prefix(std::min(tensor.find('.', 4) + 1, tensor.size()));
  if (tensor.ends_with(".weight")) tensor.remove_suffix(std::string_view(".weight").size());
  return std::string(tensor);
}

} // namespace

void ProfiledBackend::start() {
  operations_.clear();
  recording_ = true;
}

std::vector<ProfiledOperation> ProfiledBackend::stop() {
  recording_ = false;
  return std::move(operations_);
}

std::unique_ptr<Weight> ProfiledBackend::bind(const WeightSource& source, WeightUse use) {
  auto weight = backend_.bind(source, use);
  if (use == WeightUse::matrix) names_.insert_or_assign(weight.get(), short_name(source.name));
  return weight;
}

template <class Run> void ProfiledBackend::record(const std::string& name, const Work& work, Run&& run) {
  auto operation = std::ranges::find(operations_, name, &ProfiledOperation::name);
  if (operation == operations_.end()) operation = operations_.insert(operation, ProfiledOperation{name, 0, 0.0, {}});
  backend_.finish();
  const auto begin = std::chrono::steady_clock::now();
  run();
  backend_.finish();
  operation->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  operation->calls += 1;
  operation->work += work;
}

template <class Run> void ProfiledBackend::time(const char* operation, const Work& work, Run&& run) {
  if (recording_) record(operation, work, run);
  else run();
}

template <class Run>
void ProfiledBackend::time_products(const char* operation, std::span<const Product> products, int tokens, Run&& run) {
  if (!recording_) return run();
  std::string name = operation;
  Work work;
  for (const Product& product : products) {
    name += " " + names_[product.weight];
    work += product_work(*product.weight, tokens);
  }
  record(name, work, run);
}

Work ProfiledBackend::step_attention_work(const AttentionShape& shape, const KvLayer& cache, const StepInputs& step) {
  const auto tokens = static_cast<std::size_t>(step.tokens);
  std::vector<std::int32_t> positions(tokens);
  std::vector<std::int32_t> sequences(tokens);
  backend_.read(step.position, positions.data(), tokens * sizeof(std::int32_t));
  backend_.read(step.sequence, sequences.data(), tokens * sizeof(std::int32_t));
  return attention_work(shape, cache.view, positions, sequences);
}

void ProfiledBackend::embed(const Weight& table, const StepInputs& step, float scale, Rows out) {
  time("embed", lookup_work(table, step.tokens), [&] { backend_.embed(table, step, scale, out); });
}

void ProfiledBackend::rms_norm(Rows x, const Weight& weight, float epsilon, Rows out) {
  time("rms_norm", {}, [&] { backend_.rms_norm(x, weight, epsilon, out); });
}

void ProfiledBackend::matmul(const Weight& weight, Rows x, Rows out) {
  const Product product{&weight, nullptr, out};
  time_products("matmul", {&product, 1}, x.rows, [&] { backend_.matmul(weight, x, out); });
}

void ProfiledBackend::add_bias(const Weight& bias, Rows x) {
  time("add_bias", {}, [&] { backend_.add_bias(bias, x); });
}

void ProfiledBackend::add(Rows x, Rows to) {
  time("add", {}, [&] { backend_.add(x, to); });
}

void ProfiledBackend::activate(Activation activation, Rows up, Rows gate) {
  time("activate", {}, [&] { backend_.activate(activation, up, gate); });
}

void ProfiledBackend::rope_table(const Rope& rope, const StepInputs& step, Rows table) {
  time("rope_table", {}, [&] { backend_.rope_table(rope, step, table); });
}

void ProfiledBackend::rotate(const Rope& rope, Rows table, int head_dim, Rows x) {
  time("rotate", {}, [&] { backend_.rotate(rope, table, head_dim, x); });
}

void ProfiledBackend::store_kv(const KvLayer& cache, const StepInputs& step, Rows k, Rows v) {
  time("store_kv", {}, [&] { backend_.store_kv(cache, step, k, v); });
}

void ProfiledBackend::attention(const AttentionShape& shape, const KvLayer& cache, const StepInputs& step, Rows q,
                                Rows out) {
  const Work work = recording_ ? step_attention_work(shape, cache, step) : Work{};
  time("attention", work, [&] { backend_.attention(shape, cache, step, q, out); });
}

void ProfiledBackend::gather(const StepInputs& step, Rows x, Rows out) {
  time("gather", {}, [&] { backend_.gather(step, x, out); });
}

void ProfiledBackend::norm_products(Rows x, const Weight& norm, float epsilon, Rows normed,
                                    std::span<const Product> products) {
  time_products("norm_products", products, x.rows, [&] { backend_.norm_products(x, norm, epsilon, normed, products); });
}

void ProfiledBackend::matmul_add(const Weight& weight, const Weight* bias, Rows x, Rows scratch, Rows residual) {
  const Product product{&weight, bias, scratch};
  time_products("matmul_add", {&product, 1}, x.rows, [&] { backend_.matmul_add(weight, bias, x, scratch, residual); });
}

void ProfiledBackend::norm_rotate_store(const HeadNorm& norm, const Rope* rope, Rows table, const KvLayer& cache,
                                        const StepInputs& step, Rows q, Rows k, Rows v) {
  time("norm_rotate_store", {}, [&] { backend_.norm_rotate_store(norm, rope, table, cache, step, q, k, v); });
}

void ProfiledBackend::norm_gate_up(Rows x, const Weight& norm, float epsilon, Activation activation, Rows normed,
                                   Product gate, Product up) {
  const Product products[] = {gate, up};
  time_products("norm_gate_up", products, x.rows,
                [&] { backend_.norm_gate_up(x, norm, epsilon, activation, normed, gate, up); });
}

} // namespace kern
