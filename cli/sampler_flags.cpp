#include "cli/sampler_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <random>
#include <stdexcept>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

namespace {

/// Nothing for -1, by which other tools ask for a random seed. Throws CLI::ValidationError.
std::optional<std::uint64_t> parse_seed(const std::string& text) {
  if (text == "-1") return std::nullopt;
  std::uint64_t seed = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || stop != text.data() + text.size())
    throw CLI::ValidationError("--seed", fmt::format("found {}, expected a number from 0 to 2^64 - 1", text));
  return seed;
}

/// A setting by its flag, the step it belongs to, and the key by which a model file sets it.
struct Setting {
  std::string_view flag;
  std::optional<SamplerStep> step;
  std::string_view key = {};
  float SamplerOptions::*real = nullptr;
  int SamplerOptions::*integer = nullptr;
  double low = 0.0, high = 0.0;
};

constexpr double large = 1e6;
constexpr double most_tokens = 1 << 30;

using Options = SamplerOptions;
constexpr Setting settings[] = {
    {"samplers", {}, "sequence"},
    {"temp", SamplerStep::temperature, "temp", &Options::temperature, nullptr, 0.0, large},
    {"dynatemp-range", SamplerStep::temperature, {}, &Options::dynatemp_range, nullptr, 0.0, large},
    {"dynatemp-exp", SamplerStep::temperature, {}, &Options::dynatemp_exponent, nullptr, 0.0, 1000.0},
    {"top-k", SamplerStep::top_k, "top_k", nullptr, &Options::top_k, 0.0, most_tokens},
    {"top-p", SamplerStep::top_p, "top_p", &Options::top_p, nullptr, 0.0, 1.0},
    {"min-p", SamplerStep::min_p, "min_p", &Options::min_p, nullptr, 0.0, 1.0},
    {"typical", SamplerStep::typical, {}, &Options::typical_p, nullptr, 0.0, 1.0},
    {"top-nsigma", SamplerStep::top_n_sigma, {}, &Options::top_n_sigma, nullptr, -large, large},
    {"xtc-probability", SamplerStep::xtc, "xtc_probability", &Options::xtc_probability, nullptr, 0.0, 1.0},
    {"xtc-threshold", SamplerStep::xtc, "xtc_threshold", &Options::xtc_threshold, nullptr, 0.0, 1.0},
    {"repeat-penalty", SamplerStep::penalties, "penalty_repeat", &Options::repeat_penalty, nullptr, 1e-6, large},
    {"repeat-last-n", SamplerStep::penalties, "penalty_last_n", nullptr, &Options::repeat_last_n, -1.0, most_tokens},
    {"presence-penalty", SamplerStep::penalties, {}, &Options::presence_penalty, nullptr, -large, large},
    {"frequency-penalty", SamplerStep::penalties, {}, &Options::frequency_penalty, nullptr, -large, large},
    {"dry-multiplier", SamplerStep::dry, {}, &Options::dry_multiplier, nullptr, 0.0, large},
    {"dry-base", SamplerStep::dry, {}, &Options::dry_base, nullptr, 1.0, large},
    {"dry-allowed-length", SamplerStep::dry, {}, nullptr, &Options::dry_allowed_length, 0.0, most_tokens},
    {"dry-penalty-last-n", SamplerStep::dry, {}, nullptr, &Options::dry_penalty_last_n, -1.0, most_tokens},
    {"dry-sequence-breaker", SamplerStep::dry},
    {"mirostat", {}, "mirostat", nullptr, &Options::mirostat, 0.0, 2.0},
    {"mirostat-lr", {}, "mirostat_eta", &Options::mirostat_rate, nullptr, 0.0, 1000.0},
    {"mirostat-ent", {}, "mirostat_tau", &Options::mirostat_entropy, nullptr, 0.0, 1000.0},
    {"adaptive-target", {}, {}, &Options::adaptive_target, nullptr, -1.0, 1.0},
    {"adaptive-decay", {}, {}, &Options::adaptive_decay, nullptr, 0.0, 0.99},
};

const Setting& find_setting(std::string_view flag) { return *std::ranges::find(settings, flag, &Setting::flag); }

CLI::Option* add_setting(CLI::App& app, SamplerOptions& options, const std::string& names, const std::string& type,
                         const std::string& help) {
  const std::string first = names.substr(2, names.find(',') - 2);
  const Setting& setting = find_setting(first);
  CLI::Option* option = setting.real ? app.add_option(names, options.*setting.real, help)
                                     : app.add_option(names, options.*setting.integer, help);
  return option->type_name(type)->check(within(setting.low, setting.high))->capture_default_str();
}

void add_step_flags(CLI::App& app, GenerationFlags& flags) {
  const auto parse = [&flags](auto parser, const char* flag) {
    return [&flags, parser, flag](const std::string& text) {
      try {
        flags.sampler.steps = parser(text);
      } catch (const std::invalid_argument& error) {
        throw CLI::ValidationError(flag, error.what());
      }
    };
  };
  app.add_option_function<std::string>("--samplers", parse(parse_step_names, "--samplers"),
                                       "steps in their order, as in \"top_k;min_p;temperature\"")
      ->type_name("A;B;C");
  app.add_option_function<std::string>("--sampling-seq,--sampler-seq", parse(parse_step_letters, "--sampling-seq"),
                                       "the same by letters (default: edskypmxt)")
      ->type_name("LETTERS")
      ->excludes("--samplers");
}

void add_penalty_flags(CLI::App& app, GenerationFlags& flags) {
  const OptionTopic topic(app, "penalties");
  SamplerOptions& s = flags.sampler;
  add_setting(app, s, "--repeat-penalty", "X", "divide the logits of recent tokens");
  add_setting(app, s, "--repeat-last-n", "N", "recent tokens the penalties look at; -1 is all");
  add_setting(app, s, "--presence-penalty", "X", "subtract from the logits of recent tokens");
  add_setting(app, s, "--frequency-penalty", "X", "subtract for every time a recent token occurred");
  add_setting(app, s, "--dry-multiplier", "X", "DRY: subtract X * base^(repeated tokens - allowed); 0 is off");
  add_setting(app, s, "--dry-base", "X", "DRY: base of the penalty");
  add_setting(app, s, "--dry-allowed-length", "N", "DRY: repeated tokens that cost nothing");
  add_setting(app, s, "--dry-penalty-last-n", "N", "DRY: recent tokens it looks at; -1 is all");
  app.add_option("--dry-sequence-breaker", flags.dry_breakers,
                 "DRY: text over which nothing counts as repeated, instead of newline : \" * (repeatable; \"none\")")
      ->type_name("TEXT")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
}

void add_target_flags(CLI::App& app, SamplerOptions& s) {
  const OptionTopic topic(app, "mirostat");
  add_setting(app, s, "--mirostat", "N", "1 or 2: mirostat instead of all steps but the temperature");
  add_setting(app, s, "--mirostat-lr", "X", "mirostat: learning rate");
  add_setting(app, s, "--mirostat-ent", "X", "mirostat: surprise of the text, in bits");
  add_setting(app, s, "--adaptive-target", "P", "adaptive-p: prefer tokens near this probability; -1 is off");
  add_setting(app, s, "--adaptive-decay", "X", "adaptive-p: how slowly it forgets what was drawn");
}

/// The tokens by which a text may be spelled where another token has its beginning: the first one, then the rest.
void append_breakers(std::vector<std::vector<Token>>& breakers, const Tokenizer& tokenizer, const std::string& text) {
  constexpr std::size_t most_tail_tokens = 20;
  for (Token token = 0; static_cast<std::size_t>(token) < tokenizer.vocab_size(); ++token) {
    const std::string piece = tokenizer.piece(token, true);
    if (piece.find(text) != std::string::npos) {
      breakers.push_back({token});
      continue;
    }
    for (std::size_t at = 0; (at = piece.find(text[0], at)) != std::string::npos; ++at) {
      const std::size_t length = piece.size() - at; // less than the text's, or the piece would hold all of it
      if (length >= text.size() || text.compare(0, length, piece, at, length) != 0) continue;
      std::vector<Token> sequence = tokenizer.encode(text.substr(length), {.add_special = false});
      sequence.resize(std::min(sequence.size(), most_tail_tokens));
      sequence.insert(sequence.begin(), token);
      if (std::ranges::find(breakers, sequence) == breakers.end()) breakers.push_back(std::move(sequence));
    }
  }
}

std::vector<std::vector<Token>> encode_breakers(const GenerationFlags& flags, const Tokenizer& tokenizer) {
  constexpr std::size_t longest = 40;
  std::vector<std::string> texts =
      flags.dry_breakers.empty() ? std::vector<std::string>{"\n", ":", "\"", "*"} : flags.dry_breakers;
  std::erase(texts, "none");
  std::vector<std::vector<Token>> breakers;
  for (const std::string& text : texts) {
    if (text.empty() || text.size() > longest)
      throw Error(ExitCode::usage,
                  fmt::format("--dry-sequence-breaker: found {} bytes, expected 1 to {}", text.size(), longest));
    append_breakers(breakers, tokenizer, text);
  }
  return breakers;
}

/// Throws Error(model).
void take_from_model(const Metadata& metadata, const Setting& setting, SamplerOptions& options) {
  const std::string key = fmt::format("general.sampling.{}", setting.key);
  if (!setting.real && !setting.integer) {
    try {
      options.steps = parse_step_names(metadata.get_string(key));
    } catch (const std::invalid_argument& error) {
      metadata.fail(key, escape_line(error.what()));
    }
    return;
  }
  const double value = metadata.get_float(key);
  const bool whole = setting.real || value == std::floor(value);
  if (!(value >= setting.low && value <= setting.high && whole))
    metadata.fail(key, fmt::format("found {}, expected a {} from {} to {}; --{} takes its place", value,
                                   setting.real ? "number" : "whole number", setting.low, setting.high, setting.flag));
  if (setting.real) options.*setting.real = static_cast<float>(value);
  else options.*setting.integer = static_cast<int>(value);
}

} // namespace

CLI::Validator within(double low, double high) {
  return CLI::Validator(
      [=](const std::string& text) {
        double value = 0.0;
        const bool fits = CLI::detail::lexical_cast(text, value) && value >= low && value <= high;
        return fits ? std::string() : fmt::format("found {}, expected a number from {} to {}", text, low, high);
      },
      "");
}

void add_sampler_flags(CLI::App& app, GenerationFlags& flags) {
  const OptionTopic topic(app, "sampling");
  SamplerOptions& s = flags.sampler;
  app.add_option_function<std::string>(
         "-s,--seed", [&flags](const std::string& text) { flags.seed = parse_seed(text); },
         "seed of the draws (default: random, always reported)")
      ->type_name("N");
  add_setting(app, s, "--temp,--temperature", "T", "temperature; 0 takes the most likely token");
  add_setting(app, s, "--top-k", "K", "keep the K most likely tokens; 0 keeps all");
  add_setting(app, s, "--top-p", "P", "keep the most likely tokens that together reach P");
  add_setting(app, s, "--min-p", "P", "keep tokens at least P times as likely as the first");
  add_setting(app, s, "--typical,--typical-p", "P", "keep locally typical tokens that together reach P");
  add_setting(app, s, "--top-nsigma,--top-n-sigma", "N", "keep tokens within N deviations of the first; -1 is off");
  add_setting(app, s, "--xtc-probability", "P", "XTC: how often all likely tokens but the last are left out");
  add_setting(app, s, "--xtc-threshold", "P", "XTC: what counts as likely; above 0.5 is off");
  add_setting(app, s, "--dynatemp-range", "X", "temperature from T-X to T+X, by entropy; 0 is off");
  add_setting(app, s, "--dynatemp-exp", "X", "exponent of the entropy's share");
  add_penalty_flags(app, flags);
  add_target_flags(app, s);
  add_step_flags(app, flags);
  app.add_option("-l,--logit-bias", flags.logit_bias,
                 "add to a token's logit: ID+BIAS or ID-BIAS, -inf forbids (repeatable)")
      ->type_name("ID+X")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  app.add_flag("--ignore-eos", flags.ignore_eos, "forbid the tokens that end an answer");
  app.final_callback([&app, &flags] {
    for (const Setting& setting : settings)
      if (app.get_option("--" + std::string(setting.flag))->count() > 0) flags.given.emplace_back(setting.flag);
    if (app.get_option("--sampling-seq")->count() > 0) flags.given.emplace_back("samplers");
  });
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

Sampling choose_sampling(const GenerationFlags& flags, const Metadata& metadata, const Tokenizer& tokenizer,
                         std::span<const Token> end_tokens) {
  Sampling sampling{flags.sampler, {}};
  SamplerOptions& options = sampling.options;
  for (const Setting& setting : settings) {
    if (setting.key.empty() || !metadata.has(fmt::format("general.sampling.{}", setting.key))) continue;
    if (std::ranges::find(flags.given, setting.flag) != flags.given.end()) continue;
    take_from_model(metadata, setting, options);
    sampling.from_model.emplace_back(setting.flag);
  }
  options.seed = flags.seed ? *flags.seed : std::random_device{}();
  const std::size_t vocab_size = tokenizer.vocab_size();
  for (const std::string& text : flags.logit_bias) {
    options.logit_bias.push_back(parse_logit_bias(text));
    if (static_cast<std::size_t>(options.logit_bias.back().first) >= vocab_size)
      throw Error(ExitCode::usage, fmt::format("--logit-bias {}: the vocabulary has ids 0..{}", text, vocab_size - 1));
  }
  if (flags.ignore_eos)
    for (const Token token : end_tokens) options.logit_bias.push_back({token, -HUGE_VALF});
  if (options.dry_multiplier != 0.0f) options.dry_breakers = encode_breakers(flags, tokenizer);
  return sampling;
}

std::string sampler_text(const SamplerOptions& options) {
  std::string text = fmt::format("--samplers {}\n", step_names(options.steps));
  for (const Setting& setting : settings) {
    if (setting.real) text += fmt::format("--{} {}\n", setting.flag, options.*setting.real);
    if (setting.integer) text += fmt::format("--{} {}\n", setting.flag, options.*setting.integer);
  }
  return text;
}

std::vector<std::string> idle_flags(const GenerationFlags& flags, const SamplerOptions& options) {
  std::vector<std::string> lines;
  for (const std::string& flag : flags.given) {
    const std::optional<SamplerStep> step = find_setting(flag).step;
    const bool replaced = options.mirostat != 0 && ((step && step != SamplerStep::temperature) || flag == "samplers" ||
                                                    flag.starts_with("adaptive"));
    const bool absent = options.mirostat == 0 && step && std::ranges::find(options.steps, *step) == options.steps.end();
    if (replaced) lines.push_back(fmt::format("--{} changes nothing: mirostat takes its place", flag));
    else if (absent) lines.push_back(fmt::format("--{} changes nothing: its step isn't among --samplers", flag));
  }
  return lines;
}

} // namespace kern
