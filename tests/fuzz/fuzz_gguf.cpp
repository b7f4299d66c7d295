// A model file of any bytes: headers, metadata, the model it describes, and, where all of that holds together, a few
// tokens through it. Whatever the file says, the only way out is kern::Error.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/session.h"
#include "kernels/cpu/cpu_backend.h"
#include "model/architectures/registry.h"
#include "model/error.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/weights.h"

namespace {

void expect(bool holds) {
  if (!holds) __builtin_trap();
}

template <class Getter> void attempt(Getter&& get) {
  try {
    get();
  } catch (const kern::Error&) { // a getter that doesn't fit the value's type
  }
}

void walk_metadata(const kern::Metadata& metadata) {
  for (const auto& [name, value] : metadata.values()) {
    const std::string_view key = name;
    expect(metadata.has(key) && metadata.find(key) == &value);
    for (const std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{60}})
      expect(!kern::describe(value, limit).empty() || limit == 0);
    attempt([&] { expect(metadata.get_uint(key, 100) <= 100); });
    attempt([&] { metadata.get_float(key); });
    attempt([&] { metadata.get_bool_or(key, true); });
    attempt([&] { metadata.get_string(key); });
    attempt([&] {
      for (const std::string_view text : metadata.get_strings(key)) expect(text.size() < SIZE_MAX / 2);
    });
    attempt([&] { metadata.get_floats(key); });
    attempt([&] { metadata.get_ints(key); });
  }
}

void walk_tensors(const kern::Gguf& file, std::span<const std::byte> bytes) {
  std::size_t sum = 0;
  for (const kern::TensorInfo& tensor : file.tensors()) {
    expect(file.find(tensor.name) == &tensor);
    expect(tensor.elements() > 0 && !tensor.bytes.empty());
    expect(tensor.bytes.data() >= bytes.data());
    expect(tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + bytes.size());
    sum += static_cast<std::size_t>(tensor.bytes.front()) + static_cast<std::size_t>(tensor.bytes.back());
  }
  expect(sum <= file.tensors().size() * 2 * 255); // the reads must happen
}

void run_model(const kern::Gguf& file, kern::CpuBackend& backend) {
  const kern::ModelSpec spec = kern::read_spec(file);
  kern::Backend* const backends[] = {&backend};
  const auto placement = kern::Placement::all_on(0, spec.layers.size());
  kern::plan_weights(file, spec, backends, placement);
  // Every size is that of a tensor in the file, so what follows is as small as the file.
  const kern::Model model(file, backend);
  kern::SessionOptions options;
  options.context = 4;
  options.step_tokens = 2;
  kern::Session session(model, options);
  const std::int32_t last = spec.vocab_size - 1;
  session.prefill(std::vector<std::int32_t>{0, last, 0});
  session.decode(last);
  expect(session.logits().size() == static_cast<std::size_t>(spec.vocab_size));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static kern::CpuBackend backend(1);
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const kern::Gguf file = kern::Gguf::parse(bytes, "fuzz");
    walk_metadata(file.metadata());
    walk_tensors(file, bytes);
    run_model(file, backend);
  } catch (const kern::Error&) {
  }
  return 0;
}
