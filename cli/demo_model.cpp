#include "cli/demo_model.h"

// Put into the executable by the assembler: a compiler would take minutes over megabytes of numbers.
asm(R"(
  .pushsection .rodata
  .balign 64
kern_demo_begin:
  .incbin ")" KERN_DEMO_FILE R"("
kern_demo_end:
  .byte 0
  .popsection
)");

extern "C" {
[[gnu::visibility("hidden")]] extern const std::byte kern_demo_begin[];
[[gnu::visibility("hidden")]] extern const std::byte kern_demo_end[];
}

namespace kern {

std::span<const std::byte> demo_model() {
  return {kern_demo_begin, static_cast<std::size_t>(kern_demo_end - kern_demo_begin)};
}

} // namespace kern
