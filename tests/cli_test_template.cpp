// kern template, and chat templates of kern run.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

const std::string two_messages = R"([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi\n"}])";

TEST_CASE("template prints exactly what the template gives") {
  const Models models;
  ChainModel model = answer_model({"x"});
  model.chat_template = chatml_template;
  const std::string path = models.add(model);
  const std::string file = models.add_bytes(two_messages, "messages.json");
  const auto result = kern({"template", "-m", path, "--messages", file});
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  CHECK(result.out ==
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi\n<|im_end|>\n<|im_start|>assistant\n");
  CHECK(kern({"template", "-m", path, "--messages", "-"}, piped(two_messages)).out == result.out);
  // An object says itself whether an answer is to follow.
  CHECK(kern({"template", "-m", path, "--messages", "-"}, piped("{\"messages\": []}")).out.empty());
  CHECK(kern({"template", "-m", path, "--messages", "-"}, piped("{\"messages\": [], \"add_generation_prompt\": true}"))
            .out == "<|im_start|>assistant\n");
}

TEST_CASE("template takes a file or a name, variables, and the time") {
  const Models models;
  const std::string source = models.add_bytes(
      "{{ bos_token }}{{ messages[0].content }} {{ tools | length }} {{ x.y }} {{ strftime_now('%d %b %Y') }}\n",
      "t.jinja");
  const std::string object =
      R"({"messages": [{"role": "user", "content": "Hi"}], "tools": [1, 2], "bos_token": "<b>"})";
  const auto result = kern({"template", "--chat-template", source, "--messages", "-", "--now", "2026-01-02T03:04:05",
                            "--chat-template-kwargs", R"({"x": {"y": null}})"},
                           piped(object));
  CHECK(result.err.empty());
  CHECK(result.out == "<b>Hi 2 None 02 Jan 2026");
  CHECK(kern({"template", "--chat-template", "zephyr", "--messages", "-"},
             piped(R"({"messages": [{"role": "user", "content": "Hi"}], "eos_token": "</s>"})"))
            .out == "<|user|>\nHi</s>\n");
}

TEST_CASE("template --tokens shows the tokens, and which end an answer") {
  const Models models;
  ChainModel model = answer_model({"x"});
  model.chat_template = chatml_template;
  const std::string path = models.add(model);
  const std::string messages = R"([{"role": "user", "content": "<s>\n"}])";
  const auto result = kern({"template", "-m", path, "--messages", "-", "--tokens"}, piped(messages));
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  CHECK(contains(result.out, "  special  '<|im_start|>'\n"));
  CHECK(contains(result.out, "           '<'\n"));
  CHECK(contains(result.out, "           '\\n'\n"));
  CHECK_FALSE(contains(result.out, "special  '<s>'"));
  CHECK(contains(result.out, "  stop     '<|im_end|>'\n"));
  CHECK(contains(result.out, "  stop     '</s>'\n"));
  const auto other =
      kern({"template", "-m", path, "--chat-template", "llama3", "--messages", "-", "--tokens"}, piped(messages));
  CHECK(other.code == 0);
  CHECK(is_one_line(other.err));
  CHECK(contains(other.err, "<|eot_id|>"));
}

TEST_CASE("what template can't do ends with code 2 and one line") {
  const Models models;
  const std::string raises = models.add_bytes("\n{{ raise_exception('System role not supported') }}", "raises.jinja");
  const std::string broken = models.add_bytes("{% if %}", "broken.jinja");
  const auto refuse = [](const Words& arguments, const std::string& input, std::string_view part) {
    const auto result = kern(arguments, piped(input));
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK_MESSAGE(is_one_line(result.err), result.err);
    CHECK_MESSAGE(contains(result.err, part), result.err);
  };
  refuse({"template", "--chat-template", raises, "--messages", "-"}, "[]", "line 2: System role not supported");
  refuse({"template", "--chat-template", broken, "--messages", "-"}, "[]", "broken.jinja: line 1");
  refuse({"template", "--chat-template", "nosuch", "--messages", "-"}, "[]", "neither a file nor one of");
  refuse({"template", "--chat-template", "chatml", "--messages", "-"}, "[", "no JSON");
  refuse({"template", "--chat-template", "chatml", "--messages", "-"}, "{}", "messages");
  refuse({"template", "--chat-template", "chatml", "--messages", "-"}, "5", "number");
  refuse({"template", "--chat-template", "chatml", "--messages", "-", "--now", "today"}, "[]", "--now");
  refuse({"template", "--chat-template", "chatml", "--messages", "-", "--chat-template-kwargs", "[]"}, "[]",
         "--chat-template-kwargs");
  refuse({"template", "-m", models.add(answer_model({"x"})), "--messages", "-"}, "[]", "no chat template");
  refuse({"template", "--chat-template", "chatml"}, "", "--messages");
  std::string deep;
  for (int i = 0; i < 400; ++i) deep += '[';
  for (int i = 0; i < 400; ++i) deep += ']';
  refuse({"template", "--chat-template", "chatml", "--messages", "-"}, deep, "nested too deeply");
}

TEST_CASE("run fills in any template") {
  const Models models;
  ChainModel model = answer_model({"x"});
  model.chat_template = foreign_template;
  const std::string path = models.add(model);
  const auto tokens = [&](const Words& arguments) { return answer_json(path, arguments)["prompt_tokens"].get<int>(); };
  CHECK(tokens({"abc"}) == 7 + 3 + 8);
  CHECK(answer(path, {"abc"}).out == "x\n");
  CHECK(tokens({"--chat-template", "chatml", "abc"}) == 1 + 5 + 3 + 1 + 1 + 1 + 10);
  const std::string file = models.add_bytes("{{ messages[0].content }}{{ suffix }}", "t.jinja");
  CHECK(tokens({"--chat-template", file, "abc"}) == 3);
  CHECK(tokens({"--chat-template", file, "--chat-template-kwargs", "{\"suffix\": \"de\"}", "abc"}) == 5);
  CHECK(answer(path, {"--chat-template", "chatml", "--raw", "abc"}).code == 2);
  const std::string raises = models.add_bytes("{{ raise_exception('no system') }}", "r.jinja");
  CHECK(answer(path, {"--chat-template", raises, "abc"}).code == 2);
}

} // namespace
} // namespace kern::test
