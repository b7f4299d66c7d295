// Writes a model of a few hundred kilobytes that always gives the same answer, so that there is something to run before
// a real model is at hand: kern_tiny_model OUT.gguf
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "tests/chain_model.h"

namespace {

constexpr const char* answer =
    "Hello! I am a tiny hand-made model: nobody trained me, my weights were written when kern was built, one row for "
    "each word of this answer. So I say the same whatever you ask. To hear something new, run a real model, any GGUF "
    "file that llama.cpp runs too:\n\n  kern run -m model.gguf \"Why is the sky blue?\"";

/// A word and the space before it are one token.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (const char c : text) {
    if (words.empty() || (c == ' ' && words.back() != " ") || c == '\n') words.emplace_back();
    words.back() += c;
  }
  return words;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: kern_tiny_model OUT.gguf\n", stderr);
    return 2;
  }
  try {
    kern::test::ChainModel model = kern::test::answer_model(words_of(answer));
    model.name = "tiny";
    model.chat_template = kern::test::chatml_template;
    model.eos = kern::test::find_token(model, "<|im_end|>");
    model.format = kern::Format::q8_0;
    model.tokens[words_of(answer).size() - 1].successor = *model.eos;
    kern::test::write_chain_model(model, argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kern_tiny_model: %s\n", error.what());
    return 1;
  }
  return 0;
}
