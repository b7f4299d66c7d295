// The turns of a chat: messages in, streamed answers out, and what of it is stored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/conversation.h"
#include "cli/dialogue.h"
#include "cli/loaded_model.h"
#include "cli/options.h"
#include "cli/session_file.h"
#include "engine/generate.h"

namespace kern {

struct ChatOptions {
  GenerationFlags generation;
  Overflow overflow = Overflow::refuse;
  bool quiet = false;
};

/// What the last turn was.
struct TurnRecord {
  std::size_t prompt_tokens = 0; // of the conversation before the answer
  std::size_t cached_tokens = 0; // those of them that had been read before
  std::size_t hidden = 0;        // exchanges that the model no longer sees
  std::uint32_t draw = 0;        // how often the answer was drawn before
  GenerateResult result;
};

/// A change that fails leaves everything as it was.
class ChatTurns {
public:
  /// `loaded` and `session` must outlive it. Throws Error(usage) for sampling that makes no sense.
  ChatTurns(const LoadedModel& loaded, Session& session, ConversationEncoder encoder, ChatOptions options);

  /// The user's next message: streams its answer and stores both. Returns what the answer's end means to a shell; for
  /// one that ended before its first token the message is taken back. Throws Error(context_full) where it doesn't fit,
  /// Error(usage) where the template refuses it.
  ExitCode send(const std::string& text);
  /// Draws the last answer again, with other random numbers; answers a message that has no answer yet.
  ExitCode regenerate();
  /// Puts `text` in the place of the user's last message and answers that.
  ExitCode send_instead(const std::string& text);
  /// The user's last message; nothing where there is none.
  std::optional<std::string> last_message() const;

  /// Drops the last exchange. Returns how many messages that were.
  std::size_t undo();
  void clear();
  /// Empty: no system text. Throws Error(usage) where the template takes none.
  void set_system(const std::string& text);
  /// Replaces flags of sampling. Throws Error(usage).
  void set_generation(const GenerationFlags& generation);

  /// From now on the session is `file`, with the messages it has.
  void open(std::unique_ptr<SessionFile> file);
  /// From now on the session is a new file with the messages so far; the one before stays as it is.
  void branch(const std::filesystem::path& path);
  /// Writes what isn't stored yet; says so where it can't be. Without a file it does nothing.
  ExitCode store();

  /// Tokens of a text within a message, about.
  std::size_t count_tokens(const std::string& text) const;
  const Dialogue& dialogue() const { return dialogue_; }
  void load(std::vector<SessionMessage> messages);
  const GenerationFlags& generation() const { return options_.generation; }
  /// What is made of them and of the model's own settings.
  const SamplerOptions& sampling() const { return sampler_->options(); }
  const Session& session() const { return session_; }
  const SessionFile* file() const { return file_.get(); }
  const std::optional<TurnRecord>& last_turn() const { return last_; }
  /// How many answers were given or begun.
  std::size_t answers() const { return answers_; }

private:
  struct Fitted {
    jinja::Text text;
    std::vector<Token> tokens;
  };

  /// Hides exchanges until the conversation fits. Throws Error(context_full).
  Fitted fit();
  ExitCode answer_or_restore(Dialogue before, std::uint32_t draw, bool changes_stored);
  /// False where nothing was answered.
  bool answer(std::uint32_t draw);
  void changed();

  const LoadedModel& loaded_;
  Session& session_;
  ConversationEncoder encoder_;
  ChatOptions options_;
  ConversationIds ids_;
  Dialogue dialogue_;
  std::optional<Sampler> sampler_;
  std::optional<TurnRecord> last_;
  std::size_t answers_ = 0;
  std::uint32_t draw_ = 0; // of the last exchange
  std::unique_ptr<SessionFile> file_;
  std::size_t stored_ = 0; // messages in the file
  bool stale_ = false;     // the file's messages are no longer the dialogue's
};

} // namespace kern
