#include "convert/special_tokens.h"

#include <algorithm>
#include <set>
#include <system_error>

#include <fmt/format.h>

namespace kern {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t max_template_bytes = std::uint64_t{16} << 20;

/// The roles GGUF has keys for.
struct SpecialRole {
  std::string_view name; // as in bos_token
  std::string_view key;  // as in tokenizer.ggml.bos_token_id; empty: none
  bool may_add;          // whether there is a key that adds it to texts
};
constexpr SpecialRole special_roles[] = {
    {"bos", "bos", true},       {"eos", "eos", true},      {"unk", "unknown", false},
    {"sep", "seperator", true}, {"pad", "padding", false}, {"cls", "", false},
    {"mask", "mask", false},    {"eot", "eot", false},     {"eom", "eom", false},
};

class SpecialTokenReader {
public:
  explicit SpecialTokenReader(const SpecialSources& sources) : sources_(sources) {
    if (sources.tokenizer_config)
      for (const SpecialRole& role : special_roles)
        if (role.name != "eot" && role.name != "eom") read_role(std::string(role.name));
  }

  void read() {
    if (sources_.tokenizer) {
      // Where only the classifier's names are given, they are the ends of texts.
      if (text("bos").empty() && !text("cls").empty()) set_text("bos", text("cls"));
      if (text("eos").empty() && !text("sep").empty()) set_text("eos", text("sep"));
      read_post_processor();
    }
    if (sources_.tokenizer_config) read_texts();
    for (const SpecialRole& role : special_roles)
      if (role.name != "eot" && role.name != "eom") read_config_id(role);
  }

  void write(Keys& keys) const {
    for (const SpecialRole& role : special_roles) {
      const std::string name(role.name);
      if (const auto id = ids_.find(name); id != ids_.end() && !role.key.empty())
        keys.set(fmt::format("tokenizer.ggml.{}_token_id", role.key), static_cast<std::uint32_t>(id->second));
      if (const auto add = adds_.find(name); add != adds_.end() && role.may_add)
        keys.set(fmt::format("tokenizer.ggml.add_{}_token", name), add->second);
    }
  }

private:
  void read_role(const std::string& role) {
    const std::string key = role + "_token";
    if (const auto text = special_text(*sources_.tokenizer_config, key)) set_text(role, *text);
    if (texts_.contains(role) && sources_.tokenizer_config->find(key)->is_object()) objects_.insert(role);
  }

  void set_text(const std::string& role, const std::string& text) {
    texts_[role] = text;
    objects_.erase(role);
  }

  /// Whether a role has this text. The converter compares strings only, so that no object is the same as anything.
  bool is(const std::string& role, const std::string& value) const {
    return !objects_.contains(role) && !value.empty() && text(role) == value;
  }

  std::string text(const std::string& role) const {
    const auto found = texts_.find(role);
    return found == texts_.end() ? "" : found->second;
  }

  void read_post_processor() {
    const auto post = sources_.tokenizer->object("post_processor");
    if (!post) return;
    std::vector<JsonObject> steps = post->objects("processors");
    if (!post->has("processors")) steps.push_back(*post);
    for (const JsonObject& step : steps) {
      const std::string type = step.text("type").value_or("");
      if (type == "ByteLevel") {
        adds_.emplace("bos", false);
        adds_.emplace("eos", false);
      } else if (type == "TemplateProcessing") {
        read_template(step);
      } else if (type == "RobertaProcessing") {
        step.fail("type", "found 'RobertaProcessing', expected TemplateProcessing or ByteLevel; kern doesn't know this "
                          "tokenizer");
      }
    }
  }

  /// The token of a part like {"SpecialToken": {"id": "<s>"}}; empty for a sequence.
  static std::string special_of(const JsonObject& part) {
    const auto special = part.object("SpecialToken");
    return special ? special->text("id").value_or("") : "";
  }

  void read_template(const JsonObject& step) {
    const std::vector<JsonObject> single = step.objects("single");
    std::string first;
    std::string last;
    if (single.size() > 1) {
      first = special_of(single.front());
      last = special_of(single.back());
      if (!first.empty()) read_first(first);
      if (!last.empty()) read_last(last);
    }
    read_pair(step.objects("pair"), first, last);
  }

  void read_first(const std::string& first) {
    if (!sources_.tokenizer_config) set_text("bos", first);
    else if (!is("bos", first) && !is("cls", first)) {
      if (text("bos").empty()) set_text("bos", first);
      if (text("cls").empty()) set_text("cls", first);
    }
    adds_["bos"] = is("bos", first) || is("cls", first);
  }

  void read_last(const std::string& last) {
    if (sources_.tokenizer_config && !is("eos", last)) {
      // What was said to end texts ends turns or messages.
      const std::string other = !texts_.contains("eot") ? "eot" : !texts_.contains("eom") ? "eom" : "";
      if (!other.empty()) set_text(other, text("eos"));
    }
    set_text("eos", last);
    adds_["eos"] = true;
  }

  /// A [separator] [end] B
  void read_pair(std::vector<JsonObject> pair, const std::string& first, const std::string& last) {
    if (!first.empty() && !pair.empty() && special_of(pair.front()) == first) pair.erase(pair.begin());
    if (!last.empty() && !pair.empty() && special_of(pair.back()) == last) pair.pop_back();
    const auto sequence = [](const JsonObject& part) {
      const auto object = part.object("Sequence");
      return object ? object->text("id").value_or("") : "";
    };
    if (pair.size() < 3 || sequence(pair.front()) != "A" || sequence(pair.back()) != "B") return;
    const auto separates = [&](const JsonObject& part) {
      const std::string special = special_of(part);
      return is("sep", special) || is("eos", special);
    };
    bool add = separates(pair[1]) && last.empty();
    if (pair.size() == 4 && separates(pair[2])) add = true;
    adds_["sep"] = add;
    if (add && text("sep").empty()) set_text("sep", text("eos"));
  }

  void read_texts() {
    const std::vector<JsonObject> added =
        sources_.tokenizer ? sources_.tokenizer->objects("added_tokens") : std::vector<JsonObject>();
    for (const SpecialRole& role : special_roles) {
      const std::string name(role.name);
      if ((role.name == "eot" || role.name == "eom") && !texts_.contains(name)) continue;
      const auto add = sources_.tokenizer_config->find(fmt::format("add_{}_token", name));
      if (add && add->is_boolean()) adds_.emplace(name, add->get<bool>());
      if (!texts_.contains(name)) continue;
      const auto token =
          std::ranges::find_if(added, [&](const JsonObject& entry) { return entry.text("content") == text(name); });
      if (token == added.end()) continue;
      if (const auto id = token->uint("id")) set_id(name, *id);
    }
  }

  void read_config_id(const SpecialRole& role) {
    const std::string name(role.name);
    const nlohmann::json* id = sources_.config->find(name + "_token_id");
    if (id && id->is_number_unsigned()) set_id(name, id->get<std::uint64_t>());
  }

  void set_id(const std::string& role, std::uint64_t id) {
    if (id < sources_.vocab_size) ids_.emplace(role, id);
  }

  const SpecialSources& sources_;
  std::map<std::string, std::string> texts_; // by role
  std::set<std::string> objects_;            // roles whose text stands in an object
  std::map<std::string, bool> adds_;
  std::map<std::string, std::uint64_t> ids_;
};

struct NamedTemplate {
  std::string name;
  std::string text;
};

/// "default" for a template without a name.
void set_templates(const std::vector<NamedTemplate>& templates, Keys& keys) {
  std::set<std::string> names;
  for (const NamedTemplate& named : templates) {
    std::string name = named.name;
    for (char& c : name)
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) c = '_';
    if (name.empty()) continue;
    if (name == "default") {
      keys.set("tokenizer.chat_template", named.text);
      continue;
    }
    names.insert(name);
    keys.set("tokenizer.chat_template." + name, named.text);
  }
  if (!names.empty()) keys.set("tokenizer.chat_templates", std::vector<std::string>(names.begin(), names.end()));
}

std::vector<NamedTemplate> template_files(const fs::path& folder) {
  std::vector<NamedTemplate> templates;
  std::error_code error;
  if (fs::is_regular_file(folder / "chat_template.jinja", error)) {
    templates.push_back({"default", read_small_file(folder / "chat_template.jinja", max_template_bytes)});
    for (const auto& entry : fs::directory_iterator(folder / "additional_chat_templates", error))
      if (entry.path().extension() == ".jinja")
        templates.push_back({entry.path().stem().string(), read_small_file(entry.path(), max_template_bytes)});
  } else if (fs::is_regular_file(folder / "chat_template.json", error)) {
    const JsonFile file(folder / "chat_template.json");
    if (const auto text = file.top().text("chat_template")) templates.push_back({"default", *text});
  }
  return templates;
}

void convert_templates(const SpecialSources& sources, Keys& keys) {
  if (!sources.tokenizer_config) return;
  const JsonObject& config = *sources.tokenizer_config;
  const nlohmann::json* entry = config.find("chat_template");
  if (!entry) {
    if (!config.json().contains("chat_template")) set_templates(template_files(sources.folder), keys);
    return;
  }
  if (entry->is_string()) return set_templates({{"default", entry->get<std::string>()}}, keys);
  std::vector<NamedTemplate> templates;
  for (const JsonObject& choice : config.objects("chat_template"))
    templates.push_back({choice.require_text("name"), choice.require_text("template")});
  set_templates(templates, keys);
}

} // namespace

std::optional<std::string> special_text(const JsonObject& tokenizer_config, const std::string& key) {
  const nlohmann::json* entry = tokenizer_config.find(key);
  if (!entry) return std::nullopt;
  if (entry->is_string()) return entry->get<std::string>();
  if (entry->is_object()) return tokenizer_config.object(key)->text("content");
  return std::nullopt;
}

void convert_special_tokens(const SpecialSources& sources, Keys& keys) {
  SpecialTokenReader reader(sources);
  reader.read();
  reader.write(keys);
  convert_templates(sources, keys);
}

} // namespace kern
