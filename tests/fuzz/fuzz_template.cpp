// Any chat template: it renders, or is told to be beyond what is understood.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/check_text.h"
#include "tests/metadata_builder.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/template_renderer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string source(reinterpret_cast<const char*>(data), size);
  kern::test::MetadataBuilder builder;
  builder.text("tokenizer.chat_template", source);
  const kern::ChatTemplate chat = kern::read_chat_template(builder.metadata());
  kern::fuzz::expect(chat.kind != kern::TemplateKind::none);
  kern::render_template(source, {{"system", "a"}, {"user", "b"}, {"assistant", "c"}, {"user", "d"}}, "<s>");
  return 0;
}
