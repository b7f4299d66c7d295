#include "convert/vocabulary.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "convert/sentencepiece_model.h"
#include "convert/special_tokens.h"
#include "convert/splitting.h"
#include "convert/token_list.h"
#include "model/error.h"
#include "model/mapped_file.h"

namespace kern {

namespace fs = std::filesystem;

namespace {

constexpr float added_score = -1000.0f; // what converters give tokens beside the tokenizer's own
constexpr float padding_score = -10000.0f;

/// The JSON files of a folder that say something of tokens.
struct TokenFiles {
  explicit TokenFiles(const fs::path& folder) : path(folder), config(folder / "config.json") {
    const auto open = [&](const char* name) {
      std::error_code error;
      return fs::is_regular_file(folder / name, error) ? std::make_unique<JsonFile>(folder / name) : nullptr;
    };
    tokenizer = open("tokenizer.json");
    tokenizer_config = open("tokenizer_config.json");
    special_tokens = open("special_tokens_map.json");
    added_tokens = open("added_tokens.json");
  }

  fs::path path;
  JsonFile config;
  std::unique_ptr<JsonFile> tokenizer;
  std::unique_ptr<JsonFile> tokenizer_config;
  std::unique_ptr<JsonFile> special_tokens;
  std::unique_ptr<JsonFile> added_tokens;
};

std::vector<AddedToken> read_added_tokens(const JsonObject& tokenizer) {
  std::vector<AddedToken> tokens;
  for (const JsonObject& entry : tokenizer.objects("added_tokens"))
    tokens.push_back({entry.require_uint("id"), entry.require_text("content"), entry.flag("special").value_or(false)});
  return tokens;
}

/// added_tokens_decoder of tokenizer_config.json: an object from ids as text.
std::vector<AddedToken> read_decoder_tokens(const TokenFiles& files) {
  std::vector<AddedToken> tokens;
  const auto decoder =
      files.tokenizer_config ? files.tokenizer_config->top().object("added_tokens_decoder") : std::nullopt;
  if (!decoder) return tokens;
  for (const auto& [key, value] : decoder->json().items()) {
    AddedToken token;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token.id);
    if (error != std::errc() || end != key.data() + key.size())
      decoder->fail(key, "found a key that is no token's id; the file is damaged");
    const JsonObject entry(value, decoder->source(), "added_tokens_decoder." + key);
    token.text = entry.require_text("content");
    token.special = entry.flag("special").value_or(false);
    tokens.push_back(std::move(token));
  }
  std::ranges::sort(tokens, {}, &AddedToken::id);
  return tokens;
}

/// Tokens that a file gives a role, or a list of them calls special.
void add_role_texts(const JsonObject& file, std::set<std::string>& texts) {
  for (const char* role : {"bos", "eos", "unk", "sep", "pad", "cls", "mask"})
    if (const auto text = special_text(file, std::string(role) + "_token")) texts.insert(*text);
  for (const char* list : {"additional_special_tokens", "extra_special_tokens"}) {
    const nlohmann::json* entries = file.find(list);
    if (!entries || !entries->is_array()) continue;
    for (const nlohmann::json& entry : *entries)
      if (entry.is_string()) texts.insert(entry.get<std::string>());
      else if (entry.is_object())
        if (const auto text = JsonObject(entry, file.source(), list).text("content")) texts.insert(*text);
  }
}

std::set<std::string> role_texts(const TokenFiles& files) {
  std::set<std::string> texts;
  for (const JsonFile* file : {files.tokenizer_config.get(), files.special_tokens.get()})
    if (file) add_role_texts(file->top(), texts);
  return texts;
}

/// Tokens of tokenizer.json's model by text.
std::map<std::string, std::uint64_t> read_model_tokens(const JsonObject& model) {
  const auto vocab = model.object("vocab");
  if (!vocab) model.fail("vocab", "missing, expected an object of tokens and ids; the file is incomplete");
  std::map<std::string, std::uint64_t> tokens;
  for (const auto& [text, id] : vocab->json().items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX)
      vocab->fail(text, fmt::format("found {}, expected a token's id", describe_json(id)));
    tokens[text] = id.get<std::uint64_t>();
  }
  return tokens;
}

/// "a b" or ["a", "b"]. A space within a part is spelled as byte-level tokenizers spell it.
std::pair<std::string, std::string> read_merge(const JsonObject& model, const nlohmann::json& merge) {
  if (merge.is_string()) {
    const std::string text = merge.get<std::string>();
    const std::size_t space = text.find(' ', 1);
    if (space != std::string::npos) return {text.substr(0, space), text.substr(space + 1)};
  }
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  model.fail("merges", fmt::format("found {}, expected two tokens; the file is damaged", describe_json(merge)));
}

std::vector<std::pair<std::string, std::string>> read_merges(const JsonObject& model) {
  std::vector<std::pair<std::string, std::string>> merges;
  const nlohmann::json* list = model.find("merges");
  if (!list || !list->is_array()) model.fail("merges", "missing, expected an array; the file is incomplete");
  for (const nlohmann::json& merge : *list) merges.push_back(read_merge(model, merge));
  return merges;
}

std::string spell_space(std::string_view part) {
  std::string out;
  for (const char c : part)
    if (c == ' ') out += "\xC4\xA0"; // "Ġ"
    else out += c;
  return out;
}

JsonObject bpe_model(const JsonObject& tokenizer) {
  const auto model = tokenizer.object("model");
  if (!model) tokenizer.fail("model", "missing, expected the tokenizer's model; the file is incomplete");
  const std::string type = model->text("type").value_or("BPE");
  if (type != "BPE")
    model->fail("type", fmt::format("found '{}', expected 'BPE'; kern doesn't know this tokenizer", type));
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model->text(key).value_or("").empty())
      model->fail(key, "found text that is added to words, expected none; kern doesn't know this tokenizer");
  return *model;
}

void check_id(const JsonObject& place, const std::string& text, std::uint64_t id, std::uint64_t size) {
  if (id >= size)
    place.fail("vocab", fmt::format("the token '{}' has the id {}, expected one below config.json's vocab_size, {}",
                                    text.substr(0, 60), id, size));
}

std::uint64_t highest_id(const std::map<std::string, std::uint64_t>& tokens, const std::vector<AddedToken>& added) {
  std::uint64_t highest = 0;
  for (const auto& [text, id] : tokens) highest = std::max(highest, id + 1);
  for (const AddedToken& token : added) highest = std::max(highest, token.id + 1);
  return highest;
}

/// tokenizer.json with tokens of bytes, as in GPT-2.
void convert_byte_bpe(const TokenFiles& files, ModelConfig& config, Keys& keys) {
  const JsonObject& tokenizer = files.tokenizer->top();
  const JsonObject model = bpe_model(tokenizer);
  const SplittingName splitting = recognize_splitting(tokenizer);
  if (!splitting.same_words_first)
    config.warnings.push_back(fmt::format(
        "{}: 'model.ignore_merges' isn't what '{}' means in a GGUF file: words that are tokens may be split "
        "in another way",
        tokenizer.source(), splitting.name));
  const auto tokens = read_model_tokens(model);
  std::vector<AddedToken> added = read_added_tokens(tokenizer);
  for (AddedToken& token : read_decoder_tokens(files))
    if (std::ranges::find(added, token.id, &AddedToken::id) == added.end()) added.push_back(std::move(token));
  const std::set<std::string> roles = role_texts(files);
  for (const std::string& text : roles)
    if (const auto known = tokens.find(text);
        known != tokens.end() && std::ranges::find(added, known->second, &AddedToken::id) == added.end())
      added.push_back({known->second, text, true});
  TokenList list(checked_vocab_size(files.config.top(), config.vocab_size, highest_id(tokens, added)), 0.0f);
  for (const auto& [text, id] : tokens) {
    check_id(model, text, id, list.size());
    list.set(id, text, 0.0f, token_type::normal);
  }
  for (const AddedToken& token : added) {
    check_id(tokenizer, token.text, token.id, list.size());
    const bool control = token.special || roles.contains(token.text) || looks_special(token.text);
    list.set(token.id, control ? token.text : with_spaces(token.text), 0.0f,
             control ? token_type::control : token_type::user_defined);
  }
  std::vector<std::string> merges;
  for (const auto& [left, right] : read_merges(model)) merges.push_back(spell_space(left) + " " + spell_space(right));
  keys.set("tokenizer.ggml.model", "gpt2");
  keys.set("tokenizer.ggml.pre", splitting.name);
  list.write(keys, false);
  if (!merges.empty()) keys.set("tokenizer.ggml.merges", std::move(merges));
}

/// tokenizer.model, and what JSON files add to it.
void convert_sentencepiece(const TokenFiles& files, ModelConfig& config, Keys& keys) {
  const fs::path path = files.path / "tokenizer.model";
  const MappedFile file(path, "a sentencepiece model");
  const SentencePieceModel model = parse_sentencepiece(file.bytes(), path.string());
  if (!model.bpe)
    throw Error(ExitCode::model, fmt::format("{}: found a unigram model, expected byte-pair encoding; GGUF files of "
                                             "this architecture can't say it",
                                             path.string()));
  if (model.has_normalization)
    config.warnings.push_back(fmt::format("{}: characters are normalized before text is split, which a GGUF file of "
                                          "this kind can't say; rare ones become other tokens",
                                          path.string()));
  TokenList list(checked_vocab_size(files.config.top(), config.vocab_size, model.pieces.size() + (1u << 16)),
                 padding_score);
  for (std::size_t id = 0; id < std::min(model.pieces.size(), list.size()); ++id) {
    const SentencePiece& piece = model.pieces[id];
    const bool user_defined = piece.type == token_type::user_defined;
    list.set(id, piece.text, piece.score, user_defined ? token_type::normal : piece.type);
  }
  if (files.added_tokens)
    for (const auto& [text, id] : files.added_tokens->top().json().items())
      if (files.added_tokens->top().uint(text).value_or(list.size()) < list.size())
        list.set(id.get<std::uint64_t>(), text, added_score, token_type::user_defined);
  for (const AddedToken& token : read_decoder_tokens(files)) {
    if (token.id >= list.size()) continue;
    const bool control = token.special || looks_special(token.text);
    list.set(token.id, control ? token.text : with_spaces(token.text), added_score,
             control ? token_type::control : token_type::user_defined);
  }
  if (!model.add_dummy_prefix && !keys.has("tokenizer.ggml.add_space_prefix"))
    keys.set("tokenizer.ggml.add_space_prefix", false);
  keys.set("tokenizer.ggml.model", "llama");
  keys.set("tokenizer.ggml.pre", "default");
  list.write(keys, true);
}

bool is_byte_token(std::string_view text) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
  return text.size() == 6 && text.starts_with("<0x") && hex(text[3]) && hex(text[4]) && text[5] == '>';
}

/// Whether a text begins with a space of the tokenizer's own.
bool prepends_space(const JsonObject& tokenizer) {
  const auto prepends = [](const JsonObject& step) {
    const std::string type = step.text("type").value_or("");
    return type == "Prepend" || (type == "Metaspace" && step.text("prepend_scheme").value_or("always") != "never");
  };
  for (const auto& [key, inner] : {std::pair("normalizer", "normalizers"), {"pre_tokenizer", "pretokenizers"}}) {
    const auto step = tokenizer.object(key);
    if (!step) continue;
    const std::vector<JsonObject> steps = step->objects(inner);
    if (prepends(*step) || std::ranges::any_of(steps, prepends)) return true;
  }
  return false;
}

/// tokenizer.json made from a sentencepiece model of byte-pair encoding. Its merges, in their order, are the scores
/// that such models have; converters that write the same score everywhere make other tokens of texts.
void convert_piece_bpe(const TokenFiles& files, ModelConfig& config, Keys& keys) {
  const JsonObject& tokenizer = files.tokenizer->top();
  const JsonObject model = bpe_model(tokenizer);
  const auto tokens = read_model_tokens(model);
  const std::vector<AddedToken> added = read_added_tokens(tokenizer);
  const std::set<std::string> roles = role_texts(files);
  TokenList list(checked_vocab_size(files.config.top(), config.vocab_size, highest_id(tokens, added)), padding_score);
  std::map<std::string, float> scores;
  const auto merges = read_merges(model);
  for (std::size_t i = 0; i < merges.size(); ++i)
    scores.emplace(merges[i].first + merges[i].second, -static_cast<float>(i));
  for (const auto& [text, id] : tokens) {
    check_id(model, text, id, list.size());
    const auto score = scores.find(text);
    const std::int32_t type = is_byte_token(text)    ? token_type::byte
                              : roles.contains(text) ? token_type::control
                                                     : token_type::normal;
    list.set(id, text, score == scores.end() ? added_score : score->second, type);
  }
  for (const AddedToken& token : added) {
    check_id(tokenizer, token.text, token.id, list.size());
    const bool control = token.special || roles.contains(token.text);
    if (!control && tokens.contains(token.text)) continue;
    list.set(token.id, token.text, added_score, control ? token_type::control : token_type::user_defined);
  }
  if (!prepends_space(tokenizer) && !keys.has("tokenizer.ggml.add_space_prefix"))
    keys.set("tokenizer.ggml.add_space_prefix", false);
  keys.set("tokenizer.ggml.model", "llama");
  keys.set("tokenizer.ggml.pre", "default");
  list.write(keys, true);
}

/// Whether tokenizer.json falls back to tokens of single bytes, as sentencepiece does.
bool has_byte_fallback(const JsonObject& tokenizer) {
  const auto model = tokenizer.object("model");
  const auto decoder = tokenizer.object("decoder");
  return model && model->flag("byte_fallback").value_or(false) && !model->flag("ignore_merges").value_or(false) &&
         decoder && decoder->text("type") == "Sequence";
}

/// Ids of code infilling that Code Llama's files don't name.
void set_code_llama_ids(Keys& keys) {
  constexpr std::pair<const char*, std::uint32_t> ids[] = {
      {"prefix", 32007}, {"suffix", 32008}, {"middle", 32009}, {"eot", 32010}};
  for (const auto& [role, id] : ids) keys.set(fmt::format("tokenizer.ggml.{}_token_id", role), id);
}

} // namespace

void convert_vocabulary(const fs::path& folder, ModelConfig& config, Keys& keys) {
  const TokenFiles files(folder);
  const bool llama = config.family->piece_tokens;
  if (llama && files.tokenizer_config)
    if (const auto prefix = files.tokenizer_config->top().flag("add_prefix_space"))
      keys.set("tokenizer.ggml.add_space_prefix", *prefix);
  if (has_file(folder / "tokenizer.model")) convert_sentencepiece(files, config, keys);
  else if (!files.tokenizer)
    throw Error(ExitCode::model, fmt::format("{}: found neither tokenizer.json nor tokenizer.model, expected one of "
                                             "them; fetch it too, or save the tokenizer with save_pretrained",
                                             folder.string()));
  else if (llama && has_byte_fallback(files.tokenizer->top())) convert_piece_bpe(files, config, keys);
  else convert_byte_bpe(files, config, keys);
  SpecialSources sources;
  sources.tokenizer = files.tokenizer ? &files.tokenizer->top() : nullptr;
  sources.tokenizer_config = files.tokenizer_config ? &files.tokenizer_config->top() : nullptr;
  sources.config = &files.config.top();
  sources.folder = folder;
  sources.vocab_size = config.vocab_size;
  convert_special_tokens(sources, keys);
  if (llama && config.vocab_size == 32016) set_code_llama_ids(keys);
  if (llama && config.vocab_size == 49152) keys.set("tokenizer.ggml.add_bos_token", false);
}

} // namespace kern
