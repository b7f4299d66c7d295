// Model files that aren't what they should be.
#include <cstring>

#include <doctest/doctest.h>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

using namespace std::chrono_literals;

/// Code 3, one line with the file's name and `named` in it, nothing on standard output, and no long wait.
void check_refused(const ProcessResult& result, const std::string& path, const std::string& named) {
  CAPTURE(path);
  CAPTURE(named);
  CHECK(result.code == 3);
  CHECK(result.out.empty());
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, path));
  CHECK(contains(result.err, named));
  CHECK(result.duration < 10s);
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Little-endian bytes of numbers, and texts with their length before them.
class Bytes {
public:
  Bytes& u32(std::uint32_t value) { return raw(&value, sizeof(value)); }
  Bytes& u64(std::uint64_t value) { return raw(&value, sizeof(value)); }
  Bytes& text(const std::string& value) { return u64(value.size()).raw(value.data(), value.size()); }
  Bytes& header(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
    return raw("GGUF", 4).u32(version).u64(tensors).u64(keys);
  }
  const std::string& str() const { return bytes_; }

private:
  Bytes& raw(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    return *this;
  }
  std::string bytes_;
};

constexpr std::uint32_t string_type = 8;
constexpr std::uint32_t array_type = 9;
constexpr std::uint64_t huge = std::uint64_t{1} << 60;

TEST_CASE("what is no model file is refused with code 3") {
  const Models models;
  const std::string missing = models.path("missing.gguf");
  const std::string folder = std::filesystem::path(missing).parent_path().string();
  const std::string empty = models.add_bytes("", "empty.gguf");
  const std::string other = models.add_bytes("PK\x03\x04 this is another kind of file altogether", "other.gguf");
  for (const char* command : {"run", "info", "tokenize"}) {
    const auto with = [&](const std::string& path) {
      Words arguments{command, "-m", path};
      if (std::string(command) != "info") arguments.push_back("hi");
      return kern(arguments);
    };
    check_refused(with(missing), missing, "no such file");
    check_refused(with(folder), folder, "regular file");
    check_refused(with("/dev/null"), "/dev/null", "regular file");
    check_refused(with(empty), empty, "empty");
    check_refused(with(other), other, "GGUF");
  }
}

TEST_CASE("a file cut short anywhere is refused, and says where") {
  const Models models;
  const std::string whole = text_of(chain_model_bytes(answer_model({"x"})));
  for (const double share : {0.00005, 0.0003, 0.001, 0.01, 0.03, 0.1, 0.5, 0.9, 0.99999}) {
    const auto size = static_cast<std::size_t>(static_cast<double>(whole.size()) * share);
    const std::string path = models.add_bytes(whole.substr(0, std::max<std::size_t>(size, 3)), "cut.gguf");
    check_refused(kern({"run", "-m", path, "hi"}), path, "");
  }
  const std::string path = models.add_bytes(whole, "whole.gguf");
  CHECK(answer(path, {"hi"}).out == "x\n");
}

TEST_CASE("a model kern can't run is refused by name") {
  const Models models;
  std::string bytes = text_of(chain_model_bytes(answer_model({"x"})));
  const std::size_t at = bytes.find("llama");
  bytes.replace(at, 5, "lynx2");
  const std::string path = models.add_bytes(bytes, "lynx.gguf");
  check_refused(kern({"run", "-m", path, "hi"}), path, "lynx2");
}

TEST_CASE("a chat template that makes no sense is refused, and --raw is the way around it") {
  const Models models;
  ChainModel model = answer_model({"x"});
  model.chat_template = "{% for message in messages %}\n{{ message.content }";
  const std::string path = models.add(model);
  check_refused(kern({"run", "-m", path, "hi"}), path, "tokenizer.chat_template");
  CHECK(answer(path, {"--raw", "hi"}).out == "x\n");
}

TEST_CASE("a vocabulary is no model") {
  const Models models;
  const std::string path = models.path("vocabulary.gguf");
  write_vocabulary(answer_model({"x"}), path);
  check_refused(kern({"run", "-m", path, "hi"}), path, "token_embd.weight");
  check_refused(kern({"info", "-m", path, "--plan"}), path, "no tensors");
  CHECK(kern({"info", path}).code == 0);
  CHECK(kern({"tokenize", "-m", path, "--ids", "a"}).code == 0);
}

TEST_CASE("a vocabulary of another size than the table is refused") {
  const Models models;
  const ChainModel small = answer_model({"x"});
  std::string bytes = text_of(chain_model_bytes(small));
  // The directory says how many rows the table has: after its name come the rank and the columns.
  const std::string table = "token_embd.weight";
  const std::size_t at = bytes.find(table) + table.size() + 4 + 8;
  std::uint64_t rows = 0;
  std::memcpy(&rows, &bytes[at], sizeof(rows));
  REQUIRE(rows == small.tokens.size());
  --rows;
  std::memcpy(&bytes[at], &rows, sizeof(rows));
  const std::string path = models.add_bytes(bytes, "odd.gguf");
  check_refused(kern({"run", "-m", path, "hi"}), path, "tokenizer.ggml.tokens");
}

TEST_CASE("headers that claim what isn't there are refused without taking memory for it") {
  const Models models;
  const std::pair<const char*, std::string> cases[] = {
      {"tensors", Bytes().header(huge, 0).str()},
      {"keys", Bytes().header(0, huge).str()},
      {"both", Bytes().header(huge, huge).u64(huge).str()},
      {"key length", Bytes().header(0, 1).u64(huge).u32(4).u64(0).str()},
      {"string length", Bytes().header(0, 1).text("a").u32(string_type).u64(huge).str()},
      {"string length of all ones", Bytes().header(0, 1).text("a").u32(string_type).u64(~std::uint64_t{0}).str()},
      {"strings", Bytes().header(0, 1).text("a").u32(array_type).u32(string_type).u64(huge).u64(0).str()},
      {"numbers", Bytes().header(0, 1).text("a").u32(array_type).u32(10).u64(huge).u64(0).str()},
      {"arrays", Bytes().header(0, 1).text("a").u32(array_type).u32(array_type).u64(huge).u32(0).u64(0).str()},
      {"dimension", Bytes().header(1, 0).text("t").u32(1).u64(huge).u32(0).u64(0).str()},
      {"dimensions", Bytes().header(1, 0).text("t").u32(2).u64(huge).u64(huge).u32(0).u64(0).str()},
      {"rank", Bytes().header(1, 0).text("t").u32(0xFFFFFFFFu).u64(32).u32(0).u64(0).str()},
      {"offset", Bytes().header(1, 0).text("t").u32(1).u64(32).u32(0).u64(huge).str()},
      {"offset that wraps around", Bytes().header(1, 0).text("t").u32(1).u64(32).u32(0).u64(~std::uint64_t{31}).str()},
      {"version", Bytes().header(0, 0, 99).u64(0).str()},
  };
  ProcessOptions options;
  options.address_space = sanitized ? 0 : std::size_t{512} << 20;
  for (const auto& liar : cases) {
    CAPTURE(liar.first);
    // Room for counts that would be plausible in a larger file.
    const std::string path = models.add_bytes(liar.second + std::string(100, '\0'), "liar.gguf");
    check_refused(kern({"run", "-t", "1", "-m", path, "hi"}, options), path, "");
    check_refused(kern({"info", "-m", path}, options), path, "");
  }
}

TEST_CASE("empty nested arrays without end are read in the time the file takes") {
  const Models models;
  Bytes bytes;
  bytes.header(0, 1).text("a").u32(array_type).u32(array_type).u64(100000);
  for (int i = 0; i < 100000; ++i) bytes.u32(array_type).u64(0);
  const std::string path = models.add_bytes(bytes.str(), "nested.gguf");
  const auto result = kern({"info", path, "--metadata"});
  CHECK(result.code == 0);
  CHECK(contains(result.out, "array x 100000"));
  CHECK(result.duration < 10s);
}

TEST_CASE("a model file that is cut while it is read ends in one line with code 3") {
  const Models models;
  ChainModel endless = answer_model({"round ", "and "}, Spelling::byte_level, AnswerEnd::again);
  endless.context_length = 1 << 20;
  const std::string path = models.add(endless);
  Process process(KERN_EXECUTABLE, {"run", "-m", path, "-c", "400000", "hi"});
  CHECK(process.read_until([](const ProcessResult& so_far) { return so_far.out.size() > 100; }));
  // The next token looks its row up in a page that is gone.
  std::filesystem::resize_file(path, 0);
  const auto result = process.finish();
  CHECK(result.code == 3);
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, path));
  CHECK(contains(result.err, "shorter"));
}

} // namespace
} // namespace kern::test
