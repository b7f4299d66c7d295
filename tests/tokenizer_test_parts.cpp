// The parts below the tokenizers: UTF-8, the byte alphabet, merging, matching
// special tokens, splitting into words.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/tokenizer_vocabularies.h"
#include "tokenizer/merge.h"
#include "tokenizer/pretokenizers.h"
#include "tokenizer/special_matcher.h"
#include "tokenizer/text_index.h"
#include "tokenizer/unicode.h"

namespace kern {

using test::from_hex;
namespace {

TEST_CASE("UTF-8 characters are told from bytes that are none") {
  CHECK(utf8_character("a", 0) == 1);
  CHECK(utf8_character("\xC3\xA9", 0) == 2);
  CHECK(utf8_character("\xE2\x96\x81", 0) == 3);
  CHECK(utf8_character("\xF0\x9F\xA6\x99", 0) == 4);
  for (const std::string bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3",
        "\xC3"
        "a",
        "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x96"})
    CHECK(utf8_character(bad, 0) == 0);
  CHECK(end_of_utf8_run("ab\xFF\xFE"
                        "c",
                        0, true) == 2);
  CHECK(end_of_utf8_run("ab\xFF\xFE"
                        "c",
                        2, false) == 4);
}

TEST_CASE("an unfinished character at the end is seen, an impossible one is not") {
  CHECK(unfinished_utf8_tail("") == 0);
  CHECK(unfinished_utf8_tail("a\xE2") == 1);
  CHECK(unfinished_utf8_tail("a\xE2\x96") == 2);
  CHECK(unfinished_utf8_tail("a\xE2\x96\x81") == 0);
  CHECK(unfinished_utf8_tail("\xF0\x9F\xA6") == 3);
  CHECK(unfinished_utf8_tail("\xE0\x80") == 0); // overlong: can't become a character
  CHECK(unfinished_utf8_tail("\xFF") == 0);
  CHECK(unfinished_utf8_tail("\x80\x80\x80") == 0);
}

TEST_CASE("every byte has a spelling and comes back from it") {
  const ByteAlphabet alphabet;
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(alphabet.to_bytes(alphabet.to_spelling(all)) == all);
  CHECK(alphabet.to_spelling(" a\n") == "\xC4\xA0"
                                        "a\xC4\x8A"); // as in GPT-2's vocabulary
  CHECK_FALSE(alphabet.to_bytes(" ").has_value());
  CHECK_FALSE(alphabet.to_bytes("\xE2\x96\x81").has_value());
  CHECK_FALSE(alphabet.to_bytes("\xFF").has_value());
}

TEST_CASE("the text index grows and keeps the last value of a text") {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(std::to_string(i));
  TextIndex index;
  for (int i = 0; i < 1000; ++i) index.insert(texts[static_cast<std::size_t>(i)], i);
  index.insert(texts[7], 70);
  CHECK(index.find("7") == 70);
  CHECK(index.find("999") == 999);
  CHECK(index.find("1000") == -1);
  CHECK(index.find("") == -1);
}

/// Joins the best pair by looking at all of them, again and again.
std::vector<int> merge_slowly(std::vector<int> ids, const std::vector<std::vector<Merge>>& table) {
  for (;;) {
    std::size_t best = ids.size();
    std::uint32_t rank = Merge::none;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const Merge merge = table[static_cast<std::size_t>(ids[i])][static_cast<std::size_t>(ids[i + 1])];
      if (merge.rank < rank) {
        rank = merge.rank;
        best = i;
      }
    }
    if (best == ids.size()) return ids;
    ids[best] = table[static_cast<std::size_t>(ids[best])][static_cast<std::size_t>(ids[best + 1])].id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST_CASE("merging with a heap equals looking at every pair") {
  std::mt19937 random(1);
  Merger merger;
  for (int round = 0; round < 2000; ++round) {
    // Any table goes, also ones no training would give: equal ranks, merges of
    // merges that come first.
    const std::size_t symbols = 2 + random() % 6;
    std::vector<std::vector<Merge>> table(symbols, std::vector<Merge>(symbols));
    for (auto& row : table)
      for (Merge& merge : row)
        if (random() % 2) merge = {static_cast<std::uint32_t>(random() % 6), static_cast<int>(random() % symbols)};
    std::vector<int> word(random() % 40);
    for (int& id : word) id = static_cast<int>(random() % symbols);
    merger.clear();
    for (std::size_t i = 0; i < word.size(); ++i) merger.add(word[i], i);
    merger.run(word.size(), [&](const Merger::Symbol& left, const Merger::Symbol& right, std::size_t) {
      return table[static_cast<std::size_t>(left.id)][static_cast<std::size_t>(right.id)];
    });
    std::vector<int> merged;
    std::size_t covered = 0;
    merger.for_each(word.size(), [&](const Merger::Symbol& symbol, std::size_t end) {
      CHECK(symbol.begin == covered);
      covered = end;
      merged.push_back(symbol.id);
    });
    CHECK(covered == word.size());
    CHECK(merged == merge_slowly(word, table));
  }
}

TEST_CASE("special tokens: leftmost, then longest, then last; plain text only "
          "where they are for any text") {
  const SpecialMatcher matcher({{"<a>", 1, false, false},
                                {"<a><b>", 2, false, false},
                                {"<tool>", 3, true, false},
                                {"<a>", 4, false, false},
                                {"", 5, true, false},
                                {"<t", 6, false, false},
                                {"<end>", 7, false, true}});
  const auto all = matcher.find("x<a><b>", 0, true);
  REQUIRE(all);
  CHECK(all->begin == 1);
  CHECK(all->end == 7);
  CHECK(all->token == 2);
  CHECK(matcher.find("<a>", 0, true)->token == 4);
  CHECK_FALSE(matcher.find("<a>", 0, false));
  CHECK(matcher.find("<a><tool>", 0, false)->token == 3);
  CHECK(matcher.find("<tool>", 0, true)->token == 3);
  CHECK(matcher.find("<too", 0, true)->token == 6);
  CHECK_FALSE(matcher.find("<too", 0, false));
  CHECK(matcher.find("<end> \n x", 0, true)->end == 8);
  CHECK_FALSE(SpecialMatcher().find("abc", 0, true));
}

TEST_CASE("thousands of special tokens are found like one") {
  std::vector<SpecialMatcher::Entry> entries;
  for (int i = 0; i < 5000; ++i) entries.push_back({"<|reserved_" + std::to_string(i) + "|>", i, false, false});
  const SpecialMatcher matcher(entries);
  for (const int i : {0, 7, 77, 4999}) {
    const auto match = matcher.find("ab <|reserved_" + std::to_string(i) + "|>", 0, true);
    REQUIRE(match);
    CHECK(match->token == i);
  }
  CHECK_FALSE(matcher.find("<|reserved_5000|>", 0, true));
}

TEST_CASE("words are those of Hugging Face's tokenizers") {
  for (const char* name_of_file : {"words.txt", "patterns.txt"}) {
    const auto path = std::filesystem::path(__FILE__).parent_path() / "data/tokenizer" / name_of_file;
    std::ifstream in(path);
    REQUIRE_MESSAGE(in, path.string());
    int cases = 0;
    for (std::string line; std::getline(in, line); ++cases) {
      std::istringstream fields(line);
      std::string name;
      std::string text;
      fields >> name >> text;
      text = from_hex(text);
      CAPTURE(line);
      const PretokenizerRule* rule = find_pretokenizer_rule(name);
      REQUIRE(rule);
      std::size_t from = 0;
      for (const std::size_t to : Pretokenizer(*rule).split(text)) {
        std::string word;
        fields >> word;
        CHECK(text.substr(from, to - from) == from_hex(word));
        from = to;
      }
      CHECK(from == text.size());
      CHECK((fields >> std::ws).eof());
    }
    CHECK(cases > 300);
  }
}

TEST_CASE("what goes with a pattern's name") {
  const auto rule = [](std::string_view name) { return *find_pretokenizer_rule(name); };
  CHECK(rule("chatglm-bpe").patterns.data() == rule("glm4").patterns.data());
  CHECK(rule("glm4").whole_words_first);
  CHECK_FALSE(rule("glm4").add_bos);
  CHECK_FALSE(rule("chatglm-bpe").whole_words_first);
  CHECK(rule("tekken").whole_words_first);
  CHECK(rule("tekken").add_bos);
  CHECK(rule("youtu").whole_words_first);
  CHECK(rule("minicpm5").whole_words_first);
  CHECK(rule("granite-embed-multi-97m").whole_words_first);
  CHECK(rule("granite-embed-multi-97m").patterns.data() == rule("llama4").patterns.data());
  CHECK_FALSE(rule("gpt-4o").add_bos);
  CHECK(rule("chameleon").add_bos);
  CHECK(find_pretokenizer_rule("roberta-bpe") == find_pretokenizer_rule("gpt-2"));
  CHECK(rule("sarvam-moe").of_characters);
  CHECK_FALSE(rule("sarvam-moe").add_bos);
  CHECK(rule("granite-embed-multi-311m").of_characters);
  CHECK(find_pretokenizer_rule("joyai-llm") == find_pretokenizer_rule("deepseek-v3"));
  CHECK(find_pretokenizer_rule("minimax-m2") == find_pretokenizer_rule("gpt-4o"));
}

TEST_CASE("digits in threes from the right, however many") {
  const std::string digits(100'001, '7');
  for (const char* name : {"afmoe", "superbpe", "tiny_aya"}) {
    CAPTURE(name);
    const auto ends = Pretokenizer(*find_pretokenizer_rule(name)).split("x" + digits);
    REQUIRE(ends.size() == 1 + 33'334);
    CHECK(ends[0] == 1);
    CHECK(ends[1] == 3);
    CHECK(ends[2] == 6);
  }
  // Where a letter follows, Tiny Aya counts from the left.
  CHECK(Pretokenizer(*find_pretokenizer_rule("tiny_aya")).split("1234a") == std::vector<std::size_t>{3, 4, 5});
  CHECK(Pretokenizer(*find_pretokenizer_rule("tiny_aya")).split("1234 a") == std::vector<std::size_t>{1, 4, 6});
}

TEST_CASE("words: aliases, the pattern of old files, unknown names") {
  CHECK(find_pretokenizer_rule("smollm") == find_pretokenizer_rule("starcoder"));
  CHECK(find_pretokenizer_rule("llama3") == find_pretokenizer_rule("llama-bpe"));
  CHECK(find_pretokenizer_rule("deepseek-r1-qwen") == find_pretokenizer_rule("qwen2"));
  CHECK(find_pretokenizer_rule("no-such") == nullptr);
  CHECK(pretokenizer_names().find("deepseek-coder") != std::string::npos);
  const Pretokenizer old(*find_pretokenizer_rule("default"));
  CHECK(old.split("a b==12345") == std::vector<std::size_t>{1, 3, 5, 8, 10});
  CHECK(old.split("").empty());
}

TEST_CASE("long runs are split without overflow") {
  for (const char* name :
       {"gpt-2",       "llama-bpe", "qwen2",      "starcoder",  "deepseek-coder", "default",    "deepseek-llm",
        "deepseek-v3", "falcon",    "tekken",     "gpt-4o",     "qwen35",         "kimi-k2",    "bloom",
        "viking",      "superbpe",  "bailingmoe", "seed-coder", "afmoe",          "exaone-moe", "tiny_aya",
        "youtu",       "spark2_5",  "jais-2",     "minicpm5",   "ufakzeka",       "laguna",     "chameleon"}) {
    CAPTURE(name);
    const Pretokenizer splitter(*find_pretokenizer_rule(name));
    for (const std::string unit : {"a", " ", "7", "\n", ".", "\xF0\x9F\xA6\x99", " \n", "\xE4\xBD\xA0"}) {
      std::string text;
      while (text.size() < 1'000'000) text += unit;
      const auto ends = splitter.split(text + "a");
      CHECK(ends.back() == text.size() + 1);
      CHECK(std::is_sorted(ends.begin(), ends.end()));
    }
  }
}

} // namespace
} // namespace kern
