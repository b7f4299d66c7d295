// Models that think before they answer.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/conversation.h"
#include "model/gguf.h"
#include "tests/cli_fixture.h"
#include "tests/fixtures.h"

namespace kern::test {
namespace {

const std::string knows = std::string("{# <think> </think> #}") + chatml_template;
const std::string opens = std::string(chatml_template) + "{{ '<think>\\n' }}";
const std::string switches = std::string(chatml_template) +
                             "{% if enable_thinking is defined and not enable_thinking %}"
                             "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}";

enum class Marks { control, user_defined, text };

/// Thinks "hm well", then says "Yes."; after an empty line it says "Yes." at once.
ChainModel thinker(const std::string& chat_template, Marks marks = Marks::user_defined) {
  const Words pieces = marks == Marks::text ? Words{"<thi", "nk>", "hm", " well", "</thin", "k>", "Yes", "."}
                                            : Words{"<think>", "hm", " well", "</think>", "Yes", "."};
  ChainModel model = answer_model(pieces);
  model.chat_template = chat_template;
  if (marks != Marks::text)
    for (const char* mark : {"<think>", "</think>"})
      model.tokens[static_cast<std::size_t>(find_token(model, mark))].type =
          marks == Marks::control ? TokenType::control : TokenType::user_defined;
  model.tokens.push_back({"\n\n", TokenType::user_defined, find_token(model, "Yes")});
  return model;
}

TEST_CASE("thinking goes to standard error, the answer to standard output") {
  const Models models;
  for (const Marks marks : {Marks::control, Marks::user_defined, Marks::text}) {
    const std::string model = models.add(thinker(knows, marks));
    const auto plain = kern({"run", "-m", model, "hi"});
    CHECK(plain.out == "Yes.\n");
    CHECK(contains(plain.err, "hm well\n"));
    CHECK_FALSE(contains(plain.err, "think>"));
    CHECK_FALSE(contains(plain.err, "\x1b"));
    const auto quiet = answer(model, {"hi"});
    CHECK(quiet.out == "Yes.\n");
    CHECK(quiet.err.empty());
    CHECK(answer(model, {"--think", "show", "hi"}).out == "<think>\nhm well\n</think>\n\nYes.\n");
    const auto hidden = kern({"run", "-m", model, "--think", "hide", "hi"});
    CHECK(hidden.out == "Yes.\n");
    CHECK_FALSE(contains(hidden.err, "hm"));
    const auto report = answer_json(model, {"hi"});
    CHECK(report["text"] == "Yes.");
    CHECK(report["thinking"] == "hm well");
    // A mark in the text is told from thinking only once it is whole.
    CHECK(report["thinking_tokens"] == (marks == Marks::text ? 4 : 2));
    CHECK(report["generated_tokens"] == (marks == Marks::text ? 8 : 6));
    // Cut within the thinking, there is no answer, and the mark is closed.
    const auto cut = answer(model, {"--think", "show", "-n", "3", "hi"});
    CHECK(cut.out == (marks == Marks::text ? "<think>\nhm\n</think>\n\n" : "<think>\nhm well\n</think>\n\n"));
    CHECK(answer(model, {"-n", "3", "hi"}).out.empty());
  }
}

TEST_CASE("thinking is dimmed on a terminal, unless NO_COLOR asks for none") {
  const Models models;
  const std::string model = models.add(thinker(knows));
  ProcessOptions options;
  options.err = Output::terminal;
  options.environment = {{"TERM", "xterm"}};
  CHECK(contains(kern({"run", "-m", model, "hi"}, options).err, "\x1b[2mhm\x1b[0m"));
  options.environment.push_back({"NO_COLOR", "1"});
  const auto plain = kern({"run", "-m", model, "hi"}, options);
  CHECK(contains(plain.err, "hm well"));
  CHECK_FALSE(contains(plain.err, "\x1b["));
}

TEST_CASE("a prompt that opens the thinking is understood") {
  const Models models;
  ChainModel model = answer_model({"hm", "</think>", "Yes"});
  model.tokens[1].type = TokenType::user_defined;
  model.tokens.push_back({"<think>", TokenType::user_defined, 0});
  model.chat_template = opens;
  const std::string path = models.add(model);
  const auto report = answer_json(path, {"hi"});
  CHECK(report["thinking"] == "hm");
  CHECK(report["text"] == "Yes");
  // What a user writes opens nothing.
  model.chat_template = knows;
  CHECK_FALSE(answer_json(models.add(model), {"<think>"}).contains("thinking"));
}

TEST_CASE("--think off asks the template, or closes the thinking itself") {
  const Models models;
  int told = 0;
  for (const std::string& chat_template : {knows, opens, switches}) {
    const std::string model = models.add(thinker(chat_template));
    const auto report = answer_json(model, {"--think", "off", "hi"});
    CHECK(report["text"] == "Yes.");
    CHECK_FALSE(report.contains("thinking"));
    // All three ways come to the same prompt.
    if (told == 0) told = report["prompt_tokens"];
    CHECK(report["prompt_tokens"] == told);
  }
  // The user's own word goes before.
  const auto kwargs = answer_json(models.add(thinker(switches)), {"--think", "off", "--chat-template-kwargs",
                                                                  "{\"enable_thinking\": true, \"x\": 1}", "hi"});
  CHECK(kwargs["prompt_tokens"] == told);
  const auto plain = answer_json(models.add(thinker(switches)), {"hi"});
  CHECK(plain["thinking"] == "hm well");
}

TEST_CASE("--think-budget ends the thinking and lets the model answer") {
  const Models models;
  for (const Marks marks : {Marks::control, Marks::user_defined, Marks::text}) {
    const std::string model = models.add(thinker(knows, marks));
    const auto report = answer_json(model, {"--think-budget", "1", "hi"});
    CHECK(report["thinking"] == "hm");
    CHECK(report["text"] == "Yes.");
    CHECK(report["reason"] == "end");
    CHECK(answer_json(model, {"--think-budget", "99", "hi"})["thinking"] == "hm well");
  }
  const auto none = answer_json(models.add(thinker(opens)), {"--think-budget", "0", "hi"});
  CHECK_FALSE(none.contains("thinking"));
  CHECK(none["text"] == "Yes.");
  for (const Words& wrong : std::vector<Words>{
           {"--think", "maybe", "hi"}, {"--think-budget", "-1", "hi"}, {"--raw", "--think", "off", "hi"}}) {
    const auto result = answer(models.add(thinker(knows)), wrong);
    CHECK(result.code == 2);
    CHECK(is_one_line(result.err));
  }
}

TEST_CASE("gpt-oss: channels") {
  const Models models;
  ChainModel model = answer_model({"<|channel|>", "analysis", "<|message|>", "hm", "<|end|>", "Yes", "."});
  for (const int mark : {0, 2, 4}) model.tokens[static_cast<std::size_t>(mark)].type = TokenType::control;
  for (const char* mark : {"<|start|>", "<|return|>", "<|call|>"})
    model.tokens.push_back({mark, TokenType::control, 0});
  model.chat_template = "{% for m in messages %}{{ '<|start|>' + m.role + '<|message|>' + m.content }}{% if m.role == "
                        "'assistant' %}{{ '<|return|>' }}{% else %}{{ '<|end|>' }}{% endif %}"
                        "{% endfor %}{{ '<|start|>assistant' }}{# <|channel|> #}";
  const std::string path = models.add(model);
  auto report = answer_json(path, {"hi"});
  CHECK(report["thinking"] == "hm");
  CHECK(report["text"] == "Yes.");
  // Behind <|message|>, this model says "hm" whatever the channel.
  report = answer_json(path, {"--think", "off", "hi"});
  CHECK_FALSE(report.contains("thinking"));
  CHECK(report["text"] == "hmYes.");
}

/// How the templates of real models begin an answer, with thinking, without, and as they would.
TEST_CASE("--think off leaves no real template within thinking") {
  const std::filesystem::path data = real_data();
  if (data.empty()) return;
  const std::vector<std::byte> bytes = chain_model_bytes(answer_model({}));
  const Gguf gguf = Gguf::parse(bytes, "a vocabulary");
  const auto tokenizer = Tokenizer::create(gguf.metadata());
  int thinking = 0;
  int open = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data / "templates")) {
    if (entry.path().extension() != ".jinja") continue;
    const std::vector<char> source = read_file(entry.path());
    const ChatTemplate chat(std::string_view(source.data(), source.size()), entry.path().filename().string());
    const ThinkFormat format = find_think_format(*tokenizer, chat);
    CAPTURE(entry.path().filename().string());
    TemplateFlags flags;
    const std::vector<ChatMessage> messages = {{"user", "Hi"}};
    const ConversationEncoder plain(chat, flags, *tokenizer);
    try {
      open += plain.plan_thinking(plain.render(messages)).begins ? 1 : 0;
    } catch (const Error&) {
      continue; // it wants tools
    }
    flags.think = ThinkMode::off;
    const ConversationEncoder off(chat, flags, *tokenizer);
    const jinja::Text rendered = off.render(messages);
    CHECK_FALSE(off.plan_thinking(rendered).begins);
    if (format.kind != ThinkFormat::Kind::marks) {
      CHECK(rendered.view() == plain.render(messages).view());
      continue;
    }
    ++thinking;
    // Once closed, never twice.
    const std::string_view tail = rendered.view().substr(rendered.view().rfind("Hi"));
    std::size_t closed = 0;
    for (std::size_t at = 0; (at = tail.find(format.close, at)) != std::string_view::npos; ++at) ++closed;
    CHECK(closed == 1);
  }
  CHECK(thinking >= 9);
  CHECK(open >= 2);
}

} // namespace
} // namespace kern::test
