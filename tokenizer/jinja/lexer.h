// Template source -> texts and the words of tags.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/budget.h"

namespace kern::jinja {

struct Word {
  enum class Kind {
    data,        // text between tags
    block_begin, // {%
    block_end,   // %}
    print_begin, // {{
    print_end,   // }}
    name,
    text, // a string literal, its escapes resolved
    integer,
    floating,
    symbol, // operators, brackets, punctuation
    end,
  };
  Kind kind = Kind::end;
  std::string text; // of what kind it is; numbers as spelled, without _
  int line = 1;
};

/// The words of a template, `end` last, with white space around tags trimmed as Jinja does it with trim_blocks and
/// lstrip_blocks, the settings of Hugging Face's apply_chat_template. Throws TemplateError.
std::vector<Word> split_template(std::string_view source);

} // namespace kern::jinja
