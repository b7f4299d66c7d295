// The ids of a conversation that grows, and the messages a model sees of it.
#include <doctest/doctest.h>

#include "cli/conversation.h"
#include "cli/dialogue.h"
#include "tests/chain_model.h"
#include "tests/temporary_folder.h"
#include "tests/tokenizer_vocabularies.h"

namespace kern::test {
namespace {

/// What a template would write: its own words, and messages, which are marked.
struct Writer {
  jinja::Text text;
  Writer& own(std::string_view words) {
    text.append(words);
    return *this;
  }
  Writer& message(std::string_view words) {
    text.append(words, true);
    return *this;
  }
};

std::string decoded(const Tokenizer& tokenizer, const std::vector<Token>& tokens) {
  return tokenizer.decode(tokens, true, true);
}

/// Pieces of words, so that a text may be spelled in several ways, and a space in front of every text.
std::unique_ptr<Tokenizer> spaced_tokenizer() {
  TokenList words = sentencepiece_words();
  const std::string space = "\xE2\x96\x81";
  words.add("a", -5).add("b", -5).add("ab", -1).add(space, -5).add(space + "a", -2).add("\n", -5);
  return Tokenizer::create(sentencepiece(words).metadata());
}

TEST_CASE("the ids of an answer stay as they were given") {
  const auto tokenizer = spaced_tokenizer();
  ConversationIds ids(*tokenizer);
  const Token a = *tokenizer->find("a"), b = *tokenizer->find("b");
  Writer first;
  first.own("<s>").message("a").own("\n");
  const auto prompt = ids.encode(first.text);
  CHECK(decoded(*tokenizer, prompt) == first.text.view());
  ids.remember(first.text, prompt, "ab", {a, b}); // as text it would be one id

  Writer second = first;
  second.message("ab").own("</s>").message("b").own("\n");
  auto expected = prompt;
  expected.insert(expected.end(), {a, b});
  const auto grown = ids.encode(second.text);
  REQUIRE(grown.size() > expected.size());
  CHECK(std::vector<Token>(grown.begin(), grown.begin() + static_cast<std::ptrdiff_t>(expected.size())) == expected);
  CHECK(decoded(*tokenizer, grown) == second.text.view());

  // A text behind the answer that begins with no control token gets no space of the tokenizer's.
  Writer plain = first;
  plain.message("ab").own("\na");
  CHECK(decoded(*tokenizer, ids.encode(plain.text)) == plain.text.view());

  // Where the answer reads differently, nothing is kept of it.
  Writer other = first;
  other.message("b").own("</s>");
  CHECK(ids.encode(other.text) == encode_conversation(*tokenizer, other.text));
  // Nor where the same bytes are the template's.
  Writer own;
  own.own("<s>a\nab</s>");
  CHECK(ids.encode(own.text) == encode_conversation(*tokenizer, own.text));
}

TEST_CASE("answers whose ids spell another text, and answers taken back, leave nothing behind") {
  const auto tokenizer = spaced_tokenizer();
  ConversationIds ids(*tokenizer);
  const Token a = *tokenizer->find("a"), b = *tokenizer->find("b");
  Writer first;
  first.own("<s>").message("a").own("\n");
  const auto prompt = ids.encode(first.text);
  ids.remember(first.text, prompt, "a", {a, b}); // a stop text was cut off
  Writer second = first;
  second.message("a").own("</s>");
  CHECK(ids.encode(second.text) == encode_conversation(*tokenizer, second.text));
  // Two turns, then the second is answered anew.
  ids.remember(first.text, prompt, "ab", {a, b});
  Writer turn = first;
  turn.message("ab").own("</s>").message("a").own("\n");
  const auto longer = ids.encode(turn.text);
  ids.remember(turn.text, longer, "ab", {a, b});
  ids.remember(turn.text, longer, "aa", {a, a});
  Writer third = turn;
  third.message("aa").own("</s>");
  auto expected = longer;
  expected.insert(expected.end(), {a, a});
  const auto grown = ids.encode(third.text);
  REQUIRE(grown.size() == expected.size() + 1);
  CHECK(std::equal(expected.begin(), expected.end(), grown.begin()));
  Writer old = turn;
  old.message("ab").own("</s>");
  CHECK(decoded(*tokenizer, ids.encode(old.text)) == old.text.view());
}

std::string seen(const Dialogue& dialogue) {
  std::string all;
  for (const ChatMessage& message : dialogue.visible()) all += message.content;
  return all;
}

Dialogue spoken(Overflow overflow) {
  Dialogue dialogue(overflow);
  dialogue.set_system("S");
  for (const char* text : {"1", "2", "3", "4"}) {
    dialogue.add("user", text);
    dialogue.add("assistant", "a", "end");
  }
  dialogue.add("user", "5");
  return dialogue;
}

TEST_CASE("exchanges are hidden by the rule, never the system text or the newest") {
  Dialogue refuse = spoken(Overflow::refuse);
  CHECK_FALSE(refuse.hide_one());
  CHECK(seen(refuse) == "S1a2a3a4a5");
  Dialogue oldest = spoken(Overflow::oldest_turns);
  CHECK(oldest.hide_one());
  CHECK(seen(oldest) == "S2a3a4a5");
  CHECK(oldest.hide_one());
  CHECK(oldest.hide_one());
  CHECK(oldest.hide_one());
  CHECK(seen(oldest) == "S5");
  CHECK_FALSE(oldest.hide_one());
  CHECK(oldest.hidden() == 4);
  Dialogue middle = spoken(Overflow::middle);
  CHECK(middle.hide_one());
  CHECK(seen(middle) == "S1a3a4a5");
  CHECK(middle.hide_one());
  CHECK(middle.hide_one());
  CHECK(seen(middle) == "S1a5");
  CHECK_FALSE(middle.hide_one());
  // What is taken away at the end brings hidden ones back where too few would stay.
  CHECK(middle.take_last_exchange().size() == 1);
  CHECK(seen(middle) == "S1a4a");
  CHECK(middle.take_last_exchange().size() == 2);
  CHECK(middle.take_last_exchange().size() == 2);
  CHECK(seen(middle) == "S1a2a");
  middle.clear();
  CHECK(seen(middle) == "S");
  CHECK(middle.take_last_exchange().empty());
  middle.set_system("");
  CHECK(middle.messages().empty());
}

} // namespace
} // namespace kern::test
