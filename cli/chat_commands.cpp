#include "cli/chat_commands.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "cli/chat_status.h"
#include "cli/generation_text.h"
#include "cli/input.h"
#include "cli/nearest_name.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "model/error.h"
#include "tokenizer/unicode.h"

namespace kern {

struct ChatCommand {
  std::string_view name;
  std::string_view argument;
  std::string_view help;
  ExitCode (ChatCommands::*run)(const std::string& argument);
  bool wants_argument = false;

  static const ChatCommand all[14];
};

namespace {

constexpr std::uintmax_t max_file_bytes = std::uintmax_t{16} << 20;

void say(std::string_view text) { write_notice(chat_notice(text)); }

[[noreturn]] void refuse(const std::string& message) { throw Error(ExitCode::usage, message); }

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n") + 1 - begin);
}

std::string without_quotes(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

/// What the user calls a file, as the system does.
std::filesystem::path path_of(const std::string& argument) {
  const std::string path = without_quotes(argument);
  const char* home = std::getenv("HOME");
  return path.starts_with("~/") && home ? home + path.substr(1) : path;
}

/// Throws Error(usage) for what is no text, or too large.
std::string read_attachment(const std::filesystem::path& path) {
  const std::string name = escape_line(path.string());
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) refuse(fmt::format("{}: there is no such file", name));
  if (!std::filesystem::is_regular_file(status))
    refuse(fmt::format("{}: found no regular file, expected a text", name));
  if (std::filesystem::file_size(path, error) > max_file_bytes)
    refuse(fmt::format("{}: found more than {} MiB, expected a text that fits a context; take a part of it", name,
                       max_file_bytes >> 20));
  std::string text = read_text_file(std::filesystem::absolute(path).string(), true);
  if (text.empty()) refuse(fmt::format("{}: the file is empty", name));
  const std::size_t valid = end_of_utf8_run(text, 0, true);
  const std::size_t wrong = std::min(valid, text.find('\0'));
  if (wrong < text.size())
    refuse(fmt::format("{}: found byte 0x{:02x} at offset {}, expected UTF-8 text; convert the file to text first",
                       name, static_cast<unsigned char>(text[wrong]), wrong));
  return text;
}

} // namespace

const ChatCommand ChatCommand::all[14] = {
    {"help", "", "this list", &ChatCommands::help},
    {"undo", "", "drop the last exchange", &ChatCommands::undo},
    {"regen", "", "draw the last answer again", &ChatCommands::regenerate},
    {"edit", "[TEXT]", "change your last message and answer it again", &ChatCommands::edit},
    {"system", "[TEXT]", "show the system text, or set it; \"\" takes it away", &ChatCommands::system},
    {"set", "[FLAG VALUE]", "show the sampling flags, or set one, as in /set temp 0.5", &ChatCommands::set},
    {"save", "FILE", "write the conversation to a session file", &ChatCommands::save, true},
    {"load", "FILE", "go on with the conversation of a session file", &ChatCommands::load, true},
    {"branch", "FILE", "go on in a copy of the session; the old one stays", &ChatCommands::branch, true},
    {"stats", "", "figures of the last turn, the seed, the context", &ChatCommands::stats},
    {"clear", "", "drop all exchanges; the system text stays", &ChatCommands::clear},
    {"file", "PATH", "add a file's text to the next message", &ChatCommands::file, true},
    {"exit", "", "leave, as Ctrl-D does", &ChatCommands::exit},
    {"quit", "", "leave", &ChatCommands::exit},
};

std::vector<std::string> chat_command_names() {
  std::vector<std::string> names;
  for (const ChatCommand& command : ChatCommand::all) names.push_back("/" + std::string(command.name));
  return names;
}

bool takes_path(std::string_view command) {
  return std::ranges::any_of(ChatCommand::all, [&](const ChatCommand& each) {
    return command.substr(1) == each.name && (each.argument == "FILE" || each.argument == "PATH");
  });
}

ExitCode ChatCommands::run(const std::string& line) {
  const std::size_t end = std::min(line.find_first_of(" \t\n"), line.size());
  const std::string name = line.substr(1, end - 1);
  const std::string argument(trim(std::string_view(line).substr(end)));
  const auto command = std::ranges::find(ChatCommand::all, name, &ChatCommand::name);
  if (command == std::end(ChatCommand::all)) {
    std::vector<std::string> names;
    for (const ChatCommand& each : ChatCommand::all) names.emplace_back(each.name);
    const auto nearest = nearest_name(name, names);
    refuse(fmt::format("/{} is no command{}; /help lists them, and a message that begins with / is written with //",
                       escape_line(name), nearest ? fmt::format(", /{} is", *nearest) : ""));
  }
  if (argument.empty() && command->wants_argument)
    refuse(fmt::format("/{} wants a file, as in /{} notes.txt", name, name));
  if (!argument.empty() && command->argument.empty())
    refuse(fmt::format("/{} takes no argument, found '{}'", name, escape_line(argument)));
  return (this->*command->run)(argument);
}

ExitCode ChatCommands::send(const std::string& text) {
  const bool instead = edited_.has_value();
  const std::string whole = text + attached_;
  const ExitCode code = instead ? chat_.send_instead(whole) : chat_.send(whole);
  edited_.reset();
  attached_.clear();
  return code;
}

ExitCode ChatCommands::help(const std::string&) {
  std::string text;
  for (const ChatCommand& command : ChatCommand::all)
    text += fmt::format("  {:<20}  {}\n", fmt::format("/{} {}", command.name, command.argument), command.help);
  text += "\n  A line that ends in \\ goes on, \"\"\" begins and ends a block, // begins a message with a slash.\n";
  if (can_edit_)
    text += "  Alt-Enter or Ctrl-J: new line. Up, Ctrl-R: history. Tab: completes. Ctrl-C: stops an answer.\n";
  write_notice(text);
  return ExitCode::ok;
}

ExitCode ChatCommands::undo(const std::string&) {
  const std::size_t count = chat_.undo();
  if (count == 0) refuse("/undo: there is no exchange to drop");
  say(fmt::format("{} messages dropped, {} left", count, chat_.dialogue().messages().size()));
  return chat_.store();
}

ExitCode ChatCommands::regenerate(const std::string&) { return chat_.regenerate(); }

ExitCode ChatCommands::edit(const std::string& argument) {
  const auto last = chat_.last_message();
  if (!last) refuse("/edit: there is no message to change yet");
  if (!argument.empty()) return chat_.send_instead(argument);
  if (!can_edit_) refuse("/edit wants the new text here, as in /edit Tell me more");
  edited_ = *last;
  return ExitCode::ok;
}

ExitCode ChatCommands::system(const std::string& argument) {
  if (argument.empty()) {
    const auto text = chat_.dialogue().system();
    if (text) write_notice(escape_controls(*text) + "\n");
    else say("no system text");
    return ExitCode::ok;
  }
  const std::string text = without_quotes(argument);
  chat_.set_system(text);
  say(text.empty() ? "the system text is gone" : "the system text is set; the next turn reads the conversation anew");
  return chat_.store();
}

ExitCode ChatCommands::set(const std::string& argument) {
  if (argument.empty()) {
    write_notice(generation_text(chat_.generation(), chat_.sampling()));
    return ExitCode::ok;
  }
  const std::size_t end = std::min(argument.find_first_of(" \t\n="), argument.size());
  const std::string value(trim(std::string_view(argument).substr(std::min(end + 1, argument.size()))));
  chat_.set_generation(with_flag(chat_.generation(), argument.substr(0, end), without_quotes(value)));
  return ExitCode::ok;
}

ExitCode ChatCommands::save(const std::string& argument) {
  const std::filesystem::path path = path_of(argument);
  std::error_code ignored;
  if (chat_.file() && std::filesystem::equivalent(path, chat_.file()->path(), ignored))
    refuse(fmt::format("{}: every turn is stored there already", escape_line(path.string())));
  save_session(path, chat_.dialogue().messages());
  say(fmt::format("{} messages written to {}", chat_.dialogue().messages().size(), escape_line(argument)));
  return ExitCode::ok;
}

ExitCode ChatCommands::load(const std::string& argument) {
  const std::filesystem::path path = path_of(argument);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    refuse(fmt::format("{}: there is no such file", escape_line(path.string())));
  if (chat_.file()) {
    auto file = std::make_unique<SessionFile>(path, SessionFile::Kind::any);
    if (!file->repair().empty()) write_notice(fmt::format("kern: {}\n", file->repair()));
    chat_.open(std::move(file));
  } else {
    chat_.load(read_session(path));
  }
  say(fmt::format("{} messages from {}{}", chat_.dialogue().messages().size(), escape_line(argument),
                  chat_.dialogue().waits_for_answer() ? "; the last has no answer, /regen answers it" : ""));
  return ExitCode::ok;
}

ExitCode ChatCommands::branch(const std::string& argument) {
  chat_.branch(path_of(argument));
  say(fmt::format("the chat goes on in {}", escape_line(argument)));
  return ExitCode::ok;
}

ExitCode ChatCommands::stats(const std::string&) {
  write_notice(stats_text(chat_));
  return ExitCode::ok;
}

ExitCode ChatCommands::clear(const std::string&) {
  chat_.clear();
  attached_.clear();
  say("the conversation is empty");
  return chat_.store();
}

ExitCode ChatCommands::file(const std::string& argument) {
  const std::filesystem::path path = path_of(argument);
  const std::string text = read_attachment(path);
  const std::size_t tokens = chat_.count_tokens(attached_ + text);
  const auto context = static_cast<std::size_t>(chat_.session().context());
  if (tokens >= context)
    throw Error(ExitCode::context_full,
                fmt::format("{}: found {} tokens, but the context holds {}; take a part of the file, or raise -c",
                            escape_line(path.string()), tokens, context));
  attached_ += "\n\n" + text;
  say(fmt::format("{} tokens of {} go with the next message", tokens, escape_line(argument)));
  return ExitCode::ok;
}

ExitCode ChatCommands::exit(const std::string&) {
  leaves_ = true;
  return ExitCode::ok;
}

} // namespace kern
