// A file of logits of any bytes: every row it says it has can be read, or kern::Error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/logits_file.h"
#include "model/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const kern::LogitsFile file(std::as_bytes(std::span(data, size)), "logits");
    std::vector<float> row(file.vocab_size());
    for (std::size_t i = 0; i < file.chunks() * kern::scored_rows(file.context()); ++i) file.read(i, row);
    if (file.tokens().size() != file.chunks() * file.context()) __builtin_trap();
  } catch (const kern::Error&) {
  }
  return 0;
}
