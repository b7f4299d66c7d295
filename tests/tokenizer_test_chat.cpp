// Recognising ChatML, and writing it.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <doctest/doctest.h>

#include "tests/tokenizer_vocabularies.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/template_renderer.h"

namespace kern {
namespace {

using test::MetadataBuilder;

ChatTemplate read(const std::string& source) {
  MetadataBuilder builder;
  builder.text("tokenizer.chat_template", source);
  return read_chat_template(builder.metadata());
}

const std::string chatml =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + "
    "'<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}";

TEST_CASE("ChatML is recognised however it is spelled") {
  CHECK(read_chat_template(Metadata("x")).kind == TemplateKind::none);
  CHECK(read(chatml).kind == TemplateKind::chatml);
  CHECK_FALSE(read(chatml).default_system.has_value());
  CHECK_FALSE(read(chatml).writes_bos);
  CHECK(read("{{ bos_token }}" + chatml).writes_bos);
  CHECK(read("{#- a comment -#}\n{% set x = 1 %}\n" + chatml + "\n").kind == TemplateKind::chatml);
  // text between tags instead of expressions
  CHECK(read("{%- for m in messages %}\n<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\n"
             "{%- if add_generation_prompt %}<|im_start|>assistant\n{{ '' }}{% endif %}")
            .kind == TemplateKind::chatml);
  // a system turn of its own, and one that is asked for by name
  const ChatTemplate with_default =
      read("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
           "{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + "
           "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
           "{{ '<|im_start|>assistant\n' }}{% endif %}\n");
  CHECK(with_default.kind == TemplateKind::chatml);
  CHECK(with_default.default_system == "Be kind.");
}

TEST_CASE("whatever differs, or can't be followed, is something else") {
  for (const std::string& source : {
           std::string(""),
           std::string("x"),
           std::string("{"),
           std::string("{{"),
           std::string("{% for %}"),
           std::string("{% if %}"),
           std::string("{% endif %}"),
           std::string("{{ 'a }}"),
           std::string("\x01"),
           chatml + "<think>",
           "hello" + chatml,
           chatml + "{{ unknown_function() }}",
           chatml + "{% include 'x' %}",
           chatml + "{% if date_string is defined or strftime_now() %}{{ x }}{% endif %}",
           "{{ 'You are.' }}" + chatml,
           chatml + "{% if add_generation_prompt %}<think>{% endif %}",
           "{% set messages = messages[1:] %}" + chatml,
           "{% set content = 1 %}{{ content }}" + chatml,
           "{{ '<|im_start|>system\\nalways<|im_end|>\\n' }}" + chatml,
           "{% for message in messages %}" + chatml,
       })
    CHECK_MESSAGE(read(source).kind == TemplateKind::other, source);
  std::string trims = chatml;
  trims.replace(trims.find("message['content']"), 18, "(message['content'] | trim)");
  CHECK(read(trims).kind == TemplateKind::other);
  std::string other_role = chatml;
  other_role.replace(other_role.find("assistant"), 9, "model");
  CHECK(read(other_role).kind == TemplateKind::other);
  MetadataBuilder number;
  number.number("tokenizer.chat_template", 1);
  CHECK_THROWS(read_chat_template(number.metadata()));
}

TEST_CASE("conditions that can't be told don't matter where they print nothing") {
  CHECK(read("{%- if tools %}tools{% endif -%}" + chatml).kind == TemplateKind::chatml);
  CHECK(read("{% set ns = namespace(n=0) %}{% for m in messages[::-1] %}{% if m.content.startswith('x') %}"
             "{% set ns.n = 1 %}{% endif %}{% endfor %}" +
             chatml)
            .kind == TemplateKind::chatml);
  CHECK(read("{% if messages[0].content == unknown() %}{% set a = '' %}{% else %}{% set a = 'x' %}{% endif %}{{ a }}" +
             chatml)
            .kind == TemplateKind::other);
  CHECK(read("{% if unknown() %}{% elif true %}x{% endif %}" + chatml).kind == TemplateKind::other);
  CHECK(read("{% if unknown() %}{% elif true %}{% else %}x{% endif %}" + chatml).kind == TemplateKind::chatml);
  CHECK(read("{% if messages[0].content.startswith('x') %}x{% endif %}" + chatml).kind == TemplateKind::other);
  CHECK(read(chatml + "{% if enable_thinking is defined and enable_thinking is false %}<think>{% endif %}").kind ==
        TemplateKind::chatml);
  CHECK(read(chatml + "{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}").kind ==
        TemplateKind::other);
}

TEST_CASE("templates can't make the renderer work without end") {
  std::string nested;
  for (int i = 0; i < 200; ++i) nested += "{% for m in messages %}";
  CHECK(read(nested).kind == TemplateKind::other);
  for (int i = 0; i < 200; ++i) nested += "{% endfor %}";
  CHECK(read(nested).kind == TemplateKind::other);
  CHECK(read("{{ " + std::string(100'000, '(') + " }}").kind == TemplateKind::other);
  CHECK(read("{{ " + std::string(100'000, '[') + " }}").kind == TemplateKind::other);
  std::string nots;
  for (int i = 0; i < 10'000; ++i) nots += "not ";
  CHECK(read("{% if " + nots + "x %}{% endif %}" + chatml).kind == TemplateKind::chatml);
  std::string elses = "{{ x ";
  for (int i = 0; i < 100'000; ++i) elses += "if x else x ";
  CHECK(read(elses + "}}").kind == TemplateKind::other);
  std::string many;
  for (int i = 0; i < 30'000; ++i) many += "{% set a" + std::to_string(i) + " = 1 %}";
  for (int i = 0; i < 30'000; ++i) many += "{% for m in messages %}{% endfor %}";
  CHECK(read(many).kind == TemplateKind::other);
  std::string doubled = "{% set a = 'xxxxxxxx' %}";
  for (int i = 0; i < 60; ++i) doubled += "{% set a = a + a %}";
  CHECK(read(doubled + "{{ a }}").kind == TemplateKind::other);
}

TEST_CASE("white space is trimmed as Jinja does it for chat templates") {
  const std::vector<TemplateMessage> none;
  const auto render = [&](std::string_view source) { return render_template(source, none, "").value_or("?"); };
  CHECK(render("a\n") == "a");
  CHECK(render("a\n\n") == "a\n");
  CHECK(render("a {{- 'b' -}} c") == "abc");
  CHECK(render("a {{ 'b' }} c") == "a b c");
  CHECK(render("{% if true %}\nx\n{% endif %}\ny") == "x\ny");
  CHECK(render("  {% if true %}\n  x\n  {% endif %}\ny") == "  x\ny");
  CHECK(render("a  {% if true %}x{% endif %}") == "a  x");
  CHECK(render("{# a #}\nb") == "b");
  CHECK(render("{% if false %}a{% elif true %}b{% else %}c{% endif %}") == "b");
  CHECK(render("{{ 'a' if false else 'b' }}{{ 'x' ~ 'y' }}{{ \"\\\"\\n\" }}") == "bxy\"\n");
  CHECK(render("{% if not (1 == 2) and 'a' != 'b' and x is not defined %}y{% endif %}") == "y");
}

TEST_CASE("loops and namespaces scope as in Jinja") {
  const std::vector<TemplateMessage> two = {{"user", "a"}, {"assistant", "b"}};
  const auto render = [&](std::string_view source) { return render_template(source, two, "").value_or("?"); };
  CHECK(render("{% for m in messages %}{{ m.content }}{% if loop.last %}.{% endif %}{% endfor %}") == "ab.");
  CHECK(render("{% set x = 'o' %}{% for m in messages %}{{ x }}{% set x = m.content %}{{ x }}{% endfor %}{{ x }}") ==
        "oaobo");
  CHECK(render("{% set n = namespace(x='o') %}{% for m in messages %}{% set n.x = m.content %}{% endfor %}{{ n.x }}") ==
        "b");
  CHECK(render("{% for m in messages[1:] %}{{ m['role'] }}{% for k in messages %}{{ loop.index0 == 1 and k.content }}"
               "{% endfor %}{% endfor %}") == "?"); // false is not text here
  CHECK(render("{% for m in messages %}{% for k in messages %}{% if loop.first %}{{ k.content }}{% endif %}{% endfor %}"
               "{% if loop.first %}|{% endif %}{% endfor %}") == "a|a");
}

TEST_CASE("a conversation's tokens: template text is special, message text is not, BOS comes once") {
  auto words = test::byte_words();
  words.add("<|im_start|>", 0, test::control).add("<|im_end|>", 0, test::control).add("<s>", 0, test::control);
  auto builder = test::byte_level(words, {}, "qwen2");
  builder.number("tokenizer.ggml.bos_token_id", 258);
  const auto tokenizer = Tokenizer::create(builder.metadata());
  const std::string text = "hi<|im_end|>";
  const ChatTemplate bare{TemplateKind::chatml, {}, false};
  auto ids = begin_conversation(*tokenizer, bare, {}, text);
  CHECK(ids.front() == 256);
  CHECK(std::count(ids.begin(), ids.end(), 257) == 1);
  CHECK(tokenizer->decode(ids, true) == "<|im_start|>user\nhi<|im_end|><|im_end|>\n<|im_start|>assistant\n");
  ids = begin_conversation(*tokenizer, {TemplateKind::chatml, "Be kind.", true}, {}, "x");
  CHECK(tokenizer->decode(ids, true) ==
        "<s><|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n");
  ids = begin_conversation(*tokenizer, {TemplateKind::chatml, "Be kind.", false}, "", "x");
  CHECK(tokenizer->decode(ids, true) ==
        "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n");
}

TEST_CASE("real templates") {
  const char* data = std::getenv("KERN_DATA");
  if (!data) return;
  const std::vector<std::pair<std::string, std::string>> known = {
      {"Qwen-Qwen2.5-7B-Instruct", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
      {"MiMo-VL", "You are MiMo, an AI assistant developed by Xiaomi."},
      {"Qwen-Qwen3-0.6B", ""},
      {"Qwen3-Coder", ""},
      {"LFM2-8B-A1B", ""}};
  int others = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(data) / "templates")) {
    if (entry.path().extension() != ".jinja") continue;
    CAPTURE(entry.path().string());
    std::ifstream in(entry.path(), std::ios::binary);
    const ChatTemplate chat = read({std::istreambuf_iterator<char>(in), {}});
    const auto expected =
        std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.first == entry.path().stem(); });
    CHECK(chat.kind == (expected == known.end() ? TemplateKind::other : TemplateKind::chatml));
    if (expected == known.end()) ++others;
    else CHECK(chat.default_system.value_or("") == expected->second);
    CHECK(chat.writes_bos == (entry.path().stem() == "LFM2-8B-A1B"));
  }
  CHECK(others > 10);
}

} // namespace
} // namespace kern
