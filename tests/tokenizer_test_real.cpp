// Real vocabularies against the ids that the models' own tokenizers give. Runs where KERN_DATA names the folder.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <doctest/doctest.h>

#include "model/gguf.h"
#include "tests/fixtures.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/tokenizer.h"

namespace kern {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in, path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The texts of a .inp file, cut as llama.cpp's tests/test-tokenizer-0.cpp cuts them.
std::vector<std::string> split_texts(const std::string& all) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find(separator, begin), all.size());
    texts.push_back(all.substr(begin, end - begin));
    begin = end + separator.size();
  }
  return texts;
}

std::vector<std::vector<Token>> read_ids(const std::string& all) {
  std::vector<std::vector<Token>> rows;
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    rows.emplace_back(std::istream_iterator<Token>(words), std::istream_iterator<Token>());
  }
  return rows;
}

TEST_CASE("real vocabularies give the ids of the originals, and the text back") {
  const std::filesystem::path data = test::real_data();
  if (data.empty()) return;
  for (const std::string name : {"llama-spm", "phi-3", "llama-bpe", "gpt-2", "deepseek-coder", "starcoder"}) {
    CAPTURE(name);
    const std::filesystem::path path = data / "vocab" / ("ggml-vocab-" + name + ".gguf");
    const Gguf file = Gguf::open(path);
    const auto tokenizer = Tokenizer::create(file.metadata());
    const auto texts = split_texts(read_file(path.string() + ".inp"));
    const auto expected = read_ids(read_file(path.string() + ".out"));
    REQUIRE(texts.size() == expected.size());
    CHECK(texts.size() >= 40);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CAPTURE(texts[i]);
      const auto ids = tokenizer->encode(texts[i], {.add_special = false, .parse_special = false});
      CHECK(ids == expected[i]);
      CHECK(tokenizer->decode(ids, false) == texts[i]);
      Detokenizer detokenizer(*tokenizer, false, true);
      std::string streamed;
      for (const Token id : ids) streamed += detokenizer.push(id);
      CHECK(streamed + detokenizer.finish() == texts[i]);
    }
  }
}

} // namespace
} // namespace kern
