// A folder whose small files may say anything: configuration, tokenizer, model card. The only way out is kern::Error,
// and a tokenizer that comes of it works. The input is a list of files divided by the byte 0x1E, the first byte of each
// its name: c config.json, t tokenizer.json, k tokenizer_config.json, g generation_config.json, a added_tokens.json, j
// chat_template.jinja, m tokenizer.model, r README.md.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "convert/folder_model.h"
#include "model/error.h"
#include "tests/temporary_folder.h"
#include "tokenizer/tokenizer.h"

namespace {

struct FolderFile {
  char kind;
  const char* name;
};
constexpr FolderFile folder_files[] = {{'c', "config.json"},           {'t', "tokenizer.json"},
                                       {'k', "tokenizer_config.json"}, {'g', "generation_config.json"},
                                       {'a', "added_tokens.json"},     {'j', "chat_template.jinja"},
                                       {'m', "tokenizer.model"},       {'r', "README.md"}};

void write_folder(const std::filesystem::path& folder, std::string_view all) {
  for (const FolderFile& file : folder_files) std::filesystem::remove(folder / file.name);
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\x1E', begin), all.size());
    const std::string_view field = all.substr(begin, end - begin);
    begin = end + 1;
    const auto* file = std::ranges::find(folder_files, field.empty() ? '\0' : field.front(), &FolderFile::kind);
    if (file != std::end(folder_files)) std::ofstream(folder / file->name, std::ios::binary) << field.substr(1);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const kern::test::TemporaryFolder folder;
  write_folder(folder.path(), {reinterpret_cast<const char*>(data), size});
  try {
    const auto model = kern::FolderModel::open(folder.path(), {true, true});
    if (!model.source().tensors.empty() || !model.source().metadata->has("general.architecture")) __builtin_trap();
    if (model.default_output("vocab").parent_path() != folder.path()) __builtin_trap();
    const auto tokenizer = kern::Tokenizer::create(*model.source().metadata);
    const auto tokens = tokenizer->encode("a b1", {});
    tokenizer->decode(tokens, true);
  } catch (const kern::Error&) {
  }
  return 0;
}
