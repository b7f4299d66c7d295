// Any chat template, with a small conversation: it renders within its bounds or fails with one line, and what of its
// text came from the messages is well formed.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/check_text.h"
#include "tokenizer/chat_template.h"

namespace {

using namespace kern;

jinja::Dict small_context(jinja::Budget& budget) {
  auto arguments = std::make_shared<jinja::Dict>();
  arguments->set(jinja::make_text("x"), 1, budget);
  arguments->set(jinja::make_text("y"), 2.5, budget);
  arguments->set(jinja::make_text("z"), jinja::None{}, budget);
  const jinja::Value tool(jinja::DictPtr(std::move(arguments)));
  jinja::Dict variables;
  variables.set(jinja::make_text("messages"),
                message_list({{"system", "a \xC3\xA9"}, {"user", " <|b|>\n"}, {"assistant", "c"}, {"user", "\xFF"}}),
                budget);
  variables.set(jinja::make_text("tools"), jinja::make_sequence({tool, tool}, budget), budget);
  variables.set(jinja::make_text("add_generation_prompt"), true, budget);
  variables.set(jinja::make_text("bos_token"), jinja::make_text("<s>"), budget);
  return variables;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  jinja::Budget budget(jinja::Limits{}, 0);
  const jinja::Dict variables = small_context(budget);
  jinja::RenderOptions options;
  options.now = {2026, 1, 2, 3, 4, 5};
  options.limits.steps = 5'000; // few, since most inputs that loop at all loop for as long as they may
  options.limits.bytes = 1 << 18;
  try {
    const jinja::Template source(std::string_view(reinterpret_cast<const char*>(data), size));
    const jinja::Text text = source.render(variables, options);
    std::size_t end = 0;
    for (const jinja::ByteRange& range : text.marks()) {
      fuzz::expect(range.begin < range.end && (end == 0 || range.begin > end));
      end = range.end;
    }
    fuzz::expect(end <= text.size());
  } catch (const jinja::TemplateError& error) {
    fuzz::expect(error.line >= 1 && std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
