#include "kernels/backend.h"

#include <algorithm>

namespace kern {

StepLimits StepLimits::most(const StepLimits& other) const {
  StepLimits both;
  both.tokens = std::max(tokens, other.tokens);
  both.columns = std::max(columns, other.columns);
  both.queries_per_key = std::max(queries_per_key, other.queries_per_key);
  both.heads = std::max(heads, other.heads);
  both.key_dim = std::max(key_dim, other.key_dim);
  both.value_dim = std::max(value_dim, other.value_dim);
  both.pages = std::max(pages, other.pages);
  both.vocab_size = std::max(vocab_size, other.vocab_size);
  return both;
}

void Backend::norm_products(Rows x, const Weight& norm, float epsilon, Rows normed, std::span<const Product> products) {
  rms_norm(x, norm, epsilon, normed);
  for (const Product& product : products) {
    matmul(*product.weight, normed, product.out);
    if (product.bias) add_bias(*product.bias, product.out);
  }
}

void Backend::matmul_add(const Weight& weight, const Weight* bias, Rows x, Rows scratch, Rows residual) {
  matmul(weight, x, scratch);
  if (bias) add_bias(*bias, scratch);
  add(scratch, residual);
}

void Backend::norm_rotate_store(const HeadNorm& norm, const Rope* rope, Rows table, const KvLayer& cache,
                                const StepInputs& step, Rows q, Rows k, Rows v) {
  if (norm.query) rms_norm(q, *norm.query, norm.epsilon, q);
  if (norm.key) rms_norm(k, *norm.key, norm.epsilon, k);
  if (rope) {
    const int head_dim = cache.view.shape.key_dim;
    rotate(*rope, table, head_dim, q);
    rotate(*rope, table, head_dim, k);
  }
  store_kv(cache, step, k, v);
}

void Backend::norm_gate_up(Rows x, const Weight& norm, float epsilon, Activation activation, Rows normed, Product gate,
                           Product up) {
  const Product products[] = {gate, up};
  norm_products(x, norm, epsilon, normed, products);
  activate(activation, up.out, gate.out);
}

void transfer(Backend& from, Rows source, Backend& to, Rows target, std::span<float> staging) {
  const std::size_t bytes = source.elements() * sizeof(float);
  from.read(source.data, staging.data(), bytes);
  to.upload(staging.data(), target.data, bytes);
}

} // namespace kern
