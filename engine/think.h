// What a model thinks before it answers, told apart from the answer as both stream by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kern {

/// How a model marks its thinking.
struct ThinkFormat {
  enum class Kind {
    none,     // it doesn't, as far as is known
    marks,    // one mark opens, another closes
    channels, // OpenAI's harmony: CHANNEL name MESSAGE text END START role CHANNEL ..., channel "final" is the answer
  };
  Kind kind = Kind::none;
  std::string open, close; // marks
  std::string label;       // marks: behind the one that opens, no part of the thinking
  // Marks that are one token of the vocabulary. Without them they are looked for in the text: the first where an answer
  // begins, and once.
  std::optional<std::int32_t> open_token, close_token;
  std::optional<std::int32_t> channel, message, start, end; // channels
  bool in_template = false;                                 // whether the chat template knows of it
};

struct ThinkPiece {
  bool thinking = false;
  std::string text;
};

/// Takes ids that are marks and text between them. A mark never shows, nor does half of one. White space around the
/// thinking is no part of either text.
class ThinkSplitter {
public:
  /// `thinking`: the prompt opened it already.
  ThinkSplitter(ThinkFormat format, bool thinking);

  /// Whether the id is a mark, for mark(); its own text is not for push().
  bool is_mark(std::int32_t token) const;
  void mark(std::int32_t token);
  /// What is certain to be thinking or answer, of the text so far.
  std::vector<ThinkPiece> push(std::string_view text);
  /// What was held back.
  std::vector<ThinkPiece> finish();
  bool thinking() const { return state_ == State::thinking; }

private:
  enum class State { before, thinking, answer, role, channel };

  void open();
  void close();
  /// Each handles the front of held_ and says whether what is left may be looked at again.
  bool read_before();
  bool read_thinking(std::vector<ThinkPiece>& out);
  void emit(std::vector<ThinkPiece>& out, bool thinking, std::string_view text);

  ThinkFormat format_;
  State state_;
  std::string held_;
  std::string space_;        // at the end of the thinking, shown once something follows
  bool at_label_ = false;    // the label may follow
  bool skips_space_ = false; // until something else comes
};

} // namespace kern
