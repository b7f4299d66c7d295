// Thinking told from the answer, however the text comes.
#include <doctest/doctest.h>

#include <random>
#include <regex>

#include "engine/think.h"

namespace kern {
namespace {

struct Both {
  std::string thinking, answer;
  void add(const std::vector<ThinkPiece>& pieces) {
    for (const ThinkPiece& piece : pieces) (piece.thinking ? thinking : answer) += piece.text;
  }
};

ThinkFormat marks() {
  ThinkFormat format;
  format.kind = ThinkFormat::Kind::marks;
  format.open = "<think>";
  format.close = "</think>";
  return format;
}

/// `text` in pieces of one byte to `largest`; checks that what was given is never taken back.
Both split(const ThinkFormat& format, bool begins, const std::string& text, std::size_t largest,
           std::mt19937& generator) {
  ThinkSplitter splitter(format, begins);
  Both both;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = 1 + generator() % largest;
    both.add(splitter.push(text.substr(at, length)));
    at += length;
  }
  both.add(splitter.finish());
  return both;
}

std::string trim(const std::string& text, bool end) {
  const char* space = " \t\r\n";
  const std::size_t first = text.find_first_not_of(space);
  if (first == std::string::npos) return "";
  return text.substr(first, end ? text.find_last_not_of(space) - first + 1 : std::string::npos);
}

TEST_CASE("marks in the text divide thinking from answer, however they are cut") {
  std::mt19937 generator(5);
  const char* parts[] = {"<think>", "</think>", "<", "think", "</", ">", "a", "b ", "\n", " ", "<thin", "k>"};
  int thought = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = round % 3 == 0 ? "\n<think>" : "";
    for (int i = 0; i < 9; ++i) text += parts[generator() % std::size(parts)];
    const bool begins = round % 5 == 0;
    // By definition: the first mark stands where the answer begins, the thinking ends at the first that closes.
    std::string thinking, answer = text;
    const std::size_t first = text.find_first_not_of(" \n");
    const bool opens = !begins && first != std::string::npos && text.compare(first, 7, "<think>") == 0;
    if (begins || opens) {
      const std::size_t begin = opens ? first + 7 : 0;
      const std::size_t end = text.find("</think>", begin);
      thinking = trim(text.substr(begin, end == std::string::npos ? end : end - begin), true);
      answer = end == std::string::npos ? "" : trim(text.substr(end + 8), false);
      ++thought;
    }
    for (const std::size_t largest : {1, 3, 100}) {
      const Both found = split(marks(), begins, text, largest, generator);
      CAPTURE(text);
      REQUIRE(found.thinking == thinking);
      REQUIRE(found.answer == answer);
    }
  }
  CHECK(thought > 1000);
}

TEST_CASE("marks that are tokens count wherever they come, their text never") {
  ThinkFormat format = marks();
  format.open_token = 7;
  format.close_token = 8;
  ThinkSplitter splitter(format, false);
  Both both;
  CHECK(splitter.is_mark(7));
  CHECK_FALSE(splitter.is_mark(9));
  both.add(splitter.push(" <think> is a word here "));
  splitter.mark(7);
  CHECK(splitter.thinking());
  both.add(splitter.push("\nhm </think> "));
  splitter.mark(8);
  CHECK_FALSE(splitter.thinking());
  both.add(splitter.push("\n\nYes."));
  splitter.mark(7);
  both.add(splitter.push("more"));
  both.add(splitter.finish());
  CHECK(both.thinking == "hm </think>more");
  CHECK(both.answer == " <think> is a word here Yes.");
}

TEST_CASE("a label behind the mark is no thinking") {
  ThinkFormat format = marks();
  format.open_token = 7;
  format.close_token = 8;
  format.label = "thought\n";
  for (const std::string label : {"thought\n", ""}) {
    ThinkSplitter splitter(format, false);
    splitter.mark(7);
    Both both;
    for (const char c : label + "thousands") both.add(splitter.push(std::string(1, c)));
    splitter.mark(8);
    both.add(splitter.push("Yes"));
    CHECK(both.thinking == "thousands");
    CHECK(both.answer == "Yes");
  }
}

TEST_CASE("channels: only the final one is the answer") {
  ThinkFormat format;
  format.kind = ThinkFormat::Kind::channels;
  format.channel = 1;
  format.message = 2;
  format.start = 3;
  format.end = 4;
  // A number is a mark, everything else text.
  const auto run = [&](const std::vector<std::string>& parts) {
    ThinkSplitter splitter(format, false);
    Both both;
    for (const std::string& part : parts)
      if (part.size() == 1 && splitter.is_mark(part[0] - '0')) splitter.mark(part[0] - '0');
      else both.add(splitter.push(part));
    both.add(splitter.finish());
    return both;
  };
  Both both = run({"1", "ana",   "lysis", "2", "hm ",       "well", "4",     "3", "assistant", "1", "commentary",
                   "2", " tool", "4",     "3", "assistant", "1",    "final", "2", "Yes",       "."});
  CHECK(both.thinking == "hm welltool");
  CHECK(both.answer == "Yes.");
  both = run({"plain"});
  CHECK(both.answer == "plain");
  both = run({"3", "assistant", "2", "no channel"});
  CHECK(both.answer == "no channel");
  both = run({"1", "analysis", "2", "cut"});
  CHECK(both.thinking == "cut");
  both = run({"1", std::string(300, 'x')}); // no header at all: nothing is lost
  CHECK(both.answer == std::string(300, 'x'));
}

} // namespace
} // namespace kern
