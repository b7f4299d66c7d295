// Two targets in one, chosen by the first byte: a GGUF file whose description of a tokenizer (and chat template) may be
// anything, and any text for small vocabularies that are known to be whole.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/error.h"
#include "model/gguf.h"
#include "tests/tokenizer_vocabularies.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/tokenizer.h"

namespace {

using kern::Detokenizer;
using kern::EncodeOptions;
using kern::Token;
using kern::Tokenizer;

void expect(bool holds) {
  if (!holds) __builtin_trap();
}

std::string stream(const Tokenizer& tokenizer, const std::vector<Token>& ids, bool show_special) {
  Detokenizer detokenizer(tokenizer, show_special, true);
  std::string text;
  for (const Token id : ids) text += detokenizer.push(id);
  return text + detokenizer.finish();
}

void check_text(const Tokenizer& tokenizer, const std::string& text, bool exact) {
  for (const bool parse : {false, true}) {
    const auto ids = tokenizer.encode(text, {.add_special = false, .parse_special = parse});
    const std::string decoded = tokenizer.decode(ids, parse);
    expect(!exact || decoded == text);
    expect(stream(tokenizer, ids, parse) == decoded);
  }
  std::vector<Token> ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c) % static_cast<Token>(tokenizer.vocab_size()));
  expect(stream(tokenizer, ids, true) == tokenizer.decode(ids, true));
}

std::vector<std::unique_ptr<Tokenizer>> small_tokenizers() {
  using namespace kern::test;
  std::vector<std::unique_ptr<Tokenizer>> tokenizers;
  Words pieces = sentencepiece_words();
  const std::string space = "\xE2\x96\x81";
  pieces.add(space, -5).add("a", -5).add(space + space, -1).add(space + "a", -2).add("aa", -1).add("a" + space, -3);
  pieces.add("<t>", 0, user_defined)
      .add(space + space + "a", 0, user_defined)
      .add("\xE2\x96", -1)
      .add("</", -1)
      .add("</s", -1);
  tokenizers.push_back(Tokenizer::create(sentencepiece(pieces).metadata()));
  for (const char* pre : {"gpt-2", "llama-bpe", "qwen2", "deepseek-coder", "starcoder", "default"}) {
    Words bytes = byte_words();
    bytes.add("aa")
        .add("\xC4\xA0"
             "a")
        .add("\xC4\xA0\xC4\xA0")
        .add("aaa")
        .add("<s>", 0, control);
    bytes.add("<t>", 0, user_defined)
        .add("\xC4\xA0"
             "b",
             0, user_defined);
    const std::vector<std::string> merges = {"a a", "\xC4\xA0 a", "\xC4\xA0 \xC4\xA0", "aa a", "\xC4\xA0 b", "b b",
                                             "< s", "<s >"};
    tokenizers.push_back(Tokenizer::create(byte_level(bytes, merges, pre).metadata()));
  }
  return tokenizers;
}

void check_file(std::span<const std::byte> bytes) {
  try {
    const kern::Gguf file = kern::Gguf::parse(bytes, "fuzz");
    const auto chat = kern::read_chat_template(file.metadata());
    const auto tokenizer = Tokenizer::create(file.metadata());
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    kern::begin_conversation(*tokenizer, chat, {}, text);
    check_text(*tokenizer, text, false);
  } catch (const kern::Error&) {
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  if (data[0] == 'G') {
    check_file(std::as_bytes(rest));
    return 0;
  }
  static const auto tokenizers = small_tokenizers();
  const std::string text(reinterpret_cast<const char*>(rest.data()), rest.size());
  check_text(*tokenizers[data[0] % tokenizers.size()], text, true);
  if (data[0] == 'T') {
    kern::test::MetadataBuilder builder;
    builder.text("tokenizer.chat_template", text);
    kern::read_chat_template(builder.metadata());
  }
  return 0;
}
