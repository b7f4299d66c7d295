#include "cli/options.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "cli/output.h"
#include "cli/sampler_flags.h"
#include "cli/terminal.h"
#include "model/error.h"
#include "tokenizer/chat_template.h"

namespace kern {

namespace {

/// Flags of several letters behind one dash, which people's fingers know from llama.cpp.
constexpr std::pair<std::string_view, std::string_view> short_spellings[] = {
    {"-ctk", "--cache-type-k"}, {"-ctv", "--cache-type-v"}, {"-ngl", "--gpu-layers"},
    {"-sys", "--system"},       {"-ub", "--ubatch-size"},
};

std::string spell_out(const std::string& argument) {
  const std::size_t equals = argument.find('=');
  const std::string_view name = std::string_view(argument).substr(0, equals);
  for (const auto& [spelling, flag] : short_spellings)
    if (name == spelling) return std::string(flag) + (equals == std::string::npos ? "" : argument.substr(equals));
  return argument;
}

/// CLI11 takes an argument "[a,b]" for a list and splits it. One with something behind its bracket stays whole.
constexpr char list_guard = '\x01';

void guard_brackets(std::string& argument) {
  if (argument.starts_with('[')) argument += list_guard;
}

std::string unguard_brackets(std::string& value) {
  if (value.starts_with('[') && value.ends_with(list_guard)) value.pop_back();
  return {};
}

const std::map<std::string, Format> cache_formats = {
    {"f16", Format::f16}, {"f32", Format::f32}, {"q8_0", Format::q8_0}, {"q4_0", Format::q4_0}};

const std::map<std::string, ThinkMode> think_modes = {
    {"show", ThinkMode::show}, {"hide", ThinkMode::hide}, {"off", ThinkMode::off}};

} // namespace

void add_model_flags(CLI::App& app, ModelFlags& flags) {
  app.add_option("-m,--model", flags.path,
                 "GGUF model file, or the first part of a split one (default: $KERN_MODEL, else the small demo model "
                 "inside kern)")
      ->type_name("FILE");
  app.add_option("-t,--threads", flags.threads, "threads (default: all this process may use)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  app.add_option("--gpu-layers,--n-gpu-layers", flags.gpu_layers,
                 "-ngl: layers on the GPU: a number, auto or all; this build runs on the CPU")
      ->type_name("N")
      ->check([](const std::string& text) {
        const bool number = !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
        return number || text == "auto" || text == "all" || text == "-1" ? std::string()
                                                                         : "expected a number, auto or all";
      });
  app.add_flag(
      "--no-repack", flags.no_repack,
      "keep all weights mapped as the file has them: less memory of one's own, slower; the answer is the same");
  app.add_option("--pre", flags.pretokenizer,
                 "split text by this pre-tokenizer pattern instead of the one the file names")
      ->type_name("NAME");
  app.add_flag("-q,--quiet", flags.quiet, "no timings and notices on standard error");
}

void add_context_flags(CLI::App& app, ContextFlags& flags) {
  app.add_option("-c,--ctx-size", flags.context,
                 "positions of the context (default: the smaller of the model's length and 8192)")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 30));
  app.add_option("-b,--batch-size", flags.batch, "upper limit of -ub")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--ubatch-size", flags.step_tokens,
                 "-ub: prompt tokens a forward pass takes at most; changes no result")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  app.add_option("--cache-type-k", flags.key_format, "-ctk: keys in the cache as f16, f32, q8_0 or q4_0 (default: f16)")
      ->type_name("TYPE")
      ->transform(CLI::CheckedTransformer(cache_formats, CLI::ignore_case).description(""));
  app.add_option("--cache-type-v", flags.value_format,
                 "-ctv: values in the cache as f16, f32, q8_0 or q4_0 (default: f16)")
      ->type_name("TYPE")
      ->transform(CLI::CheckedTransformer(cache_formats, CLI::ignore_case).description(""));
}

void add_prompt_flags(CLI::App& app, PromptFlags& flags) {
  app.add_option("prompt", flags.words, "the prompt; piped input follows it after a blank line")->type_name("TEXT");
  app.add_option("-p,--prompt", flags.text, "the prompt, as a flag")->type_name("TEXT");
  app.add_option("-f,--file", flags.file, "the prompt from a file; - is standard input")->type_name("FILE");
  app.add_option("--system", flags.system, "-sys: system text of the conversation")->type_name("TEXT");
  app.add_flag("--no-stdin", flags.no_stdin, "don't read piped input");
  app.add_flag("--raw", flags.raw, "complete the text as it is, without a chat template; prints the continuation only");
}

void add_template_flags(CLI::App& app, TemplateFlags& flags) {
  app.add_option("--chat-template", flags.source,
                 "chat template instead of the model's: a Jinja file, or the name of one: " + builtin_template_names())
      ->type_name("FILE|NAME");
  app.add_option("--chat-template-kwargs", flags.kwargs,
                 "variables for the chat template, a JSON object as in '{\"enable_thinking\": false}'")
      ->type_name("JSON");
  app.add_option("--think", flags.think,
                 "a model's thinking: show it before the answer, hide it, or off; else it goes to standard error")
      ->type_name("show|hide|off")
      ->transform(CLI::CheckedTransformer(think_modes, CLI::ignore_case).description(""));
  app.add_option("--think-budget", flags.think_budget, "tokens after which thinking is ended and the answer begins")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 30));
}

void add_generation_flags(CLI::App& app, GenerationFlags& flags) {
  app.add_option("-n,--predict,--n-predict", flags.max_tokens, "tokens to generate (default: -1, until the model ends)")
      ->type_name("N")
      ->check(CLI::Range(-1, 1 << 30));
  app.add_option("--max-time", flags.max_time, "seconds after which the answer is cut, with exit code 5")
      ->type_name("S")
      ->check(within(1e-3, 1e9));
  app.add_option("-r,--stop,--reverse-prompt", flags.stops, "end the answer before this text (repeatable)")
      ->type_name("TEXT")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  app.add_flag("--json", flags.json, "print one JSON object instead of text");
  app.add_option("--top-logprobs", flags.top_logprobs,
                 "with --json: each token's logarithmic probability by the model, and the N likeliest instead of it")
      ->type_name("N")
      ->check(CLI::Range(0, 100));
  add_sampler_flags(app, flags);
}

bool parse_flags(CLI::App& app, std::vector<std::string> arguments) {
  bool after_separator = false;
  for (std::string& argument : arguments) {
    after_separator = after_separator || argument == "--";
    if (!after_separator) argument = spell_out(argument);
    guard_brackets(argument);
  }
  for (CLI::Option* option : app.get_options()) option->transform(CLI::Validator(unguard_brackets, ""));
  std::ranges::reverse(arguments); // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    write_output(app.help());
    return false;
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::ranges::replace(message, '\n', ' ');
    throw Error(ExitCode::usage, fmt::format("{}; `{} --help` lists the options", message, app.get_name()));
  }
  return true;
}

} // namespace kern
