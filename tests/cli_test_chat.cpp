// kern chat where standard input is no terminal: each line is a turn.
#include <csignal>
#include <fstream>

#include <doctest/doctest.h>

#include "cli/session_text.h"
#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

using namespace std::chrono_literals;

constexpr int turn_tokens = 1 + 5 + 1 + 1; // <|im_start|> "user\n" ... <|im_end|> "\n"
constexpr int answer_head = 1 + 10;        // <|im_start|> "assistant\n"

ProcessOptions lines(const std::string& text) {
  ProcessOptions options;
  options.input = Input::bytes;
  options.bytes = text;
  return options;
}

/// A model that says "x y " to everything, with ChatML; every byte of a message is a token.
struct ChatFixture {
  Models models;
  std::string model;

  explicit ChatFixture(const Words& pieces = {"x ", "y "}, AnswerEnd end = AnswerEnd::end_of_generation) {
    ChainModel chain = answer_model(pieces, Spelling::byte_level, end);
    chain.chat_template = chatml_template;
    model = models.add(chain);
  }
  ProcessResult chat(const std::string& input, Words arguments = {}) const {
    Words all{"chat", "-m", model};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return kern(all, lines(input));
  }
};

/// "prompt   46 tokens: 19 prefilled in 0.008 s, 27 in the cache" -> {46, 19, 27}, for every /stats.
std::vector<std::array<int, 3>> prompts(const std::string& text) {
  std::vector<std::array<int, 3>> found;
  for (std::size_t at = 0; (at = text.find("prompt   ", at)) != std::string::npos; ++at) {
    std::array<int, 3> figures{};
    double seconds = 0.0;
    REQUIRE(std::sscanf(text.c_str() + at, "prompt   %d tokens: %d prefilled in %lf s, %d in the cache", &figures[0],
                        &figures[1], &seconds, &figures[2]) == 4);
    found.push_back(figures);
  }
  return found;
}

TEST_CASE("chat answers every line, on standard output alone") {
  const ChatFixture f;
  const auto result = f.chat("one\n\ntwo\nthree");
  CHECK(result.code == 0);
  CHECK(result.out == "x y \nx y \nx y \n");
  CHECK(std::ranges::count(result.err, '\n') == 3);
  CHECK(contains(result.err, "[2 tokens, "));
  CHECK_FALSE(contains(result.err, "\x1b"));
  CHECK_FALSE(contains(result.err, "> "));
  const auto quiet = f.chat("one\ntwo\n", {"-q"});
  CHECK(quiet.out == "x y \nx y \n");
  CHECK(quiet.err.empty());
  CHECK(f.chat("").out.empty());
  CHECK(f.chat("", {"-q", "first", "words"}).out == "x y \n");
  CHECK(f.chat("second\n", {"-q", "first"}).out == "x y \nx y \n");
}

TEST_CASE("chat reads only what is new") {
  const ChatFixture f;
  std::string input;
  for (int turn = 0; turn < 20; ++turn) input += "message\n/stats\n";
  const auto result = f.chat(input);
  const auto figures = prompts(result.err);
  REQUIRE(figures.size() == 20);
  const int first = turn_tokens + 7 + answer_head;
  // Each turn adds the end of the answer before it. The answer's ids are in the cache already.
  const int more = 2 + turn_tokens + 7 + answer_head;
  for (int turn = 0; turn < 20; ++turn) {
    CAPTURE(turn);
    const auto [all, prefilled, cached] = figures[static_cast<std::size_t>(turn)];
    CHECK(all == first + turn * (2 + more));
    CHECK(prefilled == (turn == 0 ? first : more));
    CHECK(cached == all - prefilled);
  }
}

TEST_CASE("chat reads again only from where the conversation changed") {
  const ChatFixture f;
  const int head = turn_tokens + answer_head, more = 2 + head;
  // The answer to the second message is drawn again: all but the last id of the prompt is there.
  const auto again = prompts(f.chat("one\ntwo\n/regen\n/stats\n").err);
  REQUIRE(again.size() == 1);
  CHECK(again[0][1] == 1);
  // Another last message: the first exchange, the end of its answer and the beginning of the message are there.
  const auto edited = prompts(f.chat("one\ntwo\n/edit twice\n/stats\n").err);
  CHECK(edited[0][2] == head + 3 + 2 + 2 + 1 + 5 + 2);
  CHECK(edited[0][1] == 3 + 2 + answer_head);
  // An earlier turn, by way of undo.
  const auto undone = prompts(f.chat("one\ntwo\nthree\n/undo\n/undo\nfour\n/stats\n").err);
  CHECK(undone[0][0] == head + 3 + 2 + more + 4);
  CHECK(undone[0][2] == head + 3 + 2 + 2 + 1 + 5);
  // A system text in front of all.
  CHECK(prompts(f.chat("one\n/system Be kind.\ntwo\n/stats\n").err)[0][2] == 1);
}

TEST_CASE("the ids of an answer stay as the model gave them") {
  // "xy" is one id of the answer; as text it would be two.
  const ChatFixture f({"xy", "xy"});
  const auto figures = prompts(f.chat("one\ntwo\n/stats\nthree\n/stats\n").err);
  CHECK(figures[0][1] == 2 + turn_tokens + 3 + answer_head);
  CHECK(figures[1][1] == 2 + turn_tokens + 5 + answer_head);
  CHECK(figures[1][0] == 3 * (turn_tokens + answer_head) + 11 + 2 * (2 + 2));
}

TEST_CASE("a template that rewrites old answers is followed, and read again from there") {
  const ChatFixture f({"a", "|b"});
  const std::string file = f.models.add_bytes(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{{ m.content.split('|')[-1] }}"
      "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
      "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
      "strips.jinja");
  const auto result = f.chat("one\n/stats\ntwo\n/stats\nthree\n/stats\n", {"--chat-template", file});
  CHECK(result.out == "a|b\na|b\na|b\n");
  const auto figures = prompts(result.err);
  REQUIRE(figures.size() == 3);
  // What follows the first answer's head is new each time: "b" and the next turn.
  CHECK(figures[1][2] == turn_tokens + 3 + answer_head);
  CHECK(figures[1][1] == 1 + 2 + turn_tokens + 3 + answer_head);
  CHECK(figures[2][2] == figures[1][0]);
}

TEST_CASE("chat: blocks, continued lines and messages with a slash") {
  const ChatFixture f;
  const auto result = f.chat("\"\"\"\none\n\n/exit\n\"\"\"\n/stats\nla\\\nst\n/stats\n//exit\n/stats\n");
  CHECK(result.out == "x y \nx y \nx y \n");
  const auto figures = prompts(result.err);
  REQUIRE(figures.size() == 3);
  CHECK(figures[0][0] == turn_tokens + 10 + answer_head);
  CHECK(figures[1][1] == 2 + turn_tokens + 5 + answer_head);
  CHECK(figures[2][1] == 2 + turn_tokens + 5 + answer_head);
  const auto open = f.chat("one\n\"\"\"\ntwo\n");
  CHECK(open.code == 2);
  CHECK(open.out == "x y \n");
  CHECK(contains(open.err, "nothing of it was sent"));
}

TEST_CASE("chat: what isn't a command is refused with the nearest, and the chat goes on") {
  const ChatFixture f;
  const auto result = f.chat("/hlep\n/xyzzy\n/sta\n/undo\n/regen\n/edit\n/stats now\n/save\n/load nowhere\none\n");
  CHECK(result.code == 0);
  CHECK(result.out == "x y \n");
  CHECK(contains(result.err, "/hlep is no command, /help is;"));
  CHECK(contains(result.err, "/xyzzy is no command;"));
  CHECK(contains(result.err, "/sta is no command, /stats is;"));
  CHECK(contains(result.err, "/undo: there is no exchange"));
  CHECK(contains(result.err, "there is no message to answer"));
  CHECK(contains(result.err, "/edit: there is no message"));
  CHECK(contains(result.err, "/stats takes no argument"));
  CHECK(contains(result.err, "/save wants a file"));
  CHECK(contains(result.err, "nowhere: there is no such file"));
  CHECK(f.chat("one\n/nonsense\n").code == 2);
  CHECK(f.chat("one\n/exit\ntwo\n").out == "x y \n");
  CHECK(f.chat("one\n/quit\ntwo\n").out == "x y \n");
  const auto help = f.chat("/help\n").err;
  for (const char* name : {"/undo", "/regen", "/edit [TEXT]", "/system", "/set", "/save FILE", "/load", "/branch",
                           "/stats", "/clear", "/file PATH", "/exit", "/quit"})
    CHECK(contains(help, name));
}

TEST_CASE("/set shows and changes the flags; a wrong one changes nothing") {
  const ChatFixture f;
  const auto result =
      f.chat("/set\n/set n 1\none\n/set -n -1\ntwo\n/set temp 99999999\n/set --nonsense 1\n/set temp\n/set json 1\n"
             "/set --help x\n/set top_k 7\n/set stop \"y \"\n/set seed 5\n/set\nthree\n");
  CHECK(result.code == 0);
  CHECK(result.out == "x \nx y \nx \n");
  CHECK(contains(result.err, "--temp 0.8\n"));
  CHECK(contains(result.err, "--top-k 40\n"));
  CHECK(contains(result.err, "--top-k 7\n"));
  CHECK(contains(result.err, "--seed 5\n"));
  CHECK(contains(result.err, "--stop \"y \"\n"));
  for (const char* refused : {"99999999", "--nonsense", "--json", "--help"}) CHECK(contains(result.err, refused));
  CHECK(contains(result.err, "kern: /set: "));
}

TEST_CASE("/regen draws another answer, the same ones for the same seed") {
  const auto draw = [](const Words& extra, const std::string& input) {
    Words arguments{"chat", "-q", "-n", "8"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    return kern(arguments, lines(input)).out;
  };
  const std::string input = "Tell me a story\n/regen\n/regen\n";
  const std::string first = draw({"--seed", "3"}, input);
  std::vector<std::string> answers;
  for (std::size_t begin = 0; begin < first.size(); begin = first.find('\n', begin) + 1)
    answers.push_back(first.substr(begin, first.find('\n', begin) - begin));
  REQUIRE(answers.size() == 3);
  CHECK(answers[0] != answers[1]);
  CHECK(answers[1] != answers[2]);
  CHECK(draw({"--seed", "3"}, input) == first);
  const std::string greedy = draw({"--temp", "0"}, "Tell me a story\n/regen\n");
  CHECK(greedy.substr(0, greedy.size() / 2) == greedy.substr(greedy.size() / 2));
  // The first answer is run's.
  CHECK(kern({"run", "-q", "-n", "8", "--seed", "3", "Tell me a story"}).out == answers[0] + "\n");
}

TEST_CASE("/system shows, sets and takes away the system text") {
  const ChatFixture f;
  const auto result = f.chat("/system\n/system Be kind.\n/system\none\n/stats\n/system \"\"\n/regen\n/stats\n");
  CHECK(contains(result.err, "[no system text]"));
  CHECK(contains(result.err, "\nBe kind.\n"));
  const auto figures = prompts(result.err);
  REQUIRE(figures.size() == 2);
  CHECK(figures[0][0] - figures[1][0] == 1 + 7 + 8 + 2);
  CHECK(prompts(f.chat("one\n/stats\n", {"-sys", "Be kind."}).err)[0][0] == figures[0][0]);
  const std::string refuses = f.models.add_bytes("{% if messages[0].role == 'system' %}{{ raise_exception('no system "
                                                 "here') }}{% endif %}{{ messages[-1].content }}",
                                                 "refuses.jinja");
  const auto refused = f.chat("/system Be kind.\none\n", {"--chat-template", refuses});
  CHECK(refused.code == 0);
  CHECK(refused.out == "x y \n");
  CHECK(contains(refused.err, "no system here"));
}

TEST_CASE("/save, /load and /branch") {
  const ChatFixture f;
  const std::string saved = f.models.path("saved.jsonl"), session = f.models.path("s.jsonl"),
                    branch = f.models.path("b.jsonl");
  CHECK(f.chat("one\ntwo\n/save " + saved + "\n").code == 0);
  const auto loaded = f.chat("/load " + saved + "\n/regen\n/stats\n");
  CHECK(loaded.out == "x y \n");
  CHECK(contains(loaded.err, "4 messages from"));
  CHECK(prompts(loaded.err)[0][0] == 2 * turn_tokens + 6 + 2 * answer_head + 4 + 2);
  const auto count = [](const std::string& path) {
    std::ifstream file(path);
    std::size_t n = 0;
    for (std::string line; std::getline(file, line);) ++n;
    return n;
  };
  CHECK(f.chat("one\n/branch " + branch + "\ntwo\n", {"--session", session}).code == 0);
  CHECK(count(session) == 2);
  CHECK(count(branch) == 4);
  const auto taken = f.chat("/branch " + branch + "\n");
  CHECK(taken.code == 2);
  CHECK(contains(taken.err, "is there already"));
  CHECK(count(branch) == 4);
  // With a session, loading another goes on in that one.
  CHECK(f.chat("/load " + branch + "\nthree\n", {"--session", session}).code == 0);
  CHECK(count(session) == 2);
  CHECK(count(branch) == 6);
  // Saving replaces sessions only.
  CHECK(f.chat("one\n/save " + saved + "\n").code == 0);
  CHECK(count(saved) == 2);
  const std::string text = f.models.add_bytes("precious\n", "text.txt");
  CHECK(f.chat("one\n/save " + text + "\n").code == 2);
  CHECK(f.chat("one\n/save /nonexistent/x\n").code == 2);
  CHECK(count(text) == 1);
}

TEST_CASE("/undo, /edit, /regen and /clear change the session's file") {
  const ChatFixture f;
  const std::string session = f.models.path("s.jsonl");
  const auto messages = [&](const std::string& input) {
    std::filesystem::remove(session);
    CHECK(f.chat(input, {"--session", session, "-sys", "S"}).code == 0);
    std::ifstream file(session);
    std::string all;
    for (const auto& message : parse_session(std::string(std::istreambuf_iterator<char>(file), {}), "s").messages)
      all += message.role.substr(0, 1) + ":" + message.content + ";";
    return all;
  };
  CHECK(messages("one\ntwo\n") == "s:S;u:one;a:x y ;u:two;a:x y ;");
  CHECK(messages("one\ntwo\n/undo\n") == "s:S;u:one;a:x y ;");
  CHECK(messages("one\ntwo\n/undo\nthree\n") == "s:S;u:one;a:x y ;u:three;a:x y ;");
  CHECK(messages("one\ntwo\n/edit zwei\n") == "s:S;u:one;a:x y ;u:zwei;a:x y ;");
  CHECK(messages("one\ntwo\n/set n 1\n/regen\n") == "s:S;u:one;a:x y ;u:two;a:x ;");
  CHECK(messages("one\n/system T\n") == "s:T;u:one;a:x y ;");
  CHECK(messages("one\n/clear\ntwo\n") == "s:S;u:two;a:x y ;");
}

TEST_CASE("/file adds a text to the next message, and refuses what is none") {
  const ChatFixture f;
  const std::string text = f.models.add_bytes("content\n", "a text.txt");
  const auto result = f.chat("/file " + text + "\nsee:\n/stats\nnext\n/stats\n");
  const auto figures = prompts(result.err);
  CHECK(contains(result.err, "8 tokens of "));
  CHECK(figures[0][0] == turn_tokens + 4 + 2 + 8 + answer_head);
  CHECK(figures[1][1] == 2 + turn_tokens + 4 + answer_head);
  const auto refuse = [&](const std::string& path, int code, const char* named) {
    const auto refused = f.chat("/file " + path + "\n");
    CHECK(refused.code == code);
    CHECK(is_one_line(refused.err));
    CHECK_MESSAGE(contains(refused.err, named), refused.err);
  };
  refuse(f.models.add_bytes(std::string("ab\0cd", 5), "nul"), 2, "byte 0x00 at offset 2");
  refuse(f.models.add_bytes("ab\xFF", "binary"), 2, "byte 0xff at offset 2");
  refuse(f.models.add_bytes("", "empty"), 2, "is empty");
  refuse(f.models.add_bytes(std::string(3000, 'a'), "long"), 4, "found 3000 tokens, but the context holds 1024");
  refuse(f.models.path("none"), 2, "no such file");
  refuse("/dev/zero", 2, "no regular file");
  refuse("/", 2, "no regular file");
  const std::string huge = f.models.add_bytes("", "huge");
  std::filesystem::resize_file(huge, (std::uintmax_t{16} << 20) + 1);
  refuse(huge, 2, "16 MiB");
}

TEST_CASE("a message that doesn't fit is refused with both counts, and the chat goes on") {
  const ChatFixture f;
  const auto result = f.chat("one\n" + std::string(200, 'a') + "\ntwo\n/stats\n", {"-c", "100"});
  CHECK(result.code == 0);
  CHECK(result.out == "x y \nx y \n");
  CHECK(contains(result.err, "has 245 tokens and the answer needs one more, but the context holds 100;"));
  CHECK(prompts(result.err)[0][0] == 2 * (turn_tokens + 3 + answer_head) + 2 + 2);
  CHECK(f.chat(std::string(200, 'a') + "\n", {"-c", "100"}).code == 4);
}

TEST_CASE("--overflow drops whole exchanges and says so") {
  const ChatFixture f;
  std::string input;
  for (int i = 0; i < 8; ++i) input += "message\n";
  const auto refused = f.chat(input + "/stats\n", {"-c", "150"});
  CHECK(refused.code == 4);
  CHECK(contains(refused.err, "but the context holds 150"));
  for (const char* how : {"oldest-turns", "middle"}) {
    CAPTURE(how);
    const auto result = f.chat(input + "/stats\n", {"-c", "150", "--overflow", how, "-sys", "S", "-n", "4"});
    CHECK(result.code == 0);
    CHECK(std::ranges::count(result.out, '\n') == 8);
    CHECK(contains(result.err, "the model doesn't see 1 of the "));
    const auto figures = prompts(result.err);
    CHECK(figures[0][0] <= 146);
    // The system text is still in front, and with it in the cache; with "middle" the first exchange too.
    const int system = 1 + 7 + 1 + 2;
    const int exchange = turn_tokens + 7 + answer_head + 2 + 2;
    const int shared = std::string(how) == "middle" ? system + exchange : system;
    CHECK((figures[0][0] - system - turn_tokens - 7 - answer_head) % exchange == 0);
    CHECK(figures[0][2] >= shared);
  }
  CHECK(f.chat(std::string(200, 'a') + "\n", {"-c", "100", "--overflow", "oldest-turns"}).code == 4);
  CHECK(f.chat("x\n", {"--overflow", "somehow"}).code == 2);
}

TEST_CASE("a chat says how full the context is, and how answers were cut") {
  const ChatFixture endless_words({"round ", "and "}, AnswerEnd::again);
  const auto cut = endless_words.chat("hi\n", {"-c", "40"});
  CHECK(cut.code == 5);
  CHECK(contains(cut.err, "CUT: the context is full"));
  CHECK(endless_words.chat("hi\n/stats\n/exit\n", {"-c", "40"}).code == 5);
  CHECK(endless_words.chat("hi\n/set n 1\n/regen\n", {"-c", "40"}).code == 0);
  const auto nearly = endless_words.chat("hi\n", {"-c", "40", "-n", "15"});
  CHECK(nearly.code == 0);
  CHECK(contains(nearly.err, "context 36 of 40, 4 left (90% full), -n reached"));
  const auto time = endless_words.chat("hi\n", {"-c", "400000", "--max-time", "0.2"});
  CHECK(time.code == 5);
  CHECK(contains(time.err, "CUT by --max-time"));
}

TEST_CASE("chat refuses what it can't do with one line") {
  const ChatFixture f;
  const std::string bare = f.models.add(answer_model({"x"}), "bare.gguf");
  const auto none = kern({"chat", "-m", bare}, lines("hi\n"));
  CHECK(none.code == 2);
  CHECK(is_one_line(none.err));
  CHECK(contains(none.err, "--chat-template chatml"));
  CHECK(kern({"chat", "-q", "-m", bare, "--chat-template", "chatml"}, lines("hi\n")).out == "x\n");
  CHECK(kern({"chat", "-m", f.models.path("none.gguf")}, lines("hi\n")).code == 3);
  CHECK(f.chat("hi\n", {"--json"}).code == 2);
  CHECK(f.chat("hi\n", {"--logit-bias", "999999+1"}).code == 2);
  ProcessOptions full = lines("hi\n");
  full.out = Output::full;
  CHECK(kern({"chat", "-q", "-m", f.model}, full).code == 8);
  ProcessOptions closed = lines("hi\nhi\n");
  closed.close_after = 1;
  CHECK(kern({"chat", "-q", "-m", f.model}, closed).code == 0);
}

TEST_CASE("a message whose reading is interrupted is taken back") {
  const ChatFixture f({"round ", "and "}, AnswerEnd::again);
  const std::string session = f.models.path("s.jsonl");
  Process process(KERN_EXECUTABLE, {"chat", "-m", f.model, "-c", "400000", "-t", "1", "--session", session},
                  lines(std::string(300000, 'a') + "\n"));
  CHECK(process.still_runs_after(700ms));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  CHECK(result.out.empty());
  CHECK(contains(result.err, "[nothing was answered; the conversation is as it was before]"));
  CHECK(std::filesystem::file_size(session) == 0);
}

TEST_CASE("without a terminal Ctrl-C ends a chat with 130, SIGTERM with 143") {
  const ChatFixture f({"round ", "and "}, AnswerEnd::again);
  for (const auto& [signal, code] : std::vector<std::pair<int, int>>{{SIGINT, 130}, {SIGTERM, 143}}) {
    Process answering(KERN_EXECUTABLE, {"chat", "-m", f.model, "-c", "400000"}, lines("hi\nagain\n"));
    CHECK(answering.read_until([](const ProcessResult& so_far) { return so_far.out.size() > 100; }));
    answering.send(signal);
    const auto result = answering.finish();
    CHECK(result.code == code);
    CHECK(contains(result.err, "interrupted"));
    ProcessOptions silent;
    silent.input = Input::silent;
    Process waiting(KERN_EXECUTABLE, {"chat", "-m", f.model, "-n", "1", "hi"}, silent);
    CHECK(waiting.read_until([](const ProcessResult& so_far) { return contains(so_far.err, "tokens/s"); }));
    waiting.send(signal);
    CHECK(waiting.finish().code == code);
  }
}

} // namespace
} // namespace kern::test
