// An importance matrix of any bytes: finite weights by name, or kern::Error.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "model/error.h"
#include "model/importance.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto importance = kern::Importance::parse(std::as_bytes(std::span(data, size)), "importance");
    if (importance.size() == 0) __builtin_trap();
    for (const float weight : importance.find("blk.0.ffn_up.weight"))
      if (!std::isfinite(weight) || weight < 0.0f) __builtin_trap();
  } catch (const kern::Error&) {
  }
  return 0;
}
