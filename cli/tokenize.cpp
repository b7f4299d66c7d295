// kern tokenize: text to ids and back.
#include <charconv>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "model/error.h"
#include "model/gguf.h"
#include "tokenizer/tokenizer.h"

namespace kern {

namespace {

struct TokenizeFlags {
  ModelFlags model;
  PromptFlags prompt;
  bool ids = false;
  bool no_bos = false;
  bool parse_special = false;
  bool decode = false;
  bool json = false;
};

/// Numbers separated by spaces, commas, newlines or brackets: what `--ids` and JSON print.
std::vector<Token> parse_ids(std::string_view text, std::size_t vocab_size) {
  std::vector<Token> tokens;
  const auto fail = [&](std::string_view found) {
    throw Error(ExitCode::usage,
                fmt::format("--decode: found '{}', expected token ids 0..{} separated by spaces or commas",
                            escape_controls(found.substr(0, 20)), vocab_size - 1));
  };
  while (true) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n,[]");
    if (begin == std::string_view::npos) return tokens;
    text.remove_prefix(begin);
    const std::string_view word = text.substr(0, text.find_first_of(" \t\r\n,[]"));
    Token token = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), token);
    if (error != std::errc() || end != word.data() + word.size() || token < 0 ||
        static_cast<std::size_t>(token) >= vocab_size)
      fail(word);
    tokens.push_back(token);
    text.remove_prefix(word.size());
  }
}

/// Written to standard output as text: escaped for a terminal, as it is otherwise.
void write_text(std::string_view text) {
  write_output(stdout_is_terminal() ? escape_controls(text) + "\n" : std::string(text));
}

void print_tokens(const TokenizeFlags& flags, const Tokenizer& tokenizer, const std::vector<Token>& tokens) {
  if (flags.json) {
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const Token token : tokens) json.push_back({{"id", token}, {"text", tokenizer.piece(token, true)}});
    return write_output(dump_json(json));
  }
  if (flags.ids) return write_output(fmt::format("{}\n", fmt::join(tokens, " ")));
  std::string out;
  for (const Token token : tokens)
    out += fmt::format("{:>7}  '{}'\n", token, escape_line(tokenizer.piece(token, true)));
  write_output(out);
}

void declare(CLI::App& app, TokenizeFlags& flags) {
  add_model_flags(app, flags.model);
  app.add_option("text", flags.prompt.words, "the text; piped input follows it after a blank line")->type_name("TEXT");
  app.add_option("-p,--prompt", flags.prompt.text, "the text, as a flag")->type_name("TEXT");
  app.add_option("-f,--file", flags.prompt.file, "the text from a file; - is standard input")->type_name("FILE");
  app.add_flag("--no-stdin", flags.prompt.no_stdin, "don't read piped input");
  app.add_flag("--ids", flags.ids, "print the ids only, on one line");
  app.add_flag("--no-bos", flags.no_bos, "add no BOS or EOS");
  app.add_flag("--parse-special", flags.parse_special, "understand the text of control tokens");
  app.add_flag("--decode", flags.decode, "the input is ids; print their text, exactly");
  app.add_flag("--json", flags.json, "print a JSON array of {id, text}");
}

int show_tokens(TokenizeFlags& flags) {

  const std::string input = read_prompt(flags.prompt, flags.model.quiet);
  const Gguf gguf = open_model(flags.model);
  const auto tokenizer = Tokenizer::create(gguf.metadata(), flags.model.pretokenizer);
  if (flags.decode) {
    const std::vector<Token> tokens = parse_ids(input, tokenizer->vocab_size());
    // BOS at the front is no part of the text, but what follows it begins one.
    write_text(tokenizer->decode(tokens, flags.parse_special));
  } else {
    print_tokens(flags, *tokenizer,
                 tokenizer->encode(input, {.add_special = !flags.no_bos, .parse_special = flags.parse_special}));
  }
  return 0;
}

} // namespace

Command tokenize_command() {
  return make_command<TokenizeFlags>("kern tokenize",
                                     "Prints the tokens of a text, one a line with its id, or the text of ids.",
                                     declare, show_tokens);
}

} // namespace kern
