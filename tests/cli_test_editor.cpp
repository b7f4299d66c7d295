// kern chat at a terminal: what somebody who sits there types and sees.
#include <csignal>
#include <fstream>

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/cli_fixture.h"
#include "tests/terminal_screen.h"

namespace kern::test {
namespace {

using namespace std::chrono_literals;

const std::string up = "\x1b[A", left = "\x1b[D", enter = "\r", ctrl_c = "\x03", ctrl_d = "\x04";
const std::string cat = "\xE7\x8C\xAB";

struct EditorFixture {
  Models models;
  std::string model;
  std::string state = models.path("state");

  explicit EditorFixture(AnswerEnd end = AnswerEnd::end_of_generation) {
    ChainModel chain = answer_model({"x ", "y "}, Spelling::byte_level, end);
    chain.chat_template = chatml_template;
    chain.context_length = 1 << 20;
    model = models.add(chain);
  }
  std::string history() const {
    std::ifstream file(state + "/kern/history");
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

/// Somebody at a terminal that kern chat runs on.
class Person {
public:
  explicit Person(const EditorFixture& f, const Words& arguments = {}, const std::string& terminal = "xterm")
      : process_(KERN_EXECUTABLE, words(f, arguments), options(f, terminal)) {}

  void type(const std::string& keys) { process_.type(keys); }
  /// Waits until the screen has the text, which it must not have before.
  bool sees(const std::string& text) {
    return process_.read_until([&](const ProcessResult&) { return contains(screen().text(), text); });
  }
  /// Waits for the prompt with this text behind it in the last row, and the cursor at its end.
  bool sees_prompt(const std::string& text = "") {
    const std::string row = text.empty() ? ">" : "> " + text;
    return process_.read_until([&](const ProcessResult&) {
      const auto lines = screen().lines();
      return !lines.empty() && lines.back() == row && screen().row() + 1 == static_cast<int>(lines.size());
    });
  }
  /// All bytes so far on a screen.
  const TerminalScreen& screen() {
    const std::string& bytes = process_.so_far().out;
    screen_.write(std::string_view(bytes).substr(shown_));
    shown_ = bytes.size();
    return screen_;
  }
  void resize(int columns) {
    screen();
    screen_.resize(columns);
    process_.resize_terminal(columns);
  }
  Process& process() { return process_; }
  ProcessResult finish() { return process_.finish(); }

private:
  static Words words(const EditorFixture& f, const Words& arguments) {
    Words all{"chat", "-m", f.model};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  static ProcessOptions options(const EditorFixture& f, const std::string& terminal) {
    ProcessOptions options;
    options.one_terminal = true;
    options.environment = {{"TERM", terminal}, {"XDG_STATE_HOME", f.state}};
    options.limit = 20s;
    return options;
  }

  Process process_;
  TerminalScreen screen_;
  std::size_t shown_ = 0;
};

TEST_CASE("a chat at a terminal: prompt, answer, status, Ctrl-D") {
  const EditorFixture f;
  Person person(f);
  CHECK(person.sees_prompt());
  CHECK(contains(person.screen().text(), "/help lists commands"));
  CHECK(person.process().still_runs_after(300ms)); // what comes behind the prompt
  const std::size_t before = person.process().so_far().out.size();
  CHECK(person.process().still_runs_after(700ms));
  CHECK(person.process().so_far().out.size() == before); // nothing is drawn while nothing happens
  person.type("hello" + enter);
  CHECK(person.sees("[2 tokens, "));
  CHECK(person.sees_prompt());
  CHECK(contains(person.screen().text(), "\n> hello\nx y\n[2 tokens, "));
  person.type(ctrl_d);
  const auto result = person.finish();
  CHECK(result.code == 0);
  CHECK(contains(result.out, "\x1b[2m[2 tokens"));
  CHECK(result.out.ends_with("\x1b[?2004l")); // pastes are no longer bracketed
  CHECK(f.history() == "hello\n");
}

TEST_CASE("a chat at a terminal edits wide characters and several lines") {
  const EditorFixture f;
  Person person(f, {"-q"});
  CHECK(person.sees_prompt());
  person.type(cat + cat + left + "-");
  CHECK(person.sees(cat + "-" + cat));
  CHECK(person.screen().column() == 2 + 2 + 1);
  person.type("\x05\x0a"
              "second");
  CHECK(person.sees("> " + cat + "-" + cat + "\n  second"));
  person.type(up + "!");
  CHECK(person.sees("> " + cat + "-" + cat + "!\n  second"));
  person.type(enter);
  CHECK(person.sees("x y"));
  person.type(ctrl_d);
  CHECK(person.finish().code == 0);
  CHECK(f.history() == cat + "-" + cat + "!\\nsecond\n");
}

TEST_CASE("a paste with newlines waits for Enter, and shows control characters") {
  const EditorFixture f;
  Person person(f, {"-q"});
  CHECK(person.sees_prompt());
  person.type("\x1b[200~one\r\ntwo\x1b[2J\x1b[201~");
  CHECK(person.sees("> one\n  two\\x1b[2J"));
  CHECK_FALSE(contains(person.screen().text(), "x y"));
  person.type(enter);
  CHECK(person.sees("x y"));
  CHECK_FALSE(contains(person.process().so_far().out, "two\x1b[2J"));
}

TEST_CASE("history goes on from one chat to the next, and is searched") {
  const EditorFixture f;
  {
    Person person(f, {"-q"});
    CHECK(person.sees_prompt());
    person.type("first question" + enter);
    CHECK(person.sees("x y\n>"));
    person.type("second question" + enter);
    CHECK(person.sees("second question\nx y\n>"));
    person.type(ctrl_d);
    CHECK(person.finish().code == 0);
  }
  Person person(f, {"-q"});
  CHECK(person.sees_prompt());
  person.type("draft" + up);
  CHECK(person.sees_prompt("second question"));
  person.type(up);
  CHECK(person.sees_prompt("first question"));
  person.type("\x1b[B\x1b[B");
  CHECK(person.sees_prompt("draft"));
  person.type("\x15\x12"
              "first");
  CHECK(person.sees("search 'first': first question"));
  person.type("\x12\x12");
  CHECK(person.sees("not found 'first': first question"));
  person.type("\x07");
  CHECK(person.sees_prompt());
  person.type("\x12sec" + enter);
  CHECK(person.sees("> second question\nx y"));
}

TEST_CASE("a resized terminal shows the text anew") {
  const EditorFixture f;
  Person person(f, {"-q"});
  CHECK(person.sees_prompt());
  std::string text;
  for (int i = 0; i < 30; ++i) text += static_cast<char>('a' + i % 26);
  person.type(text);
  CHECK(person.sees_prompt(text));
  person.resize(21);
  CHECK(person.sees("> " + text.substr(0, 18) + "\n  " + text.substr(18)));
  CHECK(person.screen().breaks() == 0);
  person.resize(80);
  CHECK(person.sees_prompt(text));
}

TEST_CASE("Ctrl-C stops an answer and keeps what came") {
  const EditorFixture f(AnswerEnd::again);
  Person person(f, {"-c", "400000"});
  CHECK(person.sees_prompt());
  person.type("go" + enter);
  CHECK(person.process().read_until([](const ProcessResult& so_far) { return contains(so_far.out, "x y x y x y "); }));
  person.type(ctrl_c);
  CHECK(person.sees(", interrupted]"));
  CHECK(person.sees_prompt());
  person.type("/stats" + enter);
  CHECK(person.sees("session  2 messages"));
  CHECK(person.sees("end      interrupted"));
  // The next turn goes on behind it; one more Ctrl-C, and the chat still lives.
  person.type("again" + enter);
  CHECK(person.process().read_until([seen = person.process().so_far().out.size()](const ProcessResult& so_far) {
    return contains(std::string_view(so_far.out).substr(seen), "x y x y ");
  }));
  person.type(ctrl_c + ctrl_c);
  CHECK(person.sees_prompt());
  person.type("\x04");
  CHECK(person.finish().code == 0);
}

TEST_CASE("what is typed during an answer isn't shown in it, and is there at the prompt") {
  const EditorFixture f(AnswerEnd::again);
  Person person(f, {"-q", "-c", "400000"});
  CHECK(person.sees_prompt());
  person.type("go" + enter);
  CHECK(person.process().read_until([](const ProcessResult& so_far) { return contains(so_far.out, "x y x y x y "); }));
  person.type("typed ahead");
  person.process().still_runs_after(100ms);
  CHECK_FALSE(contains(person.process().so_far().out, "typed"));
  person.process().send(SIGINT);
  CHECK(person.sees_prompt("typed ahead"));
}

TEST_CASE("Ctrl-C at the prompt drops the line, and then says how to leave") {
  const EditorFixture f;
  Person person(f, {"-q"});
  CHECK(person.sees_prompt());
  person.type("never sent" + ctrl_c);
  CHECK(person.sees("> never sent\n>"));
  CHECK_FALSE(contains(person.screen().text(), "Ctrl-D"));
  person.type(ctrl_c);
  CHECK(person.sees("[Ctrl-D or /exit leaves]"));
  CHECK(person.sees_prompt());
  person.type("\x04");
  CHECK(person.finish().code == 0);
  CHECK(f.history().empty());
}

TEST_CASE("Tab completes commands and paths") {
  const EditorFixture f;
  const std::string path = f.models.add_bytes("content", "notes.txt");
  Person person(f, {"-q"});
  CHECK(person.sees_prompt());
  person.type("/s\t");
  CHECK(person.sees("\n/save    /set     /stats   /system"));
  person.type("\x15/he\t");
  CHECK(person.sees("> /help"));
  person.type("\x15/file " + path.substr(0, path.size() - 6) + "\t" + enter);
  CHECK(person.sees("7 tokens of"));
}

TEST_CASE("/edit gives the last message to be changed") {
  const EditorFixture f;
  Person person(f);
  CHECK(person.sees_prompt());
  person.type("frist" + enter);
  CHECK(person.sees("[2 tokens, "));
  person.type("/edit" + enter);
  CHECK(person.sees_prompt("frist"));
  person.type(ctrl_c);
  CHECK(person.sees("[not changed]"));
  CHECK(person.sees_prompt());
  person.type("/edit" + enter);
  CHECK(person.sees_prompt("frist"));
  person.type("!" + enter);
  CHECK(person.sees("> frist!\nx y"));
  CHECK(person.sees_prompt());
  person.type("/stats" + enter);
  CHECK(person.sees("session  2 messages"));
}

TEST_CASE("the terminal is as it was before, however a chat ends") {
  const EditorFixture f(AnswerEnd::again);
  const struct {
    int signal;
    int code;
  } endings[] = {{0, 0}, {SIGINT, 0}, {SIGTERM, 143}, {SIGHUP, 129}};
  for (const auto& ending : endings) {
    CAPTURE(ending.signal);
    // A shell that looks at the terminal before and after.
    ProcessOptions options;
    options.one_terminal = true;
    options.environment = {{"TERM", "xterm"}, {"XDG_STATE_HOME", f.state}};
    options.limit = 20s;
    Process process("/bin/sh",
                    {"-c",
                     "trap '' HUP INT TERM; before=$(stty -g); (trap - HUP INT TERM; exec \"$@\") ; code=$?; "
                     "test \"$before\" = \"$(stty -g)\" && echo same $code || echo changed $code",
                     "sh", KERN_EXECUTABLE, "chat", "-q", "-n", "4", "-m", f.model},
                    options);
    CHECK(process.read_until([](const ProcessResult& so_far) { return contains(so_far.out, "> "); }));
    if (ending.signal == 0 || ending.signal == SIGINT) {
      process.type("unsent");
      if (ending.signal == SIGINT) ::kill(-process.id(), SIGINT);
      process.still_runs_after(100ms);
      process.type("\x15\x04");
    } else {
      ::kill(-process.id(), ending.signal);
    }
    const auto result = process.finish();
    CHECK_MESSAGE(contains(result.out, "same " + std::to_string(ending.code)), result.out);
  }
}

TEST_CASE("a terminal that goes away ends a chat") {
  const EditorFixture f;
  Person person(f, {"-q"});
  CHECK(person.sees_prompt());
  person.process().hang_up();
  CHECK(person.finish().code == 129);
}

TEST_CASE("Ctrl-Z stops a chat, and the text is still there when it goes on") {
  const EditorFixture f;
  Person person(f, {"-q"});
  CHECK(person.sees_prompt());
  person.type("unsent");
  CHECK(person.sees_prompt("unsent"));
  // Nobody could wake the leader of a session, so the system doesn't stop it; the text is drawn anew all the same.
  person.type("\x1a");
  CHECK(person.sees("> unsent\n> unsent"));
  person.process().send(SIGSTOP);
  person.process().send(SIGCONT);
  person.type("!");
  CHECK(person.sees_prompt("unsent!"));
}

TEST_CASE("a terminal that knows no escape sequences gets none") {
  const EditorFixture f;
  for (const std::string terminal : {"dumb", ""}) {
    CAPTURE(terminal);
    Person person(f, {}, terminal);
    CHECK(person.sees(">"));
    person.type("hello\n");
    CHECK(person.sees("[2 tokens, "));
    person.type("/exit\n");
    const auto result = person.finish();
    CHECK(result.code == 0);
    CHECK_FALSE(contains(result.out, "\x1b"));
    CHECK(contains(result.out, "> hello\r\nx y \r\n[2 tokens, ")); // the terminal's own echo
  }
  CHECK(f.history().empty());
}

TEST_CASE("a home that can't be written is no error") {
  const EditorFixture f;
  const std::string file = f.models.add_bytes("x", "state");
  Person person(f, {"-q"});
  CHECK(person.sees_prompt());
  person.type("hello" + enter);
  CHECK(person.sees("x y\n>"));
  person.type(up);
  CHECK(person.sees_prompt("hello"));
}

} // namespace
} // namespace kern::test
