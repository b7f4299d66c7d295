// Models found by name in the places where tools keep them.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <filesystem>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

namespace fs = std::filesystem;

const std::string digest(64, 'a');

/// A home with the caches of other tools, and kern told to live there.
class Home {
public:
  Home() {
    model_ = chain_model_bytes(answer_model({"ok"}));
    options_.environment = {{"HOME", path("")}, {"HF_HOME", ""}, {"HF_HUB_CACHE", ""}, {"OLLAMA_MODELS", ""}};
  }

  std::string path(const std::string& name) const { return models_.path(name); }
  std::string text() const { return {reinterpret_cast<const char*>(model_.data()), model_.size()}; }
  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    static_cast<void>(models_.add_bytes(bytes, name));
  }
  void model(const std::string& name) const { write(name, text()); }
  /// As Hugging Face's cache has it: a snapshot is a link to a blob.
  void snapshot(const std::string& repository, const std::string& commit, const std::string& file) const {
    const std::string blob = "blobs-of-" + repository + "/" + file;
    model(hub + blob);
    const fs::path link = path(hub + repository + "/snapshots/" + commit + "/" + file);
    fs::create_directories(link.parent_path());
    fs::create_symlink(path(hub + blob), link);
  }
  void manifest(const std::string& name, const std::string& blob) const {
    write(".ollama/models/manifests/" + name,
          "{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.license\", \"digest\": \"sha256:" +
              std::string(64, 'b') + "\"}, {\"mediaType\": \"application/vnd.ollama.image.model\", \"digest\": \"" +
              blob + "\"}]}");
  }
  void set(const std::string& name, const std::string& value) { options_.environment.push_back({name, value}); }

  ProcessResult run(const std::string& name) const { return kern({"run", "-q", "-m", name, "hi"}, options_); }
  nlohmann::json list(const Words& extra = {}) const {
    Words arguments{"list", "--json"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    return nlohmann::json::parse(kern(arguments, options_).out);
  }
  Words names(const Words& extra = {}) const {
    Words all;
    for (const auto& model : list(extra)) all.push_back(model["name"]);
    return all;
  }
  const ProcessOptions& options() const { return options_; }

  static constexpr const char* hub = ".cache/huggingface/hub/";

private:
  Models models_;
  std::vector<std::byte> model_;
  ProcessOptions options_;
};

TEST_CASE("-m finds a model by name where other tools keep theirs") {
  Home home;
  home.snapshot("models--me--Small-GGUF", "c0ffee", "Small-Q4_K_M.gguf");
  home.snapshot("models--me--Small-GGUF", "c0ffee", "Small-Q8_0.gguf");
  home.snapshot("models--you--Other-GGUF", "1", "other-f16.gguf");
  home.model(".lmstudio/models/them/Studio-GGUF/studio-Q4_0.gguf");
  home.model(".ollama/models/blobs/sha256-" + digest);
  home.manifest("registry.ollama.ai/library/tiny/latest", "sha256:" + digest);
  home.model("mine/deep/own.gguf");
  home.set("KERN_MODELS", ":" + home.path("mine") + ":/nowhere");
  CHECK(home.names() == Words{"deep/own", "me/Small-GGUF/Small-Q4_K_M", "me/Small-GGUF/Small-Q8_0",
                              "them/Studio-GGUF/studio-Q4_0", "tiny:latest", "you/Other-GGUF/other-f16"});
  for (const char* name :
       {"own", "own.gguf", "deep/own", "me/Small-GGUF:Q8_0", "small-gguf:q4_k_m", "Small-Q4_K_M",
        "me/Small-GGUF/Small-Q8_0", "you/Other-GGUF", "other", "studio", "them/Studio-GGUF", "tiny", "tiny:latest"}) {
    const auto result = home.run(name);
    CHECK_MESSAGE(result.out == "ok\n", (name + std::string(": ") + result.err));
  }
  const auto both = home.run("small-gguf");
  CHECK(both.code == 3);
  CHECK(is_one_line(both.err));
  CHECK(contains(both.err, "me/Small-GGUF/Small-Q4_K_M, me/Small-GGUF/Small-Q8_0"));
  const auto none = home.run("nothing-of-this-name");
  CHECK(none.code == 3);
  CHECK(is_one_line(none.err));
  CHECK(contains(none.err, "kern list"));
  // A quantization is a word of the name, not a part of one.
  CHECK(home.run("me/Small-GGUF:Q4").code == 3);
  // The same for KERN_MODEL, and a file goes before a name.
  ProcessOptions options = home.options();
  options.environment.push_back({"KERN_MODEL", "tiny"});
  CHECK(kern({"run", "-q", "hi"}, options).out == "ok\n");
  const auto gone = home.run("./own.gguf");
  CHECK(gone.code == 3);
  CHECK(contains(gone.err, "no such file"));
}

TEST_CASE("kern list says what is there") {
  Home home;
  home.model("mine/a.gguf");
  home.write("mine/broken.gguf", "GGUF but no more");
  home.write("mine/notes.txt", "no model");
  home.model("mine/mmproj-a.gguf");
  write_vocabulary(answer_model({"ok"}), home.path("mine/ggml-vocab.gguf"));
  fs::create_directories(home.path("mine/again"));
  fs::create_symlink(home.path("mine/a.gguf"), home.path("mine/again/b.gguf"));
  home.set("KERN_MODELS", home.path("mine"));
  const auto list = home.list();
  REQUIRE(list.size() == 2);
  CHECK((list[0]["name"] == "a" || list[0]["name"] == "again/b")); // one file, whichever is met first
  CHECK(list[0]["bytes"] == home.text().size());
  CHECK(list[0]["family"] == "llama");
  CHECK(list[0]["format"] == "F32");
  CHECK(list[0]["source"] == "KERN_MODELS");
  CHECK_FALSE(list[0].contains("problem"));
  CHECK(list[1]["name"] == "broken");
  CHECK(contains(list[1]["problem"].get<std::string>(), "broken.gguf"));
  const auto table = kern({"list"}, home.options());
  CHECK(table.code == 0);
  CHECK(table.out.starts_with("NAME"));
  CHECK(contains(table.out, "damaged"));
  CHECK(contains(table.out, "KiB  llama   F32"));
  CHECK(home.names({"BROKEN"}) == Words{"broken"});
  CHECK(contains(kern({"list", "--names"}, home.options()).out, "ggml-vocab\n")); // not looked into
  const auto nothing = kern({"list", "no-such-model"}, home.options());
  CHECK(nothing.code == 0);
  CHECK(nothing.out.empty());
}

TEST_CASE("a split model is one model") {
  Home home;
  for (const char* part : {"big-00001-of-00002.gguf", "big-00002-of-00002.gguf"})
    home.model(std::string("mine/") + part);
  home.set("KERN_MODELS", home.path("mine"));
  CHECK(home.names() == Words{"big"});
}

TEST_CASE("the places can be named by the variables of their tools") {
  Home home;
  home.model("hf/hub/models--a--B/snapshots/1/b.gguf");
  home.set("HF_HOME", home.path("hf"));
  CHECK(home.names() == Words{"a/B/b"});
  home.model("cache/models--c--D/snapshots/1/d.gguf");
  home.set("HF_HUB_CACHE", home.path("cache"));
  CHECK(home.names() == Words{"c/D/d"});
  home.model("store/blobs/sha256-" + digest);
  home.write("store/manifests/example.org/team/model/v2",
             "{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.model\", \"digest\": \"sha256:" + digest +
                 "\"}]}");
  home.set("OLLAMA_MODELS", home.path("store"));
  CHECK(home.names() == Words{"c/D/d", "example.org/team/model:v2"});
}

TEST_CASE("what lies in a store is not trusted") {
  Home home;
  home.model("secret.bin");
  const std::string library = "registry.ollama.ai/library/";
  home.manifest(library + "up/latest", "sha256:../../../../secret.bin");
  home.manifest(library + "long/latest", "sha256:" + digest + "/../x");
  home.manifest(library + "gone/latest", "sha256:" + std::string(64, 'c'));
  int count = 0;
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[1]"), std::string("{\"layers\": 7}"),
        std::string("{\"layers\": [7, null, {\"mediaType\": 3}]}"),
        std::string("{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.model\", \"digest\": 3}]}"),
        std::string("{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.model\"}]}"),
        std::string(2 << 20, ' '), std::string(100000, '[')})
    home.write(".ollama/models/manifests/" + library + "m" + std::to_string(count++) + "/latest", text);
  // Links that lead around, and nowhere.
  const fs::path loop = home.path("mine/a/b");
  fs::create_directories(loop);
  fs::create_directory_symlink(home.path("mine"), loop / "up");
  fs::create_symlink("self.gguf", home.path("mine/self.gguf"));
  fs::create_symlink(home.path("none.gguf"), home.path("mine/dangling.gguf"));
  home.model("mine/a/fine.gguf");
  std::string deep = "mine";
  for (int i = 0; i < 12; ++i) deep += "/d";
  home.model(deep + "/too-deep.gguf");
  home.write("mine/bad\x1b[2J\nname.gguf", home.text());
  home.model(std::string(Home::hub) + "loose.gguf"); // of no repository
  home.set("KERN_MODELS", home.path("mine"));
  const auto result = kern({"list"}, home.options());
  CHECK(result.code == 0);
  CHECK_FALSE(contains(result.out, "\x1b"));
  CHECK(home.list().size() == 3);
  CHECK(home.names({"fine"}) == Words{"a/fine"});
  CHECK(home.run("up").code == 3);
}

} // namespace
} // namespace kern::test
