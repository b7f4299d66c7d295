// Which tensor gets which format, tensors in other formats, importance matrices.
#include <cctype>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/quantize_plan.h"
#include "kernels/cpu/memory.h"
#include "model/error.h"
#include "model/gguf_writer.h"
#include "model/importance.h"
#include "model/recode.h"
#include "tests/fixtures.h"
#include "tests/random_blocks.h"
#include "tests/temporary_folder.h"

namespace kern {

namespace {

nlohmann::json read_json(const std::string& name) {
  const auto text = test::read_file(test::data_path(name));
  return nlohmann::json::parse(text.begin(), text.end());
}

/// A file of zeros with the metadata and tensors of a fixture.
std::vector<std::byte> fixture_model(const nlohmann::json& model) {
  GgufWriter writer;
  for (const auto& [key, value] : model.at("metadata").items())
    if (value.is_string()) writer.add(key, value.get<std::string>());
    else if (value.is_number_integer()) writer.add(key, value.get<std::uint32_t>());
    else writer.add(key, value.get<float>());
  static const std::vector<std::byte> zeros(std::size_t{1} << 20);
  for (const auto& tensor : model.at("tensors")) {
    const auto shape = tensor.at(1).get<std::vector<std::uint64_t>>();
    std::uint64_t count = 1;
    for (const std::uint64_t size : shape) count *= size;
    const Format format = shape.size() > 1 ? Format::f16 : Format::f32;
    writer.add_tensor(tensor.at(0).get<std::string>(), format, shape,
                      std::span(zeros).first(count * (shape.size() > 1 ? 2 : 4)));
  }
  return writer.bytes();
}

/// "2Q4_K Q6_K" -> Q4_K, Q4_K, Q6_K
std::vector<std::string> expand_runs(const std::string& text) {
  std::vector<std::string> formats;
  for (std::size_t at = 0; at < text.size();) {
    int count = 0;
    for (; std::isdigit(static_cast<unsigned char>(text[at])); ++at) count = count * 10 + (text[at] - '0');
    const std::size_t end = std::min(text.find(' ', at), text.size());
    formats.insert(formats.end(), static_cast<std::size_t>(std::max(count, 1)), text.substr(at, end - at));
    at = end + 1;
  }
  return formats;
}

/// An importance matrix in llama.cpp's older form.
std::string dat_bytes(const std::vector<std::pair<std::string, std::vector<float>>>& entries, std::int32_t chunks) {
  std::string bytes;
  const auto put = [&](const auto& value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(static_cast<std::int32_t>(entries.size()));
  for (const auto& [name, values] : entries) {
    put(static_cast<std::int32_t>(name.size()));
    bytes += name;
    put(chunks);
    put(static_cast<std::int32_t>(values.size()));
    for (const float value : values) put(value * static_cast<float>(chunks));
  }
  put(chunks);
  put(std::int32_t{4});
  return bytes + "text";
}

std::string write_text(const test::TemporaryFolder& folder, const std::string& name, const std::string& bytes) {
  std::ofstream(folder / name, std::ios::binary) << bytes;
  return (folder / name).string();
}

/// A file with one F32 matrix, or several, of random weights.
std::vector<std::byte> matrix_file(std::uint64_t columns, std::uint64_t rows, std::uint64_t matrices,
                                   const std::function<void(std::vector<float>&)>& change = {}) {
  std::vector<float> weights(columns * rows * matrices);
  test::RandomBits random(4);
  for (float& weight : weights) weight = random.normal();
  if (change) change(weights);
  GgufWriter writer;
  writer.add("general.architecture", "llama");
  writer.add_tensor("blk.0.ffn_up.weight", Format::f32, {columns, rows, matrices}, std::as_bytes(std::span(weights)));
  return writer.bytes();
}

std::vector<std::byte> recoded(const Gguf& gguf, Format format, std::span<const float> importance, int threads) {
  ThreadPool pool(threads);
  Recoder recoder(pool, choose_cpu_kernels(), gguf.name());
  std::vector<std::byte> out;
  recoder.recode(gguf.tensors()[0], format, importance,
                 [&](std::span<const std::byte> part) { out.insert(out.end(), part.begin(), part.end()); });
  return out;
}

} // namespace

TEST_CASE("mixes give every tensor the format llama.cpp gives it") {
  int compared = 0;
  const nlohmann::json models = read_json("quantize/mixes.json");
  for (const auto& [name, model] : models.items()) {
    CAPTURE(name);
    const auto bytes = fixture_model(model);
    const Gguf gguf = Gguf::parse(bytes, "fixture");
    test::TemporaryFolder folder;
    std::optional<Importance> importance;
    if (model.at("importance").get<bool>())
      importance = Importance::read(write_text(folder, "i.dat", dat_bytes({{"other", {1.0f}}}, 1)));
    for (const auto& [mix, runs] : model.at("formats").items()) {
      CAPTURE(mix);
      QuantizeOptions options;
      options.mix = find_mix(mix);
      REQUIRE(options.mix);
      const auto plan = plan_quantization(gguf, options, importance ? &*importance : nullptr);
      const auto expected = expand_runs(runs.get<std::string>());
      std::size_t i = 0;
      for (const PlannedTensor& planned : plan.tensors) {
        if (planned.tensor->rank < 2) continue;
        CAPTURE(planned.tensor->name);
        REQUIRE(i < expected.size());
        CHECK(std::string(find_format(planned.format)->name) == expected[i]);
        ++i;
        ++compared;
      }
      CHECK(i == expected.size());
    }
  }
  CHECK(compared > 10000);
}

TEST_CASE("a tensor's new bytes don't depend on the threads, and importance goes to its own matrix") {
  const auto file = matrix_file(256, 300, 3);
  const Gguf gguf = Gguf::parse(file, "matrices");
  std::vector<float> importance(256 * 3);
  test::RandomBits random(8);
  for (float& value : importance) value = std::fabs(random.normal());
  for (const Format format :
       {Format::q4_k, Format::q8_0, Format::iq4_nl, Format::bf16, Format::iq2_xxs, Format::iq3_s, Format::iq1_m}) {
    const auto one = recoded(gguf, format, importance, 1);
    CHECK(one.size() == bytes_in(gguf.tensors()[0], format));
    CHECK(recoded(gguf, format, importance, 5) == one);
  }
  // The third matrix alone, with the third row of importance.
  const auto all = recoded(gguf, Format::q4_k, importance, 2);
  const auto weights = gguf.tensors()[0].bytes.subspan(2 * 256 * 300 * 4);
  std::vector<std::byte> third(row_bytes(Format::q4_k, 256) * 300);
  choose_cpu_kernels().encode(
      Format::q4_k, {reinterpret_cast<const float*>(weights.data()), importance.data() + 512, 256, 300, third.data()});
  CHECK(std::equal(third.begin(), third.end(), all.end() - static_cast<std::ptrdiff_t>(third.size())));
  CHECK(recoded(gguf, Format::f32, {}, 2).size() == gguf.tensors()[0].bytes.size());
}

TEST_CASE("weights that aren't numbers are refused by tensor and row") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const auto file = matrix_file(256, 40, 1, [&](std::vector<float>& weights) {
      weights[256 * 33 + 7] = bad;
      weights[256 * 17 + 255] = bad;
    });
    const Gguf gguf = Gguf::parse(file, "damaged");
    for (const Format format : {Format::q4_k, Format::f16, Format::iq2_xs})
      CHECK_THROWS_WITH_AS(recoded(gguf, format, {}, 3),
                           doctest::Contains("damaged: tensor blk.0.ffn_up.weight, row 17"), Error);
  }
}

TEST_CASE("importance matrices are read in both forms") {
  test::TemporaryFolder folder;
  const auto dat = Importance::read(
      write_text(folder, "a.dat", dat_bytes({{"blk.0.ffn_up.weight", {1.0f, 2.0f, 3.0f}}, {"b", {5.0f}}}, 7)));
  CHECK(dat.size() == 2);
  CHECK(dat.chunks() == 7);
  CHECK(dat.datasets() == std::vector<std::string>{"text"});
  const auto values = dat.find("blk.0.ffn_up.weight");
  REQUIRE(values.size() == 3);
  CHECK(values[2] == doctest::Approx(3.0f));
  CHECK(dat.find("nothing").empty());

  GgufWriter writer;
  const std::vector<float> sums = {2.0f, 4.0f, 9.0f, 9.0f};
  const std::vector<float> counts = {2.0f, 0.0f};
  writer.add("general.type", "imatrix");
  writer.add("imatrix.datasets", std::vector<std::string>{"a", "b"});
  writer.add("imatrix.chunk_count", std::uint32_t{3});
  writer.add_tensor("m.in_sum2", Format::f32, {2, 2}, std::as_bytes(std::span(sums)));
  writer.add_tensor("m.counts", Format::f32, {1, 2}, std::as_bytes(std::span(counts)));
  writer.write(folder / "i.gguf");
  const auto gguf = Importance::read(folder / "i.gguf");
  const auto means = gguf.find("m");
  CHECK(std::vector<float>(means.begin(), means.end()) == std::vector<float>{1.0f, 2.0f, 1.0f, 1.0f});
  CHECK(gguf.chunks() == 3);
  CHECK(gguf.datasets().size() == 2);
}

TEST_CASE("damaged importance matrices are refused") {
  test::TemporaryFolder folder;
  const std::string good = dat_bytes({{"blk.0.ffn_up.weight", {1.0f, 2.0f}}}, 2);
  for (std::size_t length = 0; length + 12 < good.size(); ++length) // the last 12 bytes are optional
    CHECK_THROWS_AS(Importance::read(write_text(folder, "cut.dat", good.substr(0, length))), Error);
  std::string bad = good;
  bad[0] = '\xff';
  CHECK_THROWS_AS(Importance::read(write_text(folder, "bad.dat", bad)), Error);
  CHECK_THROWS_WITH_AS(Importance::read(write_text(folder, "nan.dat", dat_bytes({{"m", {1.0f, std::nanf("")}}}, 1))),
                       doctest::Contains("entry m: found nan for column 1"), Error);
  CHECK_THROWS_WITH_AS(Importance::read(write_text(folder, "less.dat", dat_bytes({{"m", {-1.0f}}}, 1))),
                       doctest::Contains("expected a finite number of at least 0"), Error);
  const auto other = Importance::read(write_text(folder, "other.dat", dat_bytes({{"blk.0.ffn_up.weight", {1.0f}}}, 1)));
  const auto file = matrix_file(256, 4, 1);
  const Gguf gguf = Gguf::parse(file, "matrices");
  CHECK_THROWS_WITH_AS(other.find(gguf.tensors()[0]), doctest::Contains("expected 256 for 256 columns"), Error);
}

TEST_CASE("rows that fit no block fall back") {
  CHECK(fall_back(Format::q4_k, 512) == Format::q4_k);
  CHECK(fall_back(Format::q4_k, 96) == Format::q5_0);
  CHECK(fall_back(Format::q5_k, 96) == Format::q5_1);
  CHECK(fall_back(Format::q6_k, 96) == Format::q8_0);
  CHECK(fall_back(Format::q2_k, 96) == Format::q4_0);
  CHECK(fall_back(Format::iq4_xs, 96) == Format::iq4_nl);
  CHECK(fall_back(Format::q4_k, 80) == Format::f16);
  CHECK(fall_back(Format::q8_0, 33) == Format::f16);
}

TEST_CASE("a result is named after its source and type") {
  const auto named = [](const char* in, const char* mix) { return default_output(in, find_mix(mix)->name); };
  CHECK(named("a/model-F16.gguf", "q4_k_m") == "a/model-Q4_K_M.gguf");
  CHECK(named("model.bf16.gguf", "Q8_0") == "model-Q8_0.gguf");
  CHECK(named("tiny-llama.gguf", "Q4_K") == "tiny-llama-Q4_K_M.gguf");
  CHECK(named("/x/model", "F16") == "/x/model-F16.gguf");
}

} // namespace kern
