// GGUF: what the writer writes the reader reads, and whatever else a file may hold gets one clear line.
#include <cstring>
#include <fstream>
#include <functional>
#include <random>

#include <doctest/doctest.h>

#include <unistd.h>

#include "model/architectures/registry.h"
#include "model/error.h"
#include "model/gguf.h"
#include "model/gguf_writer.h"
#include "tests/temporary_folder.h"

namespace kern {

namespace {

using Bytes = std::vector<std::byte>;

/// A file by hand, field by field.
struct Raw {
  Bytes bytes;

  template <class T> Raw& put(T value) {
    const auto part = std::as_bytes(std::span(&value, 1));
    bytes.insert(bytes.end(), part.begin(), part.end());
    return *this;
  }
  Raw& text(std::string_view value) {
    put(static_cast<std::uint64_t>(value.size()));
    const auto part = std::as_bytes(std::span(value));
    bytes.insert(bytes.end(), part.begin(), part.end());
    return *this;
  }
  Raw& header(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
    return put(std::uint32_t{0x46554747}).put(version).put(tensors).put(keys);
  }
  Raw& key(std::string_view name, std::uint32_t type) { return text(name).put(type); }
  Raw& tensor(std::string_view name, std::vector<std::uint64_t> shape, std::uint32_t type, std::uint64_t offset) {
    text(name).put(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t size : shape) put(size);
    return put(type).put(offset);
  }
  Raw& pad(std::size_t alignment = 32) {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  Raw& data(std::size_t count) {
    bytes.resize(bytes.size() + count);
    return *this;
  }
};

Gguf parse(const Bytes& bytes) { return Gguf::parse(bytes, "test.gguf"); }

/// The message of the refusal.
std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::model);
    return error.what();
  }
  return "(accepted)";
}

std::string refusal(const Raw& raw) {
  return refusal([&] { parse(raw.bytes); });
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

const std::vector<float> four = {1.0f, -2.0f, 3.5f, 0.25f};

GgufWriter example() {
  GgufWriter writer;
  writer.add("a.u32", std::uint32_t{7});
  writer.add("a.i32", std::int32_t{-7});
  writer.add("a.u64", std::uint64_t{1} << 40);
  writer.add("a.f32", 0.5f);
  writer.add("a.bool", true);
  writer.add("a.string", "text with \xE2\x96\x81");
  writer.add("a.strings", std::vector<std::string>{"one", "", "three"});
  writer.add("a.floats", std::vector<float>{1.5f, -2.0f});
  writer.add("a.ints", std::vector<std::int32_t>{1, -1});
  const auto data = std::as_bytes(std::span(four));
  writer.add_tensor("x", Format::f32, {4}, data);
  writer.add_tensor("y", Format::f32, {2, 2}, data);
  return writer;
}

} // namespace

TEST_CASE("what the writer writes the reader reads") {
  const Bytes bytes = example().bytes();
  const Gguf gguf = parse(bytes);
  const Metadata& m = gguf.metadata();
  CHECK(gguf.version() == 3);
  CHECK(m.get_uint("a.u32") == 7);
  CHECK(std::get<std::int64_t>(m.find("a.i32")->data) == -7);
  CHECK(m.get_uint("a.u64") == std::uint64_t{1} << 40);
  CHECK(m.get_float("a.f32") == 0.5);
  CHECK(m.get_bool_or("a.bool", false));
  CHECK(m.get_string("a.string") == "text with \xE2\x96\x81");
  CHECK(m.get_strings("a.strings") == std::vector<std::string_view>{"one", "", "three"});
  CHECK(m.get_floats("a.floats") == std::vector<float>{1.5f, -2.0f});
  CHECK(m.get_ints("a.ints") == std::vector<std::int64_t>{1, -1});
  CHECK(m.get_uint_or("absent", 3) == 3);
  REQUIRE(gguf.tensors().size() == 2);
  CHECK(gguf.tensors()[0].name == "x");
  CHECK(gguf.find("y")->rows() == 2);
  CHECK(gguf.find("y")->offset - gguf.find("x")->offset == 32); // contiguous, aligned
  CHECK(std::memcmp(gguf.find("y")->bytes.data(), four.data(), 16) == 0);
  CHECK(gguf.find("z") == nullptr);

  GgufWriter copy; // values as another file holds them
  for (const auto& [key, value] : m.values()) copy.add(key, value);
  const Bytes again = copy.bytes();
  const Gguf second = parse(again);
  CHECK(second.metadata().values().size() == m.values().size());
  for (const auto& [key, value] : m.values()) {
    CHECK(second.metadata().find(key)->type == value.type);
    CHECK(describe(*second.metadata().find(key)) == describe(value));
  }
}

TEST_CASE("version 2, every scalar type, own alignment") {
  Raw raw;
  raw.header(1, 12, 2);
  raw.key("u8", 0).put(std::uint8_t{200}).key("i8", 1).put(std::int8_t{-3}).key("u16", 2).put(std::uint16_t{60000});
  raw.key("i16", 3).put(std::int16_t{-300}).key("u32", 4).put(std::uint32_t{5}).key("i32", 5).put(std::int32_t{-5});
  raw.key("f32", 6)
      .put(1.25f)
      .key("bool", 7)
      .put(std::uint8_t{1})
      .key("u64", 10)
      .put(std::uint64_t{9})
      .key("i64", 11)
      .put(std::int64_t{-9});
  raw.key("f64", 12).put(2.5).key("general.alignment", 4).put(std::uint32_t{64});
  raw.tensor("t", {4}, 0, 0).pad(64).data(16);
  const Gguf gguf = parse(raw.bytes);
  CHECK(gguf.version() == 2);
  CHECK(gguf.metadata().get_uint("u8") == 200);
  CHECK(gguf.metadata().get_uint("u16") == 60000);
  CHECK(gguf.metadata().get_float("f64") == 2.5);
  CHECK(gguf.find("t")->offset % 64 == 0);
  CHECK(contains(refusal([&] { gguf.metadata().get_uint("i8"); }), "found i8 -3, expected an integer of at least 0"));
  CHECK(contains(refusal([&] { gguf.metadata().get_string("u8"); }), "key 'u8': found u8 200, expected a string"));
  CHECK(contains(refusal([&] { gguf.metadata().get_uint("u16", 100); }), "found 60000, expected at most 100"));
  CHECK(contains(refusal([&] { gguf.metadata().get_uint("nothing"); }), "key 'nothing': missing"));
  CHECK(contains(refusal([&] { gguf.metadata().get_strings("f32"); }), "expected an array of strings"));
}

TEST_CASE("headers that lie are refused by what they claim, without taking it") {
  const std::uint64_t huge = std::uint64_t{1} << 60;
  CHECK(contains(refusal(Raw().put(std::uint32_t{0x12345678}).put(std::uint64_t{0})), "not a GGUF file"));
  CHECK(contains(refusal(Raw().header(0, 0, 1)), "found GGUF version 1, expected 2 or 3"));
  CHECK(contains(refusal(Raw().header(0, 0, 0x03000000)), "big-endian"));
  CHECK(contains(refusal(Raw().header(huge, 0)), "tensors, but only 0 bytes follow"));
  CHECK(contains(refusal(Raw().header(0, huge)), "keys, but only 0 bytes follow"));
  CHECK(contains(refusal(Raw().header(0, 1).put(huge).data(50)), "needs 1152921504606846976 bytes"));
  CHECK(contains(refusal(Raw().header(0, 1).key("k", 8).put(huge).data(50)),
                 "k needs 1152921504606846976 bytes, but the file ends after 50"));
  CHECK(contains(refusal(Raw().header(0, 1).key("k", 9).put(std::uint32_t{4}).put(huge).data(50)),
                 "claims 1152921504606846976 elements"));
  CHECK(contains(refusal(Raw().header(0, 1).key("k", 9).put(std::uint32_t{8}).put(huge).data(50)),
                 "claims 1152921504606846976 elements of type string"));
  CHECK(contains(refusal(Raw().header(0, 1).key("k", 13).data(50)), "value type 13"));
  CHECK(contains(refusal(Raw().header(0, 2).key("k", 0).put(std::uint8_t{1}).key("k", 0).put(std::uint8_t{1})),
                 "key 'k' stands twice"));
  Raw nested;
  nested.header(0, 1).key("k", 9);
  for (int i = 0; i < 8; ++i) nested.put(std::uint32_t{9}).put(std::uint64_t{1});
  CHECK(contains(refusal(nested.data(100)), "nests arrays"));
}

TEST_CASE("directories that lie are refused by tensor name") {
  const std::uint64_t huge = std::uint64_t{1} << 60;
  const auto with = [](const std::function<void(Raw&)>& fill, std::uint64_t count = 1) {
    Raw raw;
    raw.header(count, 0);
    fill(raw);
    return refusal(raw.pad().data(64));
  };
  CHECK(contains(with([&](Raw& r) { r.tensor("t", {4}, 0, 0); }), "(accepted)"));
  CHECK(contains(with([&](Raw& r) { r.tensor("t", {huge, huge}, 0, 0); }), "tensor 't' has dimension"));
  CHECK(contains(with([&](Raw& r) { r.tensor("t", {0}, 0, 0); }), "tensor 't' has dimension 0 of 0"));
  CHECK(contains(with([&](Raw& r) { r.tensor("t", {1, 1, 1, 1, 1}, 0, 0); }), "tensor 't' has 5 dimensions"));
  CHECK(contains(with([&](Raw& r) { r.tensor("t", {4}, 99, 0); }), "tensor 't' has type 99"));
  CHECK(contains(with([&](Raw& r) { r.tensor("t", {33}, 8, 0); }),
                 "rows of 33 weights, expected a multiple of 32 for Q8_0"));
  CHECK(
      contains(with([&](Raw& r) { r.tensor("t", {4}, 0, 8); }), "lies at 8, expected a multiple of the alignment 32"));
  CHECK(contains(with([&](Raw& r) { r.tensor("t", {4}, 0, 64); }), "tensor 't' needs 16 bytes"));
  CHECK(contains(with([&](Raw& r) { r.tensor("t", {4}, 0, huge); }), "tensor 't' needs 16 bytes"));
  CHECK(contains(with([&](Raw& r) { r.tensor("t", {std::uint64_t{1} << 30}, 0, 0); }), "truncated"));
  CHECK(
      contains(with([&](Raw& r) { r.tensor("t", {4}, 0, 0).tensor("t", {4}, 0, 32); }, 2), "tensor 't' stands twice"));
  CHECK(contains(with([&](Raw& r) { r.tensor("a", {12}, 0, 0).tensor("b", {4}, 0, 32); }, 2),
                 "tensors 'a' (48 bytes at"));
  CHECK(contains(with([&](Raw& r) { r.tensor("", {4}, 0, 0); }), "a tensor's name has 0 bytes"));
  Raw alignment;
  alignment.header(0, 1).key("general.alignment", 4).put(std::uint32_t{48});
  CHECK(contains(refusal(alignment), "expected a power of two"));
}

TEST_CASE("a file cut anywhere is refused or whole, and never read past its end") {
  const Bytes bytes = example().bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Bytes part(bytes.begin(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(size)); // its own allocation: a sanitizer sees its end
    // Only the padding after the last tensor may be missing.
    if (size < bytes.size() - 16) CHECK_MESSAGE(refusal([&] { parse(part); }) != "(accepted)", size);
  }
}

TEST_CASE("bytes changed at random give an error or a file, never anything else") {
  const Bytes original = example().bytes();
  std::mt19937 generator(17);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes = original;
    for (int flips = 1 + static_cast<int>(generator() % 3); flips > 0; --flips)
      bytes[generator() % bytes.size()] = static_cast<std::byte>(generator());
    try {
      const Gguf gguf = parse(bytes);
      for (const auto& [key, value] : gguf.metadata().values()) static_cast<void>(describe(value));
      ++accepted;
    } catch (const Error& error) {
      REQUIRE(error.code() == ExitCode::model);
    }
  }
  CHECK(accepted > 100); // flips within values and data
}

TEST_CASE("split files are opened by their first part") {
  const test::TemporaryFolder folder;
  const auto write = [&](int part, int count, const std::string& name, const char* tensor) {
    GgufWriter writer;
    writer.add("split.no", static_cast<std::uint32_t>(part));
    writer.add("split.count", static_cast<std::uint32_t>(count));
    writer.add("split.tensors.count", std::uint32_t{2});
    writer.add_tensor(tensor, Format::f32, {4}, std::as_bytes(std::span(four)));
    writer.write(folder / name);
  };
  write(0, 2, "m-00001-of-00002.gguf", "a");
  CHECK(
      contains(refusal([&] { Gguf::open(folder / "m-00001-of-00002.gguf"); }), "m-00002-of-00002.gguf: no such file"));
  write(1, 2, "m-00002-of-00002.gguf", "b");
  const Gguf gguf = Gguf::open(folder / "m-00001-of-00002.gguf");
  REQUIRE(gguf.tensors().size() == 2);
  CHECK(std::memcmp(gguf.find("b")->bytes.data(), four.data(), 16) == 0);
  CHECK(contains(refusal([&] { Gguf::open(folder / "m-00002-of-00002.gguf"); }),
                 "open the first, m-00001-of-00002.gguf"));
  write(1, 2, "m-00002-of-00002.gguf", "a");
  CHECK(contains(refusal([&] { Gguf::open(folder / "m-00001-of-00002.gguf"); }), "tensor 'a' stands twice"));
  write(0, 2, "odd.gguf", "a");
  CHECK(contains(refusal([&] { Gguf::open(folder / "odd.gguf"); }), "-00001-of-00002.gguf; rename it"));
}

TEST_CASE("a file is whole or absent") {
  const test::TemporaryFolder folder;
  example().write(folder / "m.gguf");
  CHECK(Gguf::open(folder / "m.gguf").tensors().size() == 2);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) files += entry.is_regular_file();
  CHECK(files == 1); // nothing beside it
  try {
    example().write(folder / "no" / "such" / "m.gguf");
    FAIL("written");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::output);
  }
}

TEST_CASE("files that can't be models are refused by what they are") {
  const test::TemporaryFolder folder;
  CHECK(contains(refusal([&] { Gguf::open(folder / "absent.gguf"); }), "no such file"));
  CHECK(contains(refusal([&] { Gguf::open(folder.path()); }), "not a regular file"));
  std::ofstream(folder / "empty.gguf").close();
  CHECK(contains(refusal([&] { Gguf::open(folder / "empty.gguf"); }), "is empty"));
}

TEST_CASE("architectures and keys that would change the mathematics are refused by name") {
  const auto spec_of = [](const std::function<void(GgufWriter&)>& change) {
    GgufWriter writer;
    const std::vector<float> table(64, 0.0f);
    writer.add("general.architecture", "llama");
    writer.add("llama.block_count", std::uint32_t{2});
    writer.add("llama.context_length", std::uint32_t{64});
    writer.add("llama.embedding_length", std::uint32_t{8});
    writer.add("llama.feed_forward_length", std::uint32_t{16});
    writer.add("llama.attention.head_count", std::uint32_t{2});
    writer.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    change(writer);
    writer.add_tensor("token_embd.weight", Format::f32, {8, 8}, std::as_bytes(std::span(table)));
    const Bytes bytes = writer.bytes();
    return refusal([&] { read_spec(parse(bytes)); });
  };
  CHECK(spec_of([](GgufWriter&) {}) == "(accepted)");
  CHECK(spec_of([](GgufWriter& w) { w.add("llama.expert_count", std::uint32_t{0}); }) == "(accepted)");
  CHECK(contains(spec_of([](GgufWriter& w) { w.add("llama.expert_count", std::uint32_t{8}); }),
                 "key 'llama.expert_count': found 8"));
  CHECK(
      contains(spec_of([](GgufWriter& w) { w.add("llama.attention.new_thing", 1.0f); }), "llama.attention.new_thing"));
  CHECK(contains(spec_of([](GgufWriter& w) { w.add("llama.rope.scaling.type", "longrope"); }),
                 "found 'longrope', expected none, linear or yarn"));
  CHECK(contains(spec_of([](GgufWriter& w) { w.add("llama.rope.dimension_count", std::uint32_t{6}); }),
                 "found 6, expected an even number"));
  CHECK(contains(spec_of([](GgufWriter& w) { w.add("llama.attention.head_count_kv", std::uint32_t{3}); }),
                 "expected a divisor of the 2 heads"));
  CHECK(contains(spec_of([](GgufWriter& w) { w.add("llama.attention.head_count_kv", std::vector<std::int32_t>{1}); }),
                 "expected 2, one a layer"));
  CHECK(contains(spec_of([](GgufWriter& w) { w.add("llama.attention.causal", false); }), "encoders"));
  GgufWriter other;
  other.add("general.architecture", "mamba");
  const Bytes bytes = other.bytes();
  CHECK(contains(refusal([&] { read_spec(parse(bytes)); }), "found 'mamba', expected one of llama, qwen2, qwen3"));
}

} // namespace kern
