// Writes a model with random weights: kern_random_model SHAPE FORMAT OUT.gguf [OUTPUT_FORMAT] [--as-floats]
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/random_model.h"

namespace {

kern::Format parse_format(const std::string& name) {
  kern::Format found{};
  bool known = false;
  kern::for_each_format([&]<class Traits>(Traits) {
    if (name == Traits::name) {
      found = Traits::id;
      known = true;
    }
  });
  if (!known) throw std::invalid_argument("unknown format '" + name + "', expected one of " + kern::format_names());
  return found;
}

} // namespace

int main(int argc, char** argv) {
  const bool as_floats = argc > 4 && std::string_view(argv[argc - 1]) == "--as-floats";
  if (as_floats) --argc;
  if (argc < 4 || argc > 5) {
    std::fputs("usage: kern_random_model SHAPE FORMAT OUT.gguf [OUTPUT_FORMAT] [--as-floats]\n"
               "--as-floats writes the same weights decoded to F32\n",
               stderr);
    return 2;
  }
  try {
    kern::test::RandomModel model;
    model.shape = kern::test::find_shape(argv[1]);
    model.format = parse_format(argv[2]);
    model.output_format = parse_format(argc == 5 ? argv[4] : argv[2]);
    model.as_floats = as_floats;
    kern::test::write_random_model(model, argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kern_random_model: %s\n", error.what());
    return 1;
  }
  return 0;
}
