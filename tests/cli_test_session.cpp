// Sessions: what is stored, and what is made of files that people and crashes changed.
#include <csignal>
#include <fstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/session_file.h"
#include "model/error.h"
#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

using Json = nlohmann::json;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A model that says "x y " to everything, with ChatML.
ChainModel talker() {
  ChainModel model = answer_model({"x ", "y "});
  model.chat_template = chatml_template;
  return model;
}

std::string user(const std::string& text) { return "{\"role\":\"user\",\"content\":\"" + text + "\"}\n"; }
const std::string xy = "{\"role\":\"assistant\",\"content\":\"x y \",\"end\":\"end\"}\n";

struct SessionFixture {
  Models models;
  std::string model = models.add(talker());
  std::string session = models.path("s.jsonl");

  ProcessResult run(Words arguments, const ProcessOptions& options = {}) const {
    arguments.insert(arguments.end(), {"--session", session});
    return answer(model, arguments, options);
  }
  ProcessResult chat(const std::string& input, Words arguments = {}, ProcessOptions options = {}) const {
    Words all{"chat", "-m", model, "--session", session};
    all.insert(all.end(), arguments.begin(), arguments.end());
    options.input = Input::bytes;
    options.bytes = input;
    return kern(all, options);
  }
  void write(const std::string& text) const { std::ofstream(session, std::ios::binary) << text; }
};

TEST_CASE("session: run goes on with the conversation and stores its turn") {
  const SessionFixture f;
  CHECK(f.run({"one"}).code == 0);
  CHECK(read_text(f.session) == user("one") + xy);
  CHECK((std::filesystem::status(f.session).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  const auto second = f.run({"two", "--json"});
  CHECK(second.code == 0);
  CHECK(read_text(f.session) == user("one") + xy + user("two") + xy);
  // <|im_start|> + "user\n" + text + <|im_end|> + "\n", and the answer's: all of it is the prompt.
  CHECK(Json::parse(second.out)["prompt_tokens"] == 2 * (1 + 5 + 3 + 2) + (1 + 10 + 4 + 2) + 11);
  CHECK(f.run({"three", "-n", "1"}).code == 0);
  CHECK(read_text(f.session).ends_with(user("three") +
                                       "{\"role\":\"assistant\",\"content\":\"x \",\"end\":\"length\"}\n"));
}

TEST_CASE("session: the system text is its first line") {
  const SessionFixture f;
  CHECK(f.run({"one", "--system", "Be kind."}).code == 0);
  CHECK(read_text(f.session) == "{\"role\":\"system\",\"content\":\"Be kind.\"}\n" + user("one") + xy);
  CHECK(f.run({"two", "--system", "Be kind."}).code == 0);
  const std::string before = read_text(f.session);
  const auto other = f.run({"three", "--system", "Be quick."});
  CHECK(other.code == 2);
  CHECK(is_one_line(other.err));
  CHECK(contains(other.err, "another system text"));
  CHECK(read_text(f.session) == before);
  f.write(user("one") + xy);
  CHECK(f.run({"two", "--system", "Late."}).code == 0);
  CHECK(read_text(f.session) == "{\"role\":\"system\",\"content\":\"Late.\"}\n" + user("one") + xy + user("two") + xy);
}

TEST_CASE("session: files written by hand are read, and keys that kern doesn't know stay") {
  const SessionFixture f;
  f.write("\n  \r\n{ \"mood\": [1, {\"a\": null}], \"content\": \"\\u00e9\", \"role\": \"user\" }\r\n\n" +
          xy.substr(0, xy.size() - 1));
  CHECK(f.chat("two\n").code == 0);
  CHECK(read_text(f.session).ends_with(xy + user("two") + xy)); // the newline that was missing is there
  CHECK(f.chat("/undo\n").code == 0);
  CHECK(read_text(f.session) == "{\"mood\":[1,{\"a\":null}],\"content\":\"\xC3\xA9\",\"role\":\"user\"}\n" + xy);
}

TEST_CASE("session: what is none is refused with its line, and stays as it is") {
  const SessionFixture f;
  std::string deep = "{\"role\": \"user\", \"content\": \"x\", \"d\": ";
  for (int i = 0; i < 100000; ++i) deep += '[';
  const struct {
    std::string text;
    std::string named;
  } cases[] = {{"hello\n", "line 1: found 'hello'"},
               {"hello", "line 1: found 'hello'"},
               {user("a") + "\n{\"role\": \"user\"}\n", "line 3: found no \"content\""},
               {"{\"content\": \"x\"}\n", "line 1: found no \"role\""},
               {"{\"role\": \"pirate\", \"content\": \"x\"}\n", "the role 'pirate'"},
               {"{\"role\": 5, \"content\": \"x\"}\n", "\"role\" with number"},
               {"{\"role\": \"user\", \"content\": [\"x\"]}\n", "\"content\" with array"},
               {"{\"role\": \"user\", \"content\": \"x\", \"end\": 1}\n", "\"end\" with number"},
               {"[]\n", "line 1: found '[]'"},
               {"{\"role\": \"user\", \"content\": \"\xFF\"}\n", "line 1"},
               {"{\"role\": \"user\", \"content\": \"a\nb\"}\n", "line 1"},
               {deep + "\n", "at most 64 levels"},
               {std::string("\0\0\0\n", 4) + user("a"), "line 1"}};
  for (const auto& wrong : cases) {
    CAPTURE(wrong.named);
    f.write(wrong.text);
    const auto result = f.run({"hi"});
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK(is_one_line(result.err));
    CHECK(contains(result.err, f.session));
    CHECK_MESSAGE(contains(result.err, wrong.named), result.err);
    CHECK(read_text(f.session) == wrong.text);
  }
}

TEST_CASE("session: too much of it is refused") {
  const SessionFixture f;
  f.write("{\"role\": \"user\", \"content\": \"" + std::string(max_session_line_bytes, 'x') + "\"}\n");
  const auto line = f.run({"hi"});
  CHECK(line.code == 2);
  CHECK(contains(line.err, "line 1"));
  CHECK(contains(line.err, "16 MiB"));
  f.write("");
  std::filesystem::resize_file(f.session, max_session_bytes + 1);
  const auto whole = f.run({"hi"});
  CHECK(whole.code == 2);
  CHECK(contains(whole.err, "64 MiB"));
  CHECK(std::filesystem::file_size(f.session) == max_session_bytes + 1);
  for (const char* path : {"/dev/full", "/dev/null", "/", "/nonexistent/s.jsonl"}) {
    const auto other = answer(f.model, {"hi", "--session", path});
    CHECK(other.code == 2);
    CHECK(is_one_line(other.err));
    CHECK(contains(other.err, path));
  }
}

TEST_CASE("session: a torn last line is moved aside, at any byte") {
  const SessionFixture f;
  const std::string whole = user("one") + xy;
  const std::string last = user("two");
  for (std::size_t cut = 1; cut + 1 < last.size(); cut += 5) {
    CAPTURE(cut);
    std::filesystem::remove(f.session + ".torn");
    f.write(whole + last.substr(0, cut));
    SessionFile file(f.session, SessionFile::Kind::any);
    CHECK(file.messages().size() == 2);
    CHECK(contains(file.repair(), ".torn"));
    CHECK(read_text(f.session) == whole);
    CHECK(read_text(f.session + ".torn") == last.substr(0, cut) + "\n");
  }
  f.write(whole + std::string(100, '\0'));
  const auto result = kern({"run", "-m", f.model, "--session", f.session, "hi"});
  CHECK(result.code == 0);
  CHECK(contains(result.err, "(100 bytes) was never written to its end"));
  CHECK(read_text(f.session) == whole + user("hi") + xy);
  // Complete but for its newline it is a line like others.
  f.write(whole + last.substr(0, last.size() - 1));
  const SessionFile file(f.session, SessionFile::Kind::any);
  CHECK(file.messages().size() == 3);
  CHECK(file.repair().empty());
}

TEST_CASE("session: only one kern uses it at a time") {
  const SessionFixture f;
  const SessionFile held(f.session, SessionFile::Kind::any);
  const auto result = f.run({"hi"});
  CHECK(result.code == 2);
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, f.session));
  CHECK(contains(result.err, "another kern"));
}

TEST_CASE("session: the lock outlives a rewrite, links and permissions too") {
  const TemporaryFolder folder;
  const auto path = folder / "s.jsonl", link = folder / "link.jsonl";
  {
    SessionFile file(path, SessionFile::Kind::any);
    file.append(std::vector<SessionMessage>{{"user", "one", "", {}}, {"assistant", "two", "end", {}}});
  }
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(0640));
  std::filesystem::create_symlink(path, link);
  SessionFile file(link, SessionFile::Kind::any);
  file.rewrite(std::vector<SessionMessage>{{"user", "three", "", {}}});
  CHECK(std::filesystem::is_symlink(link));
  CHECK(read_text(path.string()) == user("three"));
  CHECK(static_cast<int>(std::filesystem::status(path).permissions()) == 0640);
  CHECK_THROWS_AS(SessionFile(path, SessionFile::Kind::any), Error);
  file.append(std::vector<SessionMessage>{{"assistant", "four", "end", {}}});
  CHECK(read_text(path.string()) == user("three") + "{\"role\":\"assistant\",\"content\":\"four\",\"end\":\"end\"}\n");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2); // nothing left beside it
}

TEST_CASE("session: a full disk is told, and no half of a turn stays") {
  const SessionFixture f;
  std::string before;
  for (int i = 0; i < 2; ++i) before += user(std::string(100, 'a')) + xy;
  f.write(before);
  ProcessOptions full;
  full.file_size = before.size() + 20;
  const auto run = f.run({"hi"}, full);
  CHECK(run.code == 8);
  CHECK(run.out == "x y \n");
  CHECK(is_one_line(run.err));
  CHECK(contains(run.err, "the turn isn't stored: File too large"));
  CHECK(read_text(f.session) == before);
  const auto chat = f.chat("hi\nagain\n", {"-q"}, full);
  CHECK(chat.code == 8);
  CHECK(chat.out == "x y \nx y \n");
  CHECK(contains(chat.err, "the turn isn't stored"));
  CHECK(contains(chat.err, "the chat goes on"));
  CHECK(read_text(f.session) == before);
}

TEST_CASE("session: without a chat template there is no conversation") {
  const SessionFixture f;
  const std::string bare = f.models.add(answer_model({"x"}), "bare.gguf");
  const auto result = answer(bare, {"hi", "--session", f.session});
  CHECK(result.code == 2);
  CHECK(contains(result.err, "--chat-template"));
  CHECK(f.run({"hi", "--raw"}).code == 2);
  CHECK(answer(bare, {"hi", "--session", f.session, "--chat-template", "chatml"}).code == 0);
}

TEST_CASE("session: an interrupted answer is stored as far as it came") {
  const Models models;
  ChainModel model = endless();
  model.chat_template = chatml_template;
  const std::string path = models.add(model), session = models.path("s.jsonl");
  Words arguments = run_endless(path, {"--session", session});
  Process process(KERN_EXECUTABLE, arguments);
  CHECK(process.read_until([](const ProcessResult& so_far) { return so_far.out.size() > 100; }));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  const SessionText stored = parse_session(read_text(session), "s");
  REQUIRE(stored.messages.size() == 2);
  CHECK(stored.messages[1].end == "interrupted");
  CHECK(result.out.starts_with(stored.messages[1].content));
}

TEST_CASE("session: what parse_session reads, session_line writes") {
  const std::string text = "{\"role\":\"user\",\"content\":\"a\\nb\\u0000\\\"\"}\n" + xy;
  const SessionText session = parse_session(text, "s");
  std::string written;
  for (const SessionMessage& message : session.messages) written += session_line(message);
  CHECK(written == text);
  CHECK(session.whole_bytes == text.size());
  CHECK(session_line({"user", "\xFF", "", {}}) == "{\"role\":\"user\",\"content\":\"\xEF\xBF\xBD\"}\n");
}

} // namespace
} // namespace kern::test
