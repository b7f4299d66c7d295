#include "cli/thinking.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cli/output.h"
#include "cli/terminal.h"

namespace kern {

namespace {

using Kind = ThinkFormat::Kind;

struct Marks {
  std::string_view open, close;
  std::string_view label = {};
};

/// Qwen 3, DeepSeek, GLM, SmolLM 3, Nemotron, Kimi and most others; Seed; Magistral; Command A; Gemma 4; Apertus;
/// EXAONE.
constexpr Marks known_marks[] = {
    {"<think>", "</think>"},
    {"<seed:think>", "</seed:think>"},
    {"[THINK]", "[/THINK]"},
    {"<|START_THINKING|>", "<|END_THINKING|>"},
    {"<|channel>", "<channel|>", "thought\n"},
    {"<|inner_prefix|>", "<|inner_suffix|>"},
    {"<thought>", "</thought>"},
};

constexpr std::string_view channel_of_answer = "<|channel|>final<|message|>";

/// What the template wrote behind the last text of a message.
std::string_view template_tail(const jinja::Text& rendered) {
  const std::size_t begin = rendered.marks().empty() ? 0 : rendered.marks().back().end;
  return rendered.view().substr(begin);
}

/// As the models write it: thinking that begins a line also ends on one.
std::string closing_text(const ThinkFormat& format, bool on_line) {
  if (format.kind == Kind::channels) return "<|end|><|start|>assistant" + std::string(channel_of_answer);
  return on_line ? "\n" + format.close + "\n\n" : format.close;
}

bool find_channels(const Tokenizer& tokenizer, ThinkFormat& format) {
  format.channel = tokenizer.find("<|channel|>");
  format.message = tokenizer.find("<|message|>");
  format.start = tokenizer.find("<|start|>");
  format.end = tokenizer.find("<|end|>");
  const bool is_harmony = format.channel && format.message && format.start && format.end;
  if (!is_harmony) format.channel = format.message = format.start = format.end = std::nullopt;
  return is_harmony;
}

} // namespace

ThinkFormat find_think_format(const Tokenizer& tokenizer, const ChatTemplate& chat) {
  const std::string& source = chat.source();
  ThinkFormat format;
  if (find_channels(tokenizer, format)) {
    format.kind = Kind::channels;
    format.in_template = source.find("<|channel|>") != std::string::npos;
    return format;
  }
  const auto is_special = [&](std::string_view text) -> std::optional<Token> {
    const auto token = tokenizer.find(text);
    if (!token) return std::nullopt;
    const TokenType type = tokenizer.type(*token);
    return type == TokenType::control || type == TokenType::user_defined ? token : std::nullopt;
  };
  for (const bool by_template : {true, false}) // a vocabulary may hold marks of another model
    for (const Marks& marks : known_marks) {
      const bool in_template = source.find(marks.open) != std::string::npos;
      const auto open = is_special(marks.open);
      const auto close = is_special(marks.close);
      if (by_template ? !in_template : !(open && close)) continue;
      return {Kind::marks,
              std::string(marks.open),
              std::string(marks.close),
              std::string(marks.label),
              open,
              close,
              {},
              {},
              {},
              {},
              in_template};
    }
  return {};
}

void add_think_variables(ThinkMode mode, jinja::Dict& variables) {
  if (mode != ThinkMode::show && mode != ThinkMode::off) return;
  jinja::Budget budget(jinja::Limits{}, 0);
  const bool thinks = mode == ThinkMode::show;
  for (const std::string_view name : {"enable_thinking", "thinking"})
    variables.set(jinja::make_text(name), thinks, budget);
  if (!thinks) variables.set(jinja::make_text("thinking_budget"), std::int64_t{0}, budget);
}

bool ends_in_thinking(const ThinkFormat& format, const jinja::Text& rendered) {
  if (format.kind != Kind::marks) return false;
  const std::string_view tail = template_tail(rendered);
  const std::size_t open = tail.rfind(format.open);
  const std::size_t close = tail.rfind(format.close);
  return open != std::string_view::npos && (close == std::string_view::npos || close < open);
}

bool ends_thinking(const ThinkFormat& format, const jinja::Text& rendered) {
  const std::string_view close = format.kind == Kind::channels ? channel_of_answer : std::string_view(format.close);
  return template_tail(rendered).find(close) != std::string_view::npos;
}

void close_thinking(const ThinkFormat& format, jinja::Text& rendered) {
  if (format.kind == Kind::channels) {
    rendered.append(channel_of_answer);
  } else if (ends_in_thinking(format, rendered)) {
    rendered.append(closing_text(format, rendered.view().ends_with('\n')));
  } else if (format.label.empty()) {
    rendered.append(format.open + "\n\n" + format.close + "\n\n");
  } else {
    rendered.append(format.open + format.label + format.close);
  }
}

ThinkPlan plan_thinking(const ThinkFormat& format, const TemplateFlags& flags, const jinja::Text& rendered,
                        const Tokenizer& tokenizer) {
  ThinkPlan plan{format, ends_in_thinking(format, rendered), {}, flags.think, flags.think_budget};
  if (format.kind != Kind::none && flags.think_budget)
    plan.closing = tokenizer.encode(closing_text(format, true), {.add_special = false, .parse_special = true});
  return plan;
}

ThinkWriter::ThinkWriter(Target target)
    : target_(target), escape_(target == Target::standard_output ? stdout_is_terminal() : stderr_is_terminal()),
      dim_(target == Target::standard_error && may_colour_stderr()) {}

void ThinkWriter::write(std::string_view text) {
  if (target_ == Target::nowhere || text.empty()) return;
  const std::string safe = escape_ ? escape_controls(text) : std::string(text);
  if (target_ == Target::standard_output) write_output((open_ ? "" : "<think>\n") + safe);
  else write_notice(dim_ ? "\x1b[2m" + safe + "\x1b[0m" : safe); // whole at any time, in case the process ends here
  open_ = true;
}

void ThinkWriter::end() {
  if (!open_) return;
  open_ = false;
  if (target_ == Target::standard_output) write_output("\n</think>\n\n");
  else write_notice("\n\n");
}

} // namespace kern
