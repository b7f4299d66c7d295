#include "cli/commands.h"

#include <CLI/CLI.hpp>

namespace kern {

namespace {

constexpr CommandEntry command_table[] = {
    {"run", "answer one prompt, from the arguments, a file or standard input", run_command},
    {"chat", "a conversation, turn by turn", chat_command},
    {"list", "models that -m finds by name", list_command},
    {"replay", "run a report of --json again and compare", replay_command},
    {"convert", "a Hugging Face folder as a GGUF file", convert_command},
    {"quantize", "a model file or folder in another format", quantize_command},
    {"imatrix", "which weights matter most, from a text, for quantize", imatrix_command},
    {"perplexity", "how well a model predicts a text, and what quantizing cost", perplexity_command},
    {"bench", "how fast a model runs, and how near to the machine's limits", bench_command},
    {"info", "what a model file holds, and what running it takes", info_command},
    {"template", "what a chat template makes of a conversation", template_command},
    {"tokenize", "text to token ids and back", tokenize_command},
    {"completions", "completion of commands and flags for bash, zsh or fish", completions_command},
    {"man", "the manual page", man_command},
};

} // namespace

std::shared_ptr<CLI::App> make_app(const std::string& name, const std::string& about) {
  return std::make_shared<CLI::App>(about, name);
}

std::span<const CommandEntry> all_commands() { return command_table; }

} // namespace kern
