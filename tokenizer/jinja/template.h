// Jinja as chat templates use it, with Python's semantics: what Hugging Face's apply_chat_template runs.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/value.h"

namespace kern::jinja {

/// What strftime_now() answers for.
struct DateTime {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};
DateTime local_time();

struct RenderOptions {
  DateTime now;
  Limits limits;
};

/// A parsed template. Immutable; any number of renderings may go on at once.
class Template {
public:
  /// Throws TemplateError.
  explicit Template(std::string_view source);

  /// The text, which still knows what of it came from marked texts of `variables`. Names not among them are undefined.
  /// Throws TemplateError for what the template itself raises, too.
  Text render(const Dict& variables, const RenderOptions& options) const;

private:
  Body body_;
};

} // namespace kern::jinja
