// A description of a tokenizer that may say anything, and a text for it. Whatever the description says, the only way
// out is kern::Error. The input is a list of fields divided by the byte 0x1E, the first byte of each its kind:
//   m MODEL   p PRE   t TYPE SCORE TEXT   r MERGE   c MAP   i NAME ID   f FLAG VALUE   j TEMPLATE   x TEXT
// where types, scores, names, flags and values are one byte each, an ID one signed byte; names and flags count into the
// lists below. A field of another kind is left out. The first byte of the text also says what is done with it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"
#include "tests/fuzz/check_text.h"
#include "tests/metadata_builder.h"
#include "tokenizer/chat_template.h"

namespace {

constexpr std::string_view id_names[] = {"bos", "eos", "unknown", "padding", "eot", "eom", "fim_pad", "fim_rep"};
constexpr std::string_view flag_names[] = {"add_bos_token", "add_eos_token", "add_space_prefix",
                                           "remove_extra_whitespaces"};

struct Description {
  kern::test::MetadataBuilder builder{"fuzz"};
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  std::vector<std::string> merges;
  std::string text;

  void read(std::string_view field) {
    const char kind = field.empty() ? '\0' : field.front();
    field.remove_prefix(field.empty() ? 0 : 1);
    const auto number = [&](std::size_t i) { return static_cast<signed char>(field.size() > i ? field[i] : 0); };
    const auto choose = [&](const auto& names) {
      return "tokenizer.ggml." + std::string(names[static_cast<unsigned char>(number(0)) % std::size(names)]);
    };
    switch (kind) {
    case 'm': builder.text("tokenizer.ggml.model", field); break;
    case 'p': builder.text("tokenizer.ggml.pre", field); break;
    case 't':
      types.push_back(number(0) - '0');
      scores.push_back(static_cast<float>(number(1)));
      tokens.emplace_back(field.substr(std::min<std::size_t>(field.size(), 2)));
      break;
    case 'r': merges.emplace_back(field); break;
    case 'c': builder.bytes("tokenizer.ggml.precompiled_charsmap", field); break;
    case 'i': builder.signed_number(choose(id_names) + "_token_id", number(1)); break;
    case 'f': builder.flag(choose(flag_names), number(1) % 2 != 0); break;
    case 'j': builder.text("tokenizer.chat_template", field); break;
    case 'x': text = field; break;
    default: break;
    }
  }
};

/// A message by the file's own chat template.
void converse(const kern::Tokenizer& tokenizer, const kern::Metadata& metadata, const std::string& text) {
  const auto chat = kern::ChatTemplate::of_model(metadata);
  if (!chat) return;
  kern::jinja::Budget budget(kern::jinja::Limits{}, 0);
  kern::jinja::Dict variables;
  variables.set(kern::jinja::make_text("messages"), kern::message_list({{"user", text}}), budget);
  kern::add_token_variables(variables, tokenizer);
  kern::encode_conversation(tokenizer, chat->render(variables, {2026, 1, 2, 3, 4, 5}));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Description description;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\x1E', begin), all.size());
    description.read(all.substr(begin, end - begin));
    begin = end + 1;
  }
  auto& builder = description.builder;
  builder.texts("tokenizer.ggml.tokens", description.tokens).floats("tokenizer.ggml.scores", description.scores);
  builder.ints("tokenizer.ggml.token_type", description.types).texts("tokenizer.ggml.merges", description.merges);
  try {
    const auto tokenizer = kern::Tokenizer::create(builder.metadata());
    const std::string& text = description.text;
    switch (text.empty() ? 0 : text.front() % 4) {
    case 0: kern::fuzz::check_any_ids(*tokenizer, text, true); break;
    case 1: converse(*tokenizer, builder.metadata(), text); break;
    default: kern::fuzz::check_text(*tokenizer, text, text.front() % 4 == 3, false);
    }
  } catch (const kern::Error&) {
  }
  return 0;
}
