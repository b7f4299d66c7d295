// The line editor without a terminal: keys in, text and screen out.
#include <fstream>

#include <doctest/doctest.h>

#include "cli/editor/editor.h"
#include "cli/editor/screen.h"
#include "cli/editor/width.h"
#include "cli/turn_text.h"
#include "tests/temporary_folder.h"
#include "tests/terminal_screen.h"

namespace kern::test {
namespace {

const std::string up = "\x1b[A", down = "\x1b[B", right = "\x1b[C", left = "\x1b[D";
const std::string home = "\x01", end = "\x05", enter = "\r", erase = "\x7f";

std::string pasted(const std::string& text) { return "\x1b[200~" + text + "\x1b[201~"; }

/// Types at an editor and looks at a screen.
class Typist {
public:
  explicit Typist(int columns = 40, std::vector<std::string> entries = {}) : screen(columns), columns_(columns) {
    for (const std::string& entry : entries) history.add(entry);
    editor.begin("");
    show();
  }

  /// The event of the last key.
  EditEvent type(const std::string& bytes) {
    EditEvent event = EditEvent::none;
    keys.push(bytes);
    const auto handle_all = [&] {
      while (const auto key = keys.next()) event = editor.handle(*key);
    };
    handle_all();
    if (keys.waits()) keys.time_out();
    handle_all();
    show();
    return event;
  }
  void resize(int columns) {
    screen.resize(columns);
    columns_ = columns;
    show();
  }
  void show() { screen.write(drawn.draw(lay_out(editor.view(), columns_), columns_, 24)); }
  const std::string& text() const { return editor.text(); }

  History history;
  Editor editor{history, [this](std::string_view) { return completion; }, "> "};
  KeyDecoder keys;
  Screen drawn;
  TerminalScreen screen;
  Completion completion;

private:
  int columns_;
};

/// The text with "|" where the next key would go.
std::string after(const std::string& bytes) {
  Typist typist;
  typist.type(bytes);
  typist.type("|");
  return typist.text();
}

TEST_CASE("keys move the cursor") {
  CHECK(after("one two") == "one two|");
  CHECK(after("one two" + home) == "|one two");
  CHECK(after("one two" + home + end) == "one two|");
  CHECK(after("one two\x1b[H\x1b[F\x1bOH") == "|one two");
  CHECK(after("one two\x1b[1~\x1b[4~\x1b[7~") == "|one two");
  CHECK(after("one two" + left + left) == "one t|wo");
  CHECK(after("one two\x02\x02\x02\x06") == "one t|wo");
  CHECK(after("one two" + home + left + right) == "o|ne two");
  CHECK(after("one two" + right) == "one two|");
  CHECK(after("one two\x1b"
              "b") == "one |two");
  CHECK(after("one two\x1b[1;5D\x1b[1;5D\x1b[1;5C") == "one| two");
  CHECK(after("one two\x1b[1;3D") == "one |two");
  CHECK(after("one two" + home +
              "\x1b"
              "f\x1b"
              "f") == "one two|");
}

TEST_CASE("keys take text away and give it back") {
  CHECK(after("abc" + erase) == "ab|");
  CHECK(after("abc\x08") == "ab|");
  CHECK(after(erase) == "|");
  CHECK(after("abc" + home + "\x1b[3~") == "|bc");
  CHECK(after("abc" + home + "\x04") == "|bc");
  CHECK(after("abc" + left + "\x0b") == "ab|");
  CHECK(after("abc" + left + "\x15") == "|c");
  CHECK(after("one two.three\x17") == "one |");
  CHECK(after("one two.three\x1b\x7f") == "one two.|");
  CHECK(after("one two" + home +
              "\x1b"
              "d") == "| two");
  CHECK(after("one two" + home + "\x1b[3;5~") == "| two");
  CHECK(after("one two\x17\x17"
              "x\x19") == "xone two|"); // cuts in a row keep all of it
  CHECK(after("one two" + home +
              "\x1b"
              "d\x1b"
              "d\x19") == "one two|");
  CHECK(after("one two\x17" + left + "\x19") == "onetwo| ");
  CHECK(after("abc\x14") == "acb|");
  CHECK(after("abc" + left + "\x14") == "acb|");
  CHECK(after("abc" + home + "\x14") == "|abc");
}

TEST_CASE("Ctrl-_ brings back what was there, word by word") {
  CHECK(after("one two\x1f") == "one |");
  CHECK(after("one two\x1f\x1f") == "|");
  CHECK(after("one two\x1f\x1f\x1f") == "|");
  CHECK(after("one two\x15\x1f") == "one two|");
  CHECK(after("one\x0a" + erase + "\x1f") == "one\n|");
}

TEST_CASE("characters are what the user sees as one") {
  const std::string accent = "e\xCC\x81",
                    family = "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7",
                    flag = "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA", thumb = "\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD",
                    cat = "\xE7\x8C\xAB", hangul = "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB",
                    heart = "\xE2\x9D\xA4\xEF\xB8\x8F";
  for (const std::string& one : {accent, family, flag, thumb, cat, hangul, heart}) {
    CAPTURE(one);
    CHECK(next_character(one + one, 0) == one.size());
    CHECK(previous_character(one + one, 2 * one.size()) == one.size());
    CHECK(after("x" + one + "y" + left + erase) == "x|y");
    CHECK(after("x" + one + left + "-") == "x-|" + one);
    CHECK(columns_of(one) == (one == accent ? 1 : 2));
  }
  CHECK(columns_of("a\x01"
                   "b\t\xC2\x9B\xFF\xE2\x80\xAE") == 1 + 4 + 1 + 4 + 6 + 4 + 6);
  CHECK(columns_of("\xE0\xA4\xA8\xE0\xA4\xBF") == 2); // a consonant and a vowel sign that takes room
}

TEST_CASE("Enter sends, and lines go on where they are to") {
  Typist typist;
  CHECK(typist.type("hello" + enter) == EditEvent::submitted);
  CHECK(typist.text() == "hello");
  typist.editor.begin("");
  CHECK(typist.type("one\\" + enter) == EditEvent::none);
  CHECK(typist.type("two" + enter) == EditEvent::submitted);
  CHECK(typist.text() == "one\ntwo");
  typist.editor.begin("");
  CHECK(typist.type("two backslashes\\\\" + enter) == EditEvent::submitted);
  typist.editor.begin("");
  CHECK(typist.type("\"\"\"" + enter + "a" + enter + enter + "b") == EditEvent::none);
  CHECK(typist.type("\"\"\"" + enter) == EditEvent::submitted);
  CHECK(read_turn(typist.text()).text == "a\n\nb");
  for (const std::string key : {"\x0a", "\x1b\r", "\x1b\n", "\x1b[13;2u", "\x1b[27;3;13~"}) {
    typist.editor.begin("");
    CHECK(typist.type("a" + key + "b") == EditEvent::none);
    CHECK(typist.text() == "a\nb");
  }
}

TEST_CASE("what is pasted never sends, and is made clean") {
  CHECK(after(pasted("one\ntwo\r\nthree\rfour")) == "one\ntwo\nthree\nfour|");
  CHECK(after(pasted("a\x1b[31m\x07")) == "a\x1b[31m\x07|");
  CHECK(after(pasted("\xFF"
                     "a\xE7\x8C")) == "\xEF\xBF\xBD"
                                      "a\xEF\xBF\xBD\xEF\xBF\xBD|");
  CHECK(after(pasted("whole") + "\x1f") == "|");
  Typist typist;
  typist.type(pasted("a\x1b[31m\tb\x07"));
  CHECK(typist.screen.lines() == std::vector<std::string>{"> a\\x1b[31m    b\\x07"});
  // In any portions.
  Typist slow;
  for (const char c : pasted("one\r\ntwo") + "!") {
    slow.keys.push({&c, 1});
    while (const auto key = slow.keys.next()) slow.editor.handle(*key);
  }
  CHECK(slow.text() == "one\ntwo!");
  CHECK(typist.type(pasted(std::string(max_edit_bytes + 10, 'x'))) == EditEvent::too_long);
  CHECK(typist.text() == "a\x1b[31m\tb\x07");
}

TEST_CASE("bytes that are no UTF-8 are replaced, keys without a meaning do nothing") {
  CHECK(after("\xFF\xC3") == "\xEF\xBF\xBD\xEF\xBF\xBD|");
  CHECK(after("\xE7\x8C\xAB") == "\xE7\x8C\xAB|");
  CHECK(after("a\x1b[15~\x1b[99;9;9Z\x1bx\x1bOP\x1b[?1;2c\x1b") == "a|");
  CHECK(after("a\x1b\xC3\xA9"
              "b") == "ab|");
  CHECK(after("a\x1b[1;\x01"
              "b") == "b|a"); // a sequence broken off by another key
}

TEST_CASE("Up and Down walk through the history and keep the unfinished line") {
  Typist typist(40, {"first", "two\nlines", "last"});
  typist.type("unfinished" + up);
  CHECK(typist.text() == "last");
  typist.type(up);
  CHECK(typist.text() == "two\nlines");
  typist.type(up); // within the text
  CHECK(typist.text() == "two\nlines");
  typist.type(up);
  CHECK(typist.text() == "first");
  typist.type(up);
  CHECK(typist.text() == "first");
  typist.type(down + down);
  CHECK(typist.text() == "last");
  typist.type(down);
  CHECK(typist.text() == "unfinished");
  typist.type(down);
  CHECK(typist.text() == "unfinished");
}

TEST_CASE("Up and Down move between lines of a text, in the column they came from") {
  CHECK(after("abcdef\x0a"
              "x\x0a"
              "abcdef" +
              left + up + "\x1b[A") == "abcde|f\nx\nabcdef");
  CHECK(after("abc\x0a"
              "x" +
              up + down) == "abc\nx|");
  CHECK(after("\xE7\x8C\xAB\xE7\x8C\xAB"
              "\x0a"
              "abc" +
              up) == "\xE7\x8C\xAB|\xE7\x8C\xAB\nabc");
}

TEST_CASE("Ctrl-R searches the history") {
  Typist typist(40, {"tell me a story", "what is a cat", "tell me more", "name three fruits"});
  typist.type("draft\x12tell");
  CHECK(typist.text() == "tell me more");
  CHECK(typist.screen.lines() == std::vector<std::string>{"search 'tell': tell me more"});
  typist.type("\x12");
  CHECK(typist.text() == "tell me a story");
  typist.type("\x12");
  CHECK(typist.text() == "tell me a story");
  CHECK(typist.screen.lines() == std::vector<std::string>{"not found 'tell': tell me a story"});
  typist.type("\x07");
  CHECK(typist.text() == "draft");
  typist.type("\x12"
              "cat" +
              erase + erase + erase + "fruit");
  CHECK(typist.text() == "name three fruits");
  CHECK(typist.type(enter) == EditEvent::submitted);
  typist.editor.begin("");
  typist.type("\x12what" + end + "?");
  CHECK(typist.text() == "what is a cat?");
  typist.editor.begin("x");
  CHECK(typist.type("\x12"
                    "cat\x03") == EditEvent::none);
  CHECK(typist.text() == "x");
}

TEST_CASE("Tab completes one word, as far as several agree, or shows them") {
  Typist typist;
  typist.completion = {0, {"/stats"}};
  typist.type("/st\t");
  CHECK(typist.text() == "/stats ");
  typist.editor.begin("");
  typist.completion = {6, {"notes-1.txt", "notes-2.txt"}};
  typist.type("/file no\t");
  CHECK(typist.text() == "/file notes-");
  CHECK(typist.screen.lines().size() == 1);
  typist.type("\t");
  CHECK(typist.screen.lines() == std::vector<std::string>{"> /file notes-", "notes-1.txt  notes-2.txt"});
  CHECK(typist.screen.row() == 0);
  CHECK(typist.screen.column() == 14);
  typist.completion = {6, {"notes-folder/"}};
  typist.type("f\t");
  CHECK(typist.text() == "/file notes-folder/");
  CHECK(typist.screen.lines().size() == 1);
}

TEST_CASE("commands and paths are completed") {
  const TemporaryFolder folder;
  for (const char* name : {"apple.txt", "apricot.txt", "\xE7\x8C\xAB.txt", "\xE7\x8C\xA9.txt", ".hidden"})
    std::ofstream(folder / name) << "x";
  std::filesystem::create_directory(folder / "art");
  const std::vector<std::string> names = {"/file", "/save", "/set", "/stats"};
  const auto complete = [&](const std::string& text) {
    return complete_command(text, names, [](std::string_view name) { return name == "/file"; });
  };
  CHECK(complete("/s").words == std::vector<std::string>{"/save", "/set", "/stats"});
  CHECK(complete("s").words.empty());
  CHECK(complete("/set t").words.empty());
  CHECK(complete("hello\n/s").words.empty());
  const std::string path = folder.path().string() + "/";
  const Completion found = complete("/file " + path + "a");
  CHECK(found.begin == 6);
  CHECK(found.words == std::vector<std::string>{path + "apple.txt", path + "apricot.txt", path + "art/"});
  CHECK(common_beginning(found.words) == path + "a");
  CHECK(complete("/file " + path).words.size() == 5);
  CHECK(complete("/file " + path + ".h").words == std::vector<std::string>{path + ".hidden"});
  CHECK(complete("/file " + path + "none/x").words.empty());
  // Both begin with the same two bytes of a character.
  CHECK(common_beginning(complete("/file " + path + "\xE7").words) == path);
}

TEST_CASE("the screen shows the text and the cursor") {
  Typist typist(20);
  typist.type("hello");
  CHECK(typist.screen.text() == "> hello");
  CHECK(typist.screen.column() == 7);
  typist.type(left + left + "\x0a");
  CHECK(typist.screen.text() == "> hel\n  lo");
  CHECK(typist.screen.row() == 1);
  CHECK(typist.screen.column() == 2);
  typist.type("\x15" + erase + erase);
  CHECK(typist.screen.text() == "> helo");
}

TEST_CASE("long lines are broken by the editor, never by the terminal, wide characters whole") {
  const std::string cat = "\xE7\x8C\xAB";
  Typist typist(20);
  std::string text;
  for (int i = 0; i < 12; ++i) text += cat;
  typist.type("a" + text);
  CHECK(typist.screen.breaks() == 0);
  const auto lines = typist.screen.lines();
  REQUIRE(lines.size() == 2);
  CHECK(columns_of(lines[0]) == 19);
  CHECK(lines[0] + lines[1].substr(2) == "> a" + text);
  typist.type(home);
  CHECK(typist.screen.row() == 0);
  CHECK(typist.screen.column() == 2);
  typist.type("b"); // one column more: a wide one no longer fits the row
  CHECK(columns_of(typist.screen.lines()[0]) == 18);
  CHECK(typist.screen.breaks() == 0);
}

TEST_CASE("another width draws the text anew") {
  Typist typist(40);
  std::string text;
  for (int i = 0; i < 60; ++i) text += static_cast<char>('a' + i % 26);
  typist.type(text);
  CHECK(typist.screen.lines().size() == 2);
  for (const int columns : {20, 31, 80, 10}) {
    CAPTURE(columns);
    typist.resize(columns);
    std::string shown;
    for (const std::string& line : typist.screen.lines()) shown += line.substr(2);
    CHECK(shown == text);
    CHECK(typist.screen.breaks() == 0);
    CHECK(typist.screen.lines()[0].starts_with("> a"));
  }
}

TEST_CASE("of a text higher than the terminal the part around the cursor is shown") {
  Typist typist(20);
  std::string lines;
  for (int i = 0; i < 50; ++i) lines += "line " + std::to_string(i) + "\n";
  typist.type(pasted(lines));
  CHECK(typist.screen.lines().size() <= 24);
  CHECK(typist.screen.text().find("line 49") != std::string::npos);
  for (int i = 0; i < 50; ++i) typist.type(up);
  CHECK(typist.screen.lines().front() == "> line 0");
  CHECK(typist.screen.lines().size() == 23);
  CHECK(typist.screen.row() == 0);
}

TEST_CASE("turns: blocks, continued lines, slashes") {
  CHECK(is_open_block("\"\"\""));
  CHECK(is_open_block(" \"\"\"a\n"));
  CHECK_FALSE(is_open_block("\"\"\"\"\"\""));
  CHECK_FALSE(is_open_block("say \"\"\"x"));
  CHECK(read_turn("\"\"\"one\"\"\" ").text == "one");
  CHECK(read_turn("\"\"\"\none\n\ntwo\n\"\"\"").text == "one\n\ntwo");
  CHECK_FALSE(read_turn("\"\"\"\n/exit\n\"\"\"").is_command);
  CHECK(read_turn("/exit").is_command);
  CHECK(read_turn("//etc").text == "/etc");
  CHECK_FALSE(read_turn("//etc").is_command);
  CHECK(wants_more("a\\"));
  CHECK_FALSE(wants_more("a\\\\"));
  CHECK(wants_more("\\"));
  std::string text = "a\\";
  add_line(text, "b");
  CHECK(text == "a\nb");
}

TEST_CASE("the history file: bounded, private, appended to by several") {
  const TemporaryFolder folder;
  const auto path = folder / "kern";
  const auto file = path / "history";
  {
    History one(file), two(file);
    one.add("first\nof two lines \\n");
    two.add("second");
    one.add("third");
    one.add("third");
  }
  CHECK(History(file).entries() == std::vector<std::string>{"first\nof two lines \\n", "second", "third"});
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms::owner_all);
  History many(file);
  for (int i = 0; i < 1100; ++i) many.add("entry " + std::to_string(i));
  many.add(std::string(max_history_entry_bytes + 1, 'x')); // only for this process
  const History read(file);
  CHECK(read.entries().size() == max_history_entries);
  CHECK(read.entries().front() == "entry 100");
  CHECK(read.entries().back() == "entry 1099");
  CHECK(many.entries().size() == max_history_entries);
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  // What can't be kept is no error.
  History nowhere("/dev/null/kern/history");
  nowhere.add("x");
  CHECK(nowhere.entries().size() == 1);
  CHECK(parse_history("good\n\xFF\nunfinished") == std::vector<std::string>{"good", "unfinished"});
}

} // namespace
} // namespace kern::test
