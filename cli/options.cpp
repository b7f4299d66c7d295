#include "cli/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "cli/output.h"
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

/// CLI::Range takes "nan" for a number within any range.
CLI::Validator within(double low, double high) {
  return CLI::Validator(
      [=](const std::string& text) {
        double value = 0.0;
        const bool fits = CLI::detail::lexical_cast(text, value) && value >= low && value <= high;
        return fits ? std::string() : fmt::format("found {}, expected a number from {} to {}", text, low, high);
      },
      "");
}

/// Nothing for -1, by which other tools ask for a random seed. Throws CLI::ValidationError.
std::optional<std::uint64_t> parse_seed(const std::string& text) {
  if (text == "-1") return std::nullopt;
  std::uint64_t seed = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || stop != text.data() + text.size())
    throw CLI::ValidationError("--seed", fmt::format("found {}, expected a number from 0 to 2^64 - 1", text));
  return seed;
}

const std::map<std::string, Format> cache_formats = {
    {"f16", Format::f16}, {"f32", Format::f32}, {"q8_0", Format::q8_0}, {"q4_0", Format::q4_0}};

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

void add_chat_flags(CLI::App& app, ChatFlags& flags) {
  app.add_option("prompt", flags.words, "the first message")->type_name("TEXT");
  app.add_option("--system", flags.system, "-sys: system text of the conversation")->type_name("TEXT");
  app.add_option("--overflow", flags.overflow,
                 "where the conversation no longer fits the context: refuse the message, or drop whole exchanges for "
                 "the model, from the middle or the oldest-turns")
      ->type_name("HOW")
      ->check(CLI::IsMember({"refuse", "middle", "oldest-turns"}))
      ->capture_default_str();
}

void add_session_flag(CLI::App& app, std::optional<std::string>& session) {
  app.add_option("--session", session, "go on with the conversation in this file, and store every turn in it (JSONL)")
      ->type_name("FILE");
}

void add_template_flags(CLI::App& app, TemplateFlags& flags) {
  app.add_option("--chat-template", flags.source,
                 "chat template instead of the model's: a Jinja file, or the name of one: " + builtin_template_names())
      ->type_name("FILE|NAME");
  app.add_option("--chat-template-kwargs", flags.kwargs,
                 "variables for the chat template, a JSON object as in '{\"enable_thinking\": false}'")
      ->type_name("JSON");
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
  SamplerOptions& s = flags.sampler;
  const auto probability = within(0.0, 1.0);
  app.add_option_function<std::string>(
         "-s,--seed", [&flags](const std::string& text) { flags.seed = parse_seed(text); },
         "seed of the draws (default: random, always reported)")
      ->type_name("N");
  app.add_option("--temp,--temperature", s.temperature, "temperature; 0 takes the most likely token")
      ->type_name("T")
      ->check(within(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--top-k", s.top_k, "keep the K most likely tokens; 0 keeps all")
      ->type_name("K")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  app.add_option("--top-p", s.top_p, "keep the most likely tokens that together reach P")
      ->type_name("P")
      ->check(probability)
      ->capture_default_str();
  app.add_option("--min-p", s.min_p, "keep tokens at least P times as likely as the first")
      ->type_name("P")
      ->check(probability)
      ->capture_default_str();
  app.add_option("--typical,--typical-p", s.typical_p, "keep locally typical tokens that together reach P")
      ->type_name("P")
      ->check(probability)
      ->capture_default_str();
  app.add_option("--repeat-penalty", s.repeat_penalty, "divide the logits of recent tokens")
      ->type_name("X")
      ->check(within(1e-6, 1e6))
      ->capture_default_str();
  app.add_option("--repeat-last-n", s.repeat_last_n, "recent tokens the penalties look at; -1 is all")
      ->type_name("N")
      ->check(CLI::Range(-1, 1 << 30))
      ->capture_default_str();
  app.add_option("--presence-penalty", s.presence_penalty, "subtract from the logits of recent tokens")
      ->type_name("X")
      ->check(within(-1e6, 1e6))
      ->capture_default_str();
  app.add_option("--frequency-penalty", s.frequency_penalty, "subtract for every time a recent token occurred")
      ->type_name("X")
      ->check(within(-1e6, 1e6))
      ->capture_default_str();
  app.add_option("-l,--logit-bias", flags.logit_bias,
                 "add to a token's logit: ID+BIAS or ID-BIAS, -inf forbids (repeatable)")
      ->type_name("ID+X")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
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

std::pair<std::int32_t, float> parse_logit_bias(const std::string& text) {
  const std::size_t sign = text.find_first_of("+-", 1);
  std::int32_t id = 0;
  const char* end = text.data() + std::min(sign, text.size());
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  const std::string number = sign == std::string::npos ? "" : text.substr(sign + (text[sign] == '+' ? 1 : 0));
  char* rest = nullptr;
  const float bias = std::strtof(number.c_str(), &rest);
  if (error != std::errc() || stop != end || id < 0 || number.empty() || *rest != '\0' || std::isnan(bias) ||
      bias == HUGE_VALF)
    throw Error(ExitCode::usage, fmt::format("--logit-bias {}: expected ID+BIAS or ID-BIAS, as in 1234-inf or 1234+2.5",
                                             escape_controls(text)));
  return {id, bias};
}

} // namespace kern
