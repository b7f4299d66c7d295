// The tokenizers inside the model fixtures: files written by llama.cpp's converter, ids by the original tokenizers.
#include <fstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "model/gguf.h"
#include "tests/chat_fixture.h"
#include "tests/fixtures.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/detokenizer.h"

namespace kern {

TEST_CASE("converted files tokenize as the original tokenizers do, and give the same bytes back") {
  for (const char* name : {"llama-rope3", "llama-tied", "qwen2", "qwen3", "wide-Q8_0"}) {
    CAPTURE(name);
    const auto json = nlohmann::json::parse(std::ifstream(test::data_path(std::string("models/") + name + ".json")));
    const Gguf gguf = Gguf::open(test::data_path(std::string("models/") + name + ".gguf"));
    const auto tokenizer = Tokenizer::create(gguf.metadata());
    for (const auto& entry : json.at("texts")) {
      const auto text = entry.at(0).get<std::string>();
      CAPTURE(text);
      // A literal U+2581 stays itself here; the original turns it into a space.
      if (text.find("\xE2\x96\x81") != std::string::npos && std::string(name).starts_with("qwen") == false) continue;
      const auto ids = tokenizer->encode(text, {.add_special = false, .parse_special = false});
      CHECK(ids == entry.at(1).get<std::vector<Token>>());
      CHECK(tokenizer->decode(ids, false) == text);
    }
    CHECK(tokenizer->encode(json.at("prompt_text").get<std::string>(), {.add_special = true, .parse_special = false}) ==
          json.at("prompt_tokens").get<std::vector<Token>>());
    std::string bytes;
    const auto hex = json.at("greedy_bytes").get<std::string>();
    for (std::size_t i = 0; i < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    Detokenizer detokenizer(*tokenizer, false, false);
    std::string streamed;
    for (const Token token : json.at("greedy_tokens").get<std::vector<Token>>()) streamed += detokenizer.push(token);
    CHECK(streamed + detokenizer.finish() == bytes);
  }
}

TEST_CASE("a user's turn gives the ids of transformers' apply_chat_template") {
  for (const char* name : {"qwen2", "qwen3"}) {
    const auto json = nlohmann::json::parse(std::ifstream(test::data_path(std::string("models/") + name + ".json")));
    const Gguf gguf = Gguf::open(test::data_path(std::string("models/") + name + ".gguf"));
    const auto tokenizer = Tokenizer::create(gguf.metadata());
    CHECK(template_kind(gguf.metadata()) == TemplateKind::chatml);
    const ChatTemplate chat = *ChatTemplate::of_model(gguf.metadata());
    for (const auto& conversation : json.at("chat")) {
      std::vector<ChatMessage> messages;
      for (const auto& message : conversation.at("messages"))
        messages.push_back({message.at("role"), message.at("content")});
      const jinja::Text text = chat.render(test::conversation(messages), {});
      CHECK(text.view() == conversation.at("text").get<std::string>());
      CHECK(encode_conversation(*tokenizer, text) == conversation.at("tokens").get<std::vector<Token>>());
    }
  }
}

} // namespace kern
