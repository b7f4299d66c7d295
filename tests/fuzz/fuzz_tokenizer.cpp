// Any text for small vocabularies that are known to be whole. The first byte names the vocabulary, the second what is
// done with the text.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/fuzz/check_text.h"
#include "tests/tokenizer_vocabularies.h"
#include "tokenizer/pretokenizers.h"

namespace {

using namespace kern::test;
using kern::Tokenizer;

struct Subject {
  std::unique_ptr<Tokenizer> tokenizer;
  bool exact;
};

const std::string mark = "\xE2\x96\x81";   // U+2581
const std::string byte_space = "\xC4\xA0"; // how GPT-2 spells a space

TokenList marked_words(TokenList words) {
  words.add(mark, -5).add("a", -5).add("e", -5).add(mark + mark, -1).add(mark + "a", -2).add("aa", -1);
  words.add(mark + mark + "a", -3).add("\n", -5).add("\n\n", -2).add("\xC3\xA9", -5).add("<t>", 0, user_defined);
  return words.add("</", -1).add("</s", -1).add("<", -5).add("/", -5).add("s", -5);
}

void add(std::vector<Subject>& subjects, const MetadataBuilder& builder, bool exact) {
  subjects.push_back({Tokenizer::create(builder.metadata()), exact});
}

void add_marked(std::vector<Subject>& subjects) {
  const std::vector<std::string> merges = {mark + " " + mark, "a a", mark + " a", mark + mark + " a",
                                           "\n \n",           "< /", "</ s"};
  TokenList bare;
  bare.add("<unk>", 0, unknown).add("<s>", 0, control).add("</s>", 0, control);
  for (const bool bytes : {true, false}) {
    const TokenList words = marked_words(bytes ? sentencepiece_words() : bare);
    TokenList crossing = words; // a piece with a space behind something else
    crossing.add("a" + mark, -3).add(mark + "aa", 0, user_defined).add("\xE2\x96", -1);
    for (const TokenList& each : {words, crossing}) {
      add(subjects, sentencepiece(each), bytes);
      auto characters = byte_level(each, merges, "sarvam-moe");
      characters.number("tokenizer.ggml.unknown_token_id", 0);
      add(subjects, characters, bytes);
      for (const bool merges_spaces : {true, false}) {
        auto unigram = sentencepiece(each, "t5");
        unigram.number("tokenizer.ggml.unknown_token_id", 0);
        unigram.flag("tokenizer.ggml.remove_extra_whitespaces", merges_spaces);
        unigram.flag("tokenizer.ggml.add_space_prefix", merges_spaces);
        add(subjects, unigram, false); // decoding gives the normalized text
      }
    }
  }
}

void add_rwkv(std::vector<Subject>& subjects) {
  TokenList words;
  words.add("<s>", 0, control);
  for (unsigned byte = 0; byte < 256; ++byte) words.add("\\x" + byte_spelling(byte).substr(3, 2));
  words.add("ab").add("abcd").add("\\n\\n").add("\\xe4\\xbd").add("it\\'s").add("<t>", 0, user_defined);
  add(subjects, sentencepiece(words, "rwkv"), true);
}

/// One for each way of splitting.
void add_byte_level(std::vector<Subject>& subjects) {
  TokenList words = byte_words();
  words.add("aa").add(byte_space + "a").add(byte_space + byte_space).add("aaa").add("<s>", 0, control);
  words.add("<t>", 0, user_defined).add(byte_space + "b", 0, user_defined).add("12").add("\xC4\x8A\xC4\x8A");
  const std::vector<std::string> merges = {
      "a a", byte_space + " a",  byte_space + " " + byte_space, "aa a", byte_space + " b", "b b", "< s", "<s >",
      "1 2", "\xC4\x8A \xC4\x8A"};
  std::set<const kern::PretokenizerRule*> seen;
  const std::string names = kern::pretokenizer_names() + ", ";
  for (std::size_t begin = 0, end = 0; (end = names.find(", ", begin)) != std::string::npos; begin = end + 2) {
    const std::string name = names.substr(begin, end - begin);
    const kern::PretokenizerRule* rule = kern::find_pretokenizer_rule(name);
    if (!rule->of_characters && seen.insert(rule).second) add(subjects, byte_level(words, merges, name), true);
  }
}

std::vector<Subject> make_subjects() {
  std::vector<Subject> subjects;
  add_marked(subjects);
  add_rwkv(subjects);
  add_byte_level(subjects);
  return subjects;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto subjects = make_subjects();
  if (size < 2) return 0;
  const Subject& subject = subjects[data[0] % subjects.size()];
  const std::string text(reinterpret_cast<const char*>(data + 2), size - 2);
  const bool special = data[1] % 2 != 0;
  if (data[1] % 8 < 6) kern::fuzz::check_text(*subject.tokenizer, text, special, subject.exact);
  else kern::fuzz::check_any_ids(*subject.tokenizer, text, special);
  return 0;
}
