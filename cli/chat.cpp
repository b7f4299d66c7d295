// kern chat: a conversation, turn by turn.
#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/chat_commands.h"
#include "cli/chat_input.h"
#include "cli/chat_status.h"
#include "cli/chat_turns.h"
#include "cli/commands.h"
#include "cli/generation_text.h"
#include "cli/input.h"
#include "cli/line_editor.h"
#include "cli/loaded_model.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/template_flags.h"
#include "cli/terminal.h"
#include "cli/turn_text.h"
#include "model/error.h"

namespace kern {

namespace {

struct Flags {
  ModelFlags model;
  ContextFlags context;
  ChatFlags chat;
  TemplateFlags chat_template;
  GenerationFlags generation;
  std::optional<std::string> session;
};

Overflow overflow_of(const std::string& name) {
  if (name == "middle") return Overflow::middle;
  return name == "oldest-turns" ? Overflow::oldest_turns : Overflow::refuse;
}

ConversationEncoder make_encoder(const Flags& flags, const LoadedModel& loaded) {
  auto chat = choose_template(flags.chat_template, &loaded.gguf.metadata(), ExitCode::model);
  if (!chat)
    throw Error(ExitCode::usage, fmt::format("{} has no chat template, expected one to write a conversation with; name "
                                             "one, as in --chat-template chatml, or use kern run",
                                             loaded.gguf.name()));
  return ConversationEncoder(std::move(*chat), flags.chat_template, *loaded.tokenizer);
}

void open_session(const Flags& flags, ChatTurns& chat) {
  if (flags.session) {
    auto file = std::make_unique<SessionFile>(*flags.session, SessionFile::Kind::any);
    if (!file->repair().empty()) write_notice(fmt::format("kern: {}\n", file->repair()));
    chat.open(std::move(file));
    const auto& messages = chat.dialogue().messages();
    if (!messages.empty() && !flags.model.quiet)
      write_notice(chat_notice(
          fmt::format("{} messages from {}{}", messages.size(), chat.file()->name(),
                      chat.dialogue().waits_for_answer() ? "; the last has no answer, /regen answers it" : "")));
  }
  if (!flags.chat.system) return;
  const auto known = chat.dialogue().system();
  if (known == flags.chat.system) return;
  if (known)
    throw Error(ExitCode::usage, fmt::format("--system: {} has another system text; leave the flag out, or change the "
                                             "text with /system",
                                             chat.file()->name()));
  chat.set_system(*flags.chat.system);
}

/// Reads turns and has them answered until there are no more.
class ChatLoop {
public:
  ChatLoop(ChatTurns& chat, ChatInput& input, bool quiet)
      : chat_(chat), input_(input), commands_(chat, input.edits()), quiet_(quiet) {}

  /// What the command returns to its shell.
  ExitCode run(const std::string& first_message) {
    if (!first_message.empty()) take({first_message, false});
    while (!ends_) {
      ChatLine line = input_.read(commands_.edited().value_or(""));
      if (line.kind == ChatLine::Kind::end) break;
      if (line.kind == ChatLine::Kind::interrupted) stop_editing();
      else if (line.text.find_first_not_of(" \t\n") != std::string::npos) take(read_turn(line.text));
    }
    if (const ExitCode stored = chat_.store(); stored != ExitCode::ok) return stored;
    // Who sat at the terminal saw how every turn ended.
    return input_is_terminal_ && !ended_by_signal_ ? ExitCode::ok : code_;
  }

private:
  void take(const Turn& turn) {
    try {
      const std::size_t answers = chat_.answers();
      const ExitCode code = turn.is_command ? commands_.run(turn.text) : commands_.send(turn.text);
      // A command that only looks or leaves says nothing about the last answer.
      if (code != ExitCode::ok || chat_.answers() != answers) code_ = code;
    } catch (const Error& error) {
      // Everything else is no matter of this turn.
      const bool of_turn = error.code() == ExitCode::usage || error.code() == ExitCode::context_full ||
                           (error.code() == ExitCode::output && turn.is_command);
      if (!of_turn) throw;
      write_notice(fmt::format("kern: {}\n", escape_controls(error.what())));
      code_ = error.code();
    }
    ends_ = ends_ || commands_.leaves();
    if (interrupted()) end_or_go_on();
  }

  /// Ctrl-C ends what is going on, and kern too where nobody sits at a terminal; other signals end kern.
  void end_or_go_on() {
    const ExitCode code = interruption_code();
    if (input_is_terminal_) forget_interrupt();
    if (!interrupted()) return;
    code_ = code == ExitCode::interrupted ? interruption_code() : code;
    ends_ = ended_by_signal_ = true;
  }

  void stop_editing() {
    if (interrupted()) end_or_go_on();
    if (ends_) return;
    if (commands_.edited()) {
      commands_.forget_edit();
      if (!quiet_) write_notice(chat_notice("not changed"));
    } else if (!input_.edits()) {
      write_notice("\n");
    }
  }

  ChatTurns& chat_;
  ChatInput& input_;
  ChatCommands commands_;
  bool quiet_;
  bool input_is_terminal_ = stdin_is_terminal();
  bool ends_ = false;
  bool ended_by_signal_ = false;
  ExitCode code_ = ExitCode::ok;
};

std::unique_ptr<ChatInput> make_input() {
  const bool terminal = stdin_is_terminal() && stderr_is_terminal();
  if (!terminal || !knows_escapes()) return std::make_unique<PlainInput>(terminal ? "> " : "");
  return std::make_unique<LineEditor>("> ", [names = chat_command_names()](std::string_view before_cursor) {
    return complete_command(before_cursor, names, takes_path);
  });
}

int chat(const Flags& flags) {
  const LoadedModel loaded = load_headers(flags.model);
  ConversationEncoder encoder = make_encoder(flags, loaded);
  SessionOptions options;
  options.context = choose_context(flags.context, flags.model, loaded.spec.context_length);
  options.step_tokens = std::min(flags.context.step_tokens, flags.context.batch);
  options.key_format = flags.context.key_format;
  options.value_format = flags.context.value_format;
  const Model model = load_model(loaded.gguf, loaded.devices, flags.model, options);
  Session session = make_session(model, options);
  ChatTurns turns(loaded, session, std::move(encoder),
                  {flags.generation, overflow_of(flags.chat.overflow), flags.model.quiet});
  open_session(flags, turns);
  const std::unique_ptr<ChatInput> input = make_input();
  if (stdin_is_terminal() && !flags.model.quiet)
    write_notice(chat_notice(fmt::format("{}, context {}; /help lists commands, Ctrl-D leaves",
                                         escape_line(loaded.spec.name.empty() ? loaded.gguf.name() : loaded.spec.name),
                                         options.context)));
  const GentleEnd gentle_end(GentleEnd::Repeats::count);
  ChatLoop loop(turns, *input, flags.model.quiet);
  return static_cast<int>(loop.run(fmt::format("{}", fmt::join(flags.chat.words, " "))));
}

void declare(CLI::App& app, Flags& flags) {
  add_chat_flags(app, flags.chat);
  add_session_flag(app, flags.session);
  add_template_flags(app, flags.chat_template);
  add_model_flags(app, flags.model);
  add_context_flags(app, flags.context);
  add_generation_flags(app, flags.generation);
  remove_report_flags(app);
}

int start_chat(Flags& flags) { return chat(flags); }

} // namespace

Command chat_command() {
  return make_command<Flags>(
      "kern chat",
      "A conversation in the terminal: answers stream to standard output, all else goes to standard error. "
      "With standard input not a terminal, each line is a turn.",
      declare, start_chat);
}

} // namespace kern
