// kern man: the manual page, made of the flags themselves.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"

namespace kern {

namespace {

struct ManFlags {};

/// Plain text for troff: no line of it is a request, and a hyphen is the character people search for.
std::string troff(std::string_view text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    begins = c == '\n';
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else out += c;
  }
  return out;
}

std::string page() {
  std::string out = fmt::format(".TH KERN 1 \"\" \"kern {}\" \"User Commands\"\n", troff(version()));
  out += ".SH NAME\nkern \\- runs large language models from the terminal\n";
  out += ".SH SYNOPSIS\n.B kern\n.I COMMAND\n[options]\n";
  out += ".SH DESCRIPTION\n";
  out +=
      troff("Maps a quantized GGUF model, and streams its answers. Standard output carries the answer and nothing "
            "else; notices, progress, thinking and timings go to standard error. A seed reproduces an answer on every "
            "machine.\n");
  out += ".SH COMMANDS\n";
  for (const CommandEntry& entry : all_commands()) {
    const Command command = entry.make();
    out += fmt::format(".SS \"kern {}\"\n{}\n", entry.name, troff(command.app->get_description()));
    for (const CLI::Option* option : command.app->get_options())
      if (option->get_positional())
        out += fmt::format(".TP\n.I {}\n{}\n", troff(value_name(*option)), troff(option->get_description()));
    for (const CLI::Option* option : shown_options(*command.app))
      out += fmt::format(".TP\n.B {}\n{}\n", troff(option_head(*option)), troff(option_about(*option)));
  }
  out += ".SH \"EXIT STATUS\"\n.nf\n" + troff(general_help({"exit-codes"})) + ".fi\n";
  out += ".SH ENVIRONMENT\n.nf\n" + troff(general_help({"environment"})) + ".fi\n";
  return out;
}

int print_page(ManFlags&) {
  write_output(page());
  return 0;
}

void declare(CLI::App&, ManFlags&) {}

} // namespace

Command man_command() {
  return make_command<ManFlags>("kern man", "Prints the manual page, as in: kern man | man -l -", declare, print_page);
}

} // namespace kern
