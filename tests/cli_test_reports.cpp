// --jsonl, --extract, and reports that are run again.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <sstream>

#include "cli/extract.h"
#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

std::vector<nlohmann::json> events(const std::string& text) {
  std::vector<nlohmann::json> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line));
  return all;
}

TEST_CASE("--jsonl prints an event a line, as it happens") {
  const Models models;
  const std::string model = models.add(answer_model({"Hel", "lo", "\n\"x\"", "\xC3", "\xA9"}));
  const auto result = answer(model, {"--jsonl", "-s", "3", "hi"});
  CHECK(result.code == 0);
  const auto all = events(result.out);
  REQUIRE(all.size() == 6); // the two halves of a character come as one
  CHECK(all[0]["event"] == "start");
  CHECK(all[0]["seed"] == 3);
  CHECK(all[0]["prompt_tokens"] == 2);
  std::string text;
  for (std::size_t i = 1; i + 1 < all.size(); ++i) {
    CHECK(all[i]["event"] == "text");
    text += all[i]["text"].get<std::string>();
  }
  CHECK(text == "Hello\n\"x\"\xC3\xA9");
  CHECK(all.back()["event"] == "end");
  CHECK(all.back()["text"] == text);
  CHECK(all.back()["reason"] == "end");
  CHECK(all.back()["generated_tokens"] == 5);

  Process process(KERN_EXECUTABLE, {"run", "-q", "-m", models.add(endless()), "-c", "400000", "--jsonl", "hi"}, {});
  CHECK(process.read_until([](const ProcessResult& r) { return contains(r.out, "\"text\":\"round "); }));
  process.send(SIGINT);
  const auto cut = process.finish();
  CHECK(cut.code == 130);
  CHECK(events(cut.out).back()["reason"] == "interrupted");

  ChainModel thinker = answer_model({"<think>", "hm", "</think>", "Yes"});
  for (const int mark : {0, 2}) thinker.tokens[static_cast<std::size_t>(mark)].type = TokenType::user_defined;
  thinker.chat_template = std::string("{# <think> #}") + chatml_template;
  const auto thought = events(answer(models.add(thinker), {"--jsonl", "hi"}).out);
  REQUIRE(thought.size() == 4);
  CHECK(thought[1]["event"] == "thinking");
  CHECK(thought[1]["text"] == "hm");
  CHECK(thought[2]["text"] == "Yes");
  const auto both = answer(model, {"--json", "--jsonl", "hi"});
  CHECK(both.code == 2);
  CHECK(is_one_line(both.err));
}

TEST_CASE("code blocks are found as Markdown has them") {
  CHECK(extract_code("Here:\n```python\nprint(1)\n\nx\n```\nand ```no``` more\n```\ny\n```") == "print(1)\n\nx\n");
  CHECK(extract_code("~~~~\na\n~~~\nb\n~~~~") == "a\n~~~\nb\n");
  CHECK(extract_code("1. So:\n   ```\n   a\n     b\n   ```\n") == "a\n  b\n");
  CHECK(extract_code("````md\n```\nin\n```\n````") == "```\nin\n```\n");
  CHECK(extract_code("```\n```") == "");
  CHECK_FALSE(extract_code("```sh\ncut in the middle\n"));
  CHECK_FALSE(extract_code("a ``` b\n``x``"));
  CHECK_FALSE(extract_code(""));
}

TEST_CASE("JSON values are found in the text around them") {
  CHECK(extract_json("Sure: {\"a\": [1, \"}\"], \"b\": \"\\\"{\"} ok") == "{\"a\": [1, \"}\"], \"b\": \"\\\"{\"}");
  CHECK(extract_json("a [link] and {x} then [1, 2]") == "[1, 2]");
  CHECK(extract_json("[unclosed {\"a\": 1}") == "{\"a\": 1}");
  CHECK(extract_json(" 42 \n") == "42");
  CHECK(extract_json("\"text\"") == "\"text\"");
  CHECK_FALSE(extract_json("no value"));
  CHECK_FALSE(extract_json("{\"a\": 1"));
  CHECK_FALSE(extract_json(""));
  CHECK_FALSE(extract_json(std::string(200000, '['))); // and in good time
}

TEST_CASE("--extract prints only what it takes out, and says by the exit code where there is nothing") {
  const Models models;
  const std::string model = models.add(answer_model({"So:\n", "```\n", "ls -l\n", "```\n", " and [1, 2", "]."}));
  CHECK(answer(model, {"--extract", "code", "hi"}).out == "ls -l\n");
  CHECK(answer(model, {"--extract", "json", "hi"}).out == "[1, 2]\n");
  const auto report = answer_json(model, {"--extract", "json", "hi"});
  CHECK(report["extracted"] == "[1, 2]");
  CHECK(contains(report["text"].get<std::string>(), "So:"));
  const auto none = answer(model, {"--extract", "json", "-n", "5", "hi"});
  CHECK(none.code == 7);
  CHECK(none.out.empty());
  CHECK(is_one_line(none.err));
  const auto none_json = answer(model, {"--extract", "json", "-n", "5", "--json", "hi"});
  CHECK(none_json.code == 7);
  const auto json = nlohmann::json::parse(none_json.out);
  CHECK(json["extracted"].is_null());
  CHECK(json["exit_code"] == 7);
  // What was cut keeps its own code.
  CHECK(answer(models.add(endless()), {"--extract", "code", "-c", "20", "hi"}).code == 5);
  CHECK(answer(model, {"--extract", "poem", "hi"}).code == 2);
}

TEST_CASE("kern replay runs a report again and compares") {
  const Models models;
  ChainModel random = answer_model({"a", "b"});
  random.sharpness = 0.02f;
  random.chat_template = std::string("{# <think> #}") + chatml_template;
  const std::string model = models.add(random);
  const auto record = [&](const Words& extra) {
    Words arguments{"run", "-q", "-m", model, "--json", "-n", "30"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    return nlohmann::ordered_json::parse(kern(arguments).out);
  };
  const auto replay = [&](const nlohmann::ordered_json& report, const Words& extra = {}) {
    Words arguments{"replay", "-q", models.add_bytes(report.dump(), "report.json")};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    return kern(arguments);
  };
  for (const Words& extra : std::vector<Words>{{"hi"},
                                               {"-s", "5", "--top-k", "0", "--min-p", "0", "hi"},
                                               {"--mirostat", "2", "--logit-bias", "3+5", "--stop", "ab", "hi"},
                                               {"--dry-multiplier", "1", "--dry-sequence-breaker", ":", "-ctk", "q8_0",
                                                "--samplers", "dry;temperature", "hi"},
                                               {"--think-budget", "3", "-sys", "Be [kind].", "[hi"},
                                               {"--raw", "--ignore-eos", "hi"}}) {
    const auto report = record(extra);
    const auto same = replay(report);
    CHECK_MESSAGE(same.code == 0, same.err);
    CHECK(same.out == "identical: " + std::to_string(report["tokens"].size()) + " tokens\n");
    CHECK(replay(report, {"-t", "2"}).code == 0);
  }
  const auto report = record({"hi", "-s", "1", "--top-k", "0", "--min-p", "0", "--ignore-eos"});
  auto changed = report;
  changed["tokens"][3] = report["tokens"][3].get<int>() == 0 ? 1 : 0;
  auto result = replay(changed);
  CHECK(result.code == 1);
  CHECK(contains(result.out, "different: token 4 is "));
  changed = report;
  changed["tokens"].push_back(0);
  CHECK(replay(changed).code == 1);
  changed = report;
  changed["text"] = "else";
  CHECK(replay(changed).code == 1);
  changed = report;
  changed["seed"] = 2;
  CHECK(replay(changed).code == 1);
  // A run that was cut from outside is run as far as it went.
  changed = report;
  changed["reason"] = "time";
  changed["tokens"].erase(changed["tokens"].begin() + 10, changed["tokens"].end());
  CHECK(replay(changed).code == 0);

  const std::string other = models.add(answer_model({"b", "a"}), "other.gguf");
  result = replay(report, {"-m", other});
  CHECK(result.code == 3);
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, "fingerprint"));
  const std::string moved = models.add(random, "moved.gguf");
  changed = report;
  changed["model"]["path"] = models.path("gone.gguf");
  CHECK(replay(changed).code == 3);
  CHECK(replay(changed, {"-m", moved}).code == 0);
}

TEST_CASE("kern replay refuses what is no report") {
  const Models models;
  const std::string model = models.add(answer_model({"a", "b"}));
  const auto report = nlohmann::ordered_json::parse(kern({"run", "-q", "-m", model, "--json", "hi"}).out);
  const auto refused = [&](const std::string& text) {
    const auto result = kern({"replay", "-q", models.add_bytes(text, "report.json")});
    CHECK_MESSAGE(result.code == 2, text.substr(0, 200));
    CHECK(is_one_line(result.err));
    CHECK(result.out.empty());
  };
  for (const char* text : {"", "{", "[]", "7", "{\"model\": 3}", "\xFF\xFE"}) refused(text);
  for (const char* key :
       {"model", "prompt_ids", "end_ids", "flags", "seed", "context", "cache", "tokens", "text", "reason"}) {
    auto changed = report;
    changed.erase(key);
    refused(changed.dump());
    changed[key] = nlohmann::ordered_json::object({{"x", nullptr}});
    refused(changed.dump());
  }
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, nlohmann::ordered_json>>{{"prompt_ids", {-1}},
                                                                   {"prompt_ids", {1 << 30}},
                                                                   {"prompt_ids", nlohmann::ordered_json::array()},
                                                                   {"context", 0},
                                                                   {"context", 1},
                                                                   {"flags", {"--help"}},
                                                                   {"flags", {"-m"}},
                                                                   {"flags", {"--tempo=1"}},
                                                                   {"think", {{"kind", "channels"}}},
                                                                   {"think", {{"kind", "marks"}, {"open", ""}}}}) {
    auto changed = report;
    changed[key] = value;
    refused(changed.dump());
  }
  CHECK(kern({"replay"}).code == 2);
  CHECK(kern({"replay", models.path("none.json")}).code == 2);
}

} // namespace
} // namespace kern::test
