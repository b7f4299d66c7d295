// Chat templates and the tokens of conversations.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/chat_fixture.h"
#include "tests/tokenizer_vocabularies.h"
#include "tokenizer/chat_template.h"

namespace kern {
namespace {

using test::MetadataBuilder;

TemplateKind kind_of(const std::string& source) {
  MetadataBuilder builder;
  builder.text("tokenizer.chat_template", source);
  return template_kind(builder.metadata());
}

const std::string chatml =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + "
    "'<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Bytes, <|im_start|> 256, <|im_end|> 257, <s> 258, <tool> 259 (for any text), two line feeds 260 (for any text).
std::unique_ptr<Tokenizer> chat_tokenizer(bool add_bos) {
  auto words = test::byte_words();
  words.add("<|im_start|>", 0, test::control).add("<|im_end|>", 0, test::control).add("<s>", 0, test::control);
  words.add("<tool>", 0, test::user_defined).add("\xC4\x8A\xC4\x8A", 0, test::user_defined);
  auto builder = test::byte_level(words, {}, "qwen2");
  builder.number("tokenizer.ggml.bos_token_id", 258).flag("tokenizer.ggml.add_bos_token", add_bos);
  return Tokenizer::create(builder.metadata());
}

jinja::Text render(const ChatTemplate& chat, const std::vector<ChatMessage>& messages) {
  jinja::Dict variables = test::conversation(messages);
  test::set_text(variables, "bos_token", "<s>");
  test::set_text(variables, "eos_token", "</s>");
  return chat.render(variables, {2026, 1, 2, 3, 4, 5});
}

std::string render_builtin(const std::string& name, const std::vector<ChatMessage>& messages) {
  return std::string(render(*ChatTemplate::builtin(name), messages).view());
}

TEST_CASE("ChatML is recognised however it is spelled") {
  CHECK(template_kind(Metadata("x")) == TemplateKind::none);
  for (const std::string& source :
       {chatml, "{{ bos_token }}" + chatml, "{#- a comment -#}\n{% set x = 1 %}\n" + chatml + "\n",
        // text between tags instead of expressions
        std::string("{%- for m in messages %}\n<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\n"
                    "{%- if add_generation_prompt %}<|im_start|>assistant\n{{ '' }}{% endif %}"),
        // a system turn of its own
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}" + chatml})
    CHECK_MESSAGE(kind_of(source) == TemplateKind::chatml, source);
  for (const std::string& source :
       {std::string(""), std::string("x"), std::string("{{"), std::string("{% for %}"), chatml + "<think>",
        "hello" + chatml, chatml + "{{ unknown_function() }}", chatml + "{% include 'x' %}",
        "{{ raise_exception('no') }}" + chatml, "{% set messages = messages[1:] %}" + chatml})
    CHECK_MESSAGE(kind_of(source) == TemplateKind::other, source);
  MetadataBuilder number;
  number.number("tokenizer.chat_template", 1);
  CHECK_THROWS(ChatTemplate::of_model(number.metadata()));
}

TEST_CASE("a conversation's tokens: template text is special, message text is not, BOS comes once") {
  const ChatTemplate plain(chatml, "test");
  const ChatTemplate with_bos("{{ bos_token }}" + chatml, "test");
  for (const bool add_bos : {false, true})
    for (const ChatTemplate* chat : {&plain, &with_bos}) {
      const auto tokenizer = chat_tokenizer(add_bos);
      const auto ids = encode_conversation(*tokenizer, render(*chat, {{"user", "hi<|im_end|>"}}));
      CHECK((ids.front() == 258) == (add_bos || chat == &with_bos));
      CHECK(std::count(ids.begin(), ids.end(), 258) == (add_bos || chat == &with_bos ? 1 : 0));
      CHECK(std::count(ids.begin(), ids.end(), 257) == 1);
      CHECK(std::count(ids.begin(), ids.end(), 256) == 2);
    }
}

TEST_CASE("no text of a message is a control token, alone or with what the template writes around it") {
  const auto tokenizer = chat_tokenizer(false);
  std::string all;
  for (std::size_t i = 0; i < tokenizer->vocab_size(); ++i)
    if (tokenizer->type(static_cast<Token>(i)) == TokenType::control)
      all += tokenizer->piece(static_cast<Token>(i), true);
  const auto count_control = [&](const std::vector<Token>& ids) {
    return std::ranges::count_if(ids, [&](Token id) { return tokenizer->type(id) == TokenType::control; });
  };
  const ChatTemplate chat(chatml, "test");
  const auto quiet = encode_conversation(*tokenizer, render(chat, {{"system", "s"}, {"user", "u"}}));
  for (const std::string& text : {all, all + "<|im_", std::string("<|im_end|"), std::string("_end|>"), all + all})
    for (const char* role : {"user", "<|im_end|>"}) {
      const jinja::Text rendered = render(chat, {{"system", text}, {role, text}});
      const auto ids = encode_conversation(*tokenizer, rendered);
      CHECK(count_control(ids) == count_control(quiet));
      CHECK(tokenizer->decode(ids, true) == rendered.view());
    }
  // A template that puts control tokens together of its own text and a role.
  const ChatTemplate built("{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% endfor %}", "test");
  CHECK(encode_conversation(*tokenizer, render(built, {{"im_end", "<|im_end|>"}})).size() == 20);
}

TEST_CASE("harmless messages give the ids of the whole text") {
  const auto tokenizer = chat_tokenizer(false);
  const ChatTemplate chat("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}\n{{ m.content | trim }}"
                          "<|im_end|>{% endfor %}",
                          "test");
  for (const char* text : {"", "hello", "\n", "a\n", "\n\n\n", " <tool> x", "<to", "ol>", "caf\xC3\xA9 \n"}) {
    const jinja::Text rendered = render(chat, {{"system", text}, {"user", text}, {"assistant", text}});
    CAPTURE(text);
    CHECK(encode_conversation(*tokenizer, rendered) ==
          tokenizer->encode(rendered.view(), {.add_special = false, .parse_special = true}));
  }
}

TEST_CASE("what ends an answer") {
  const auto tokenizer = chat_tokenizer(false);
  const AnswerEnd known = find_answer_end(ChatTemplate(chatml, "test"), *tokenizer);
  CHECK(known.token == 257);
  CHECK(known.text == "<|im_end|>");
  const AnswerEnd missing = find_answer_end(*ChatTemplate::builtin("llama3"), *tokenizer);
  CHECK_FALSE(missing.token);
  CHECK(missing.text == "<|eot_id|>");
  CHECK(find_answer_end(ChatTemplate("{{ raise_exception('no') }}", "test"), *tokenizer).text.empty());
}

TEST_CASE("errors of a template name it and the line") {
  CHECK_THROWS_WITH_AS(ChatTemplate("\n{% if %}", "some.jinja"),
                       "some.jinja: line 2: found '%}', expected an expression", Error);
  const ChatTemplate chat("{{ raise_exception('no system') }}", "some.jinja");
  CHECK_THROWS_WITH_AS(render(chat, {}), "some.jinja: line 1: no system", Error);
}

TEST_CASE("the built-in templates write what their families were trained on") {
  const std::vector<ChatMessage> messages = {{"system", "Sys."}, {"user", "Hi"}, {"assistant", "Yo"}, {"user", "B"}};
  CHECK_FALSE(ChatTemplate::builtin("nothing"));
  CHECK(render_builtin("alpaca", messages) == "Sys.\n\n### Instruction:\nHi\n\n### Response:\nYo</s>\n\n"
                                              "### Instruction:\nB\n\n### Response:\n");
  CHECK(render_builtin("chatml", messages) ==
        "<|im_start|>system\nSys.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
        "<|im_start|>user\nB<|im_end|>\n<|im_start|>assistant\n");
  CHECK(render_builtin("deepseek", messages) ==
        "<s>Sys.<｜User｜>Hi<｜Assistant｜>Yo<｜end▁of▁sentence｜><｜User｜>B<｜Assistant｜>");
  CHECK(render_builtin("gemma", messages) ==
        "<s><start_of_turn>user\nSys.\n\nHi<end_of_turn>\n<start_of_turn>model\nYo<end_of_turn>\n"
        "<start_of_turn>user\nB<end_of_turn>\n<start_of_turn>model\n");
  CHECK(render_builtin("llama2", messages) ==
        "<s>[INST] <<SYS>>\nSys.\n<</SYS>>\n\nHi [/INST] Yo </s><s>[INST] B [/INST]");
  CHECK(render_builtin("llama3", messages) ==
        "<s><|start_header_id|>system<|end_header_id|>\n\nSys.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
        "Hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nYo<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nB<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
  CHECK(render_builtin("mistral", messages) == "<s>[INST] Sys.\n\nHi [/INST] Yo</s>[INST] B [/INST]");
  CHECK(render_builtin("phi3", messages) ==
        "<|system|>\nSys.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nYo<|end|>\n<|user|>\nB<|end|>\n<|assistant|>\n");
  CHECK(render_builtin("zephyr", messages) ==
        "<|system|>\nSys.</s>\n<|user|>\nHi</s>\n<|assistant|>\nYo</s>\n<|user|>\nB</s>\n<|assistant|>\n");
}

} // namespace
} // namespace kern
