// A safetensors file of any bytes: tensors within it, numbers, FP8 and packed matrices of their rows; or kern::Error.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "convert/packed_rows.h"
#include "convert/safetensors.h"
#include "convert/stored_rows.h"
#include "model/error.h"
#include "quant/formats.h"

namespace {

using kern::StoredTensor;

void expect(bool holds) {
  if (!holds) __builtin_trap();
}

template <class Action> void attempt(Action&& action) {
  try {
    action();
  } catch (const kern::Error&) { // a tensor that doesn't fit what is asked
  }
}

void read_all(const kern::RowReader& reader, std::uint64_t rows, std::size_t bytes) {
  std::vector<std::byte> row(bytes);
  for (std::uint64_t r = 0; r < rows; ++r) reader.read(static_cast<std::int64_t>(r), 1, row.data());
}

void read_fp8(const StoredTensor& tensor, const StoredTensor* scale) {
  if (tensor.type != kern::StoredType::f8_e4m3 || tensor.shape.size() != 2 || tensor.elements() == 0) return;
  for (const std::uint64_t size : {1u, 2u, 3u}) {
    const std::uint64_t block[] = {size, 2};
    attempt([&] { read_all(*kern::make_fp8_rows(tensor, scale, block, {}), tensor.shape[0], tensor.shape[1] * 4); });
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  attempt([&] {
    std::map<std::string, const StoredTensor*> by_name;
    const std::vector<StoredTensor> tensors = kern::Safetensors::parse(bytes, "fuzz");
    for (const StoredTensor& tensor : tensors) {
      expect(by_name.emplace(tensor.name, &tensor).second);
      expect(tensor.bytes.size() == tensor.elements() * kern::stored_type_bytes(tensor.type));
      if (tensor.bytes.empty()) continue;
      expect(tensor.bytes.data() >= bytes.data());
      expect(tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + bytes.size());
      attempt([&] { expect(kern::stored_floats(tensor).size() == tensor.elements()); });
    }
    const auto find = [&](const char* name) {
      const auto found = by_name.find(name);
      return found == by_name.end() ? nullptr : found->second;
    };
    if (find("w")) read_fp8(*find("w"), find("w_scale"));
    if (!find("q") || !find("z") || !find("s")) return;
    for (const auto packing : {kern::PackedMatrix::Packing::gptq, kern::PackedMatrix::Packing::awq})
      for (const std::uint64_t group : {0u, 8u, 32u})
        attempt([&] {
          const kern::PackedMatrix matrix{packing, find("q"), find("z"), find("s"), find("g"), group, 1};
          const kern::PackedRows packed = kern::make_packed_rows(matrix, {}, group == 32);
          read_all(*packed.reader, packed.rows, kern::row_bytes(packed.format, packed.columns));
        });
  });
  return 0;
}
