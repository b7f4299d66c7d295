// Scoring a text, perplexity, divergence from a base, files of logits, importance matrices in the making.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>
#include <optional>

#include "engine/importance_collector.h"
#include "engine/logits_file.h"
#include "engine/perplexity.h"
#include "engine/scorer.h"
#include "kernels/cpu/cpu_backend.h"
#include "model/architectures/registry.h"
#include "model/error.h"
#include "model/importance.h"
#include "tests/fixtures.h"
#include "tests/random_model.h"
#include "tests/temporary_folder.h"

namespace kern {

namespace {

std::vector<std::byte> tiny_model(int layers = 2) {
  test::RandomModel model;
  model.shape = {"tiny", "llama", 64, layers, 4, 2, 16, 96, 300, 256, 10000.0, false};
  model.format = Format::q8_0;
  model.output_format = Format::f32;
  return test::random_model_bytes(model);
}

std::vector<std::int32_t> some_tokens(std::size_t count) {
  std::vector<std::int32_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<std::int32_t>((i * i * 31 + i * 7 + 3) % 300);
  return tokens;
}

/// A model with what it needs to live.
struct Subject {
  std::vector<std::byte> bytes = tiny_model();
  Gguf gguf = Gguf::parse(bytes, "tiny");
  CpuBackend backend{1};
  Model model{gguf, backend};
};

SessionOptions options_for(int context, int step_tokens) {
  SessionOptions options;
  options.context = context;
  options.step_tokens = step_tokens;
  return options;
}

/// Logits after each token from `first` on.
std::vector<std::vector<float>> all_rows(Scorer& scorer, std::span<const std::int32_t> tokens, std::size_t first) {
  std::vector<std::vector<float>> rows;
  scorer.begin(tokens, first);
  while (const auto step = scorer.next()) {
    for (std::size_t at = 0; at < step->logits.size(); at += 300) {
      CHECK(step->first + at / 300 == first + rows.size());
      rows.emplace_back(step->logits.begin() + static_cast<std::ptrdiff_t>(at),
                        step->logits.begin() + static_cast<std::ptrdiff_t>(at) + 300);
    }
  }
  return rows;
}

std::vector<float> random_logits(std::size_t count, unsigned seed, float spread) {
  std::vector<float> out(count);
  std::uint32_t state = seed * 2654435761u + 1;
  for (float& value : out) {
    state = state * 1664525u + 1013904223u;
    value = spread * (static_cast<float>(state >> 8) / 16777216.0f - 0.5f);
  }
  return out;
}

} // namespace

TEST_CASE("a scorer gives what a session gives after each token, whatever the step, text after text") {
  Subject subject;
  const auto tokens = some_tokens(40);
  std::vector<std::vector<float>> expected;
  for (std::size_t end = 11; end <= tokens.size(); ++end) {
    Session session(subject.model, options_for(64, 16));
    session.prefill(std::span(tokens).first(end));
    expected.emplace_back(session.logits().begin(), session.logits().end());
  }
  for (const int step : {1, 7, 16, 64}) {
    CAPTURE(step);
    Scorer scorer(subject.model, options_for(40, step));
    CHECK(all_rows(scorer, some_tokens(23), 23).empty());
    CHECK(all_rows(scorer, tokens, 10) == expected);
    CHECK(all_rows(scorer, tokens, 10) == expected);
  }
}

TEST_CASE("likelihoods and divergence are what their definitions say") {
  const std::vector<float> logits{std::log(0.5f), std::log(0.25f), std::log(0.25f)};
  CHECK(log_sum_exp(logits) == doctest::Approx(0.0).epsilon(1e-7));
  CHECK(log_sum_exp(std::vector<float>{1000.0f, 1000.0f}) == doctest::Approx(1000.0 + std::log(2.0)));
  std::vector<float> base(3);
  log_softmax(std::vector<float>{5.0f + logits[0], 5.0f + logits[1], 5.0f + logits[2]}, base);
  CHECK(base[0] == doctest::Approx(std::log(0.5)));

  const TokenComparison same = compare_token(base, logits, 1);
  CHECK(same.divergence == doctest::Approx(0.0).epsilon(1e-6));
  CHECK(same.same_top);
  CHECK(same.nll == doctest::Approx(std::log(4.0)));

  const std::vector<float> flat(3, 7.0f);
  const TokenComparison other = compare_token(base, flat, 0);
  CHECK(other.divergence == doctest::Approx(0.5 * std::log(1.5) + 0.5 * std::log(0.75)));
  CHECK(other.nll == doctest::Approx(std::log(3.0)));
  CHECK(other.base_nll == doctest::Approx(std::log(2.0)));
  CHECK_FALSE(compare_token(base, std::vector<float>{0.0f, 0.0f, 1.0f}, 0).same_top);

  // What the base thinks impossible doesn't count.
  const std::vector<float> sure{0.0f, -17.0f};
  CHECK(compare_token(sure, std::vector<float>{0.0f, -60.0f}, 0).divergence == doctest::Approx(0.0));
}

TEST_CASE("a comparison's figures are those of its tokens") {
  Comparison comparison;
  const double nll[] = {1.0, 2.0, 3.0, 6.0}, base[] = {1.0, 1.0, 3.0, 5.0}, kl[] = {0.4, 0.1, 0.2, 0.9};
  for (int i = 0; i < 4; ++i) comparison.add({nll[i], base[i], kl[i], i != 1});
  const Comparison::Summary summary = comparison.summary();
  CHECK(summary.perplexity.value == doctest::Approx(std::exp(3.0)));
  // The squares' mean is 12.5, the variance 3.5, the mean's error sqrt(3.5 / 3).
  CHECK(summary.perplexity.error == doctest::Approx(std::exp(3.0) * std::sqrt(3.5 / 3.0)));
  CHECK(summary.base_perplexity.value == doctest::Approx(std::exp(2.5)));
  CHECK(summary.log_ratio.value == doctest::Approx(0.5));
  CHECK(summary.divergence.value == doctest::Approx(0.4));
  CHECK(summary.median == doctest::Approx(0.3));
  CHECK(summary.worst_percent == doctest::Approx(0.4 + 0.97 * 0.5));
  CHECK(summary.most == doctest::Approx(0.9));
  CHECK(summary.same_top.value == doctest::Approx(0.75));
  double change = 0;
  double squares = 0;
  for (int i = 0; i < 4; ++i) {
    const double difference = std::exp(-nll[i]) - std::exp(-base[i]);
    change += difference / 4;
    squares += difference * difference / 4;
  }
  CHECK(summary.probability_change.value == doctest::Approx(change));
  CHECK(summary.probability_change_rms == doctest::Approx(std::sqrt(squares)));
}

TEST_CASE("a file of logits gives back what it was given, within half a step") {
  const test::TemporaryFolder folder;
  for (const std::int32_t vocab : {5, 8}) {
    CAPTURE(vocab);
    const auto path = folder / std::to_string(vocab);
    const auto size = static_cast<std::size_t>(vocab);
    const std::vector<std::int32_t> tokens{0, 1, 2, 3, 4, 0, 4, 3, 2, 1, 0, 0};
    std::vector<std::vector<float>> rows;
    LogitsWriter writer(path, 6, vocab, tokens);
    for (unsigned i = 0; i < 2 * scored_rows(6); ++i) {
      rows.push_back(random_logits(size, i, i == 2 ? 0.0f : 10.0f + 20.0f * static_cast<float>(i)));
      writer.add(rows.back());
    }
    CHECK_FALSE(std::filesystem::exists(path));
    writer.commit();
    CHECK(std::filesystem::file_size(path) == 20 + 12 * 4 + rows.size() * 2 * (4 + (size + 1) / 2 * 2));
    const LogitsFile file(path);
    CHECK(file.context() == 6);
    CHECK(file.vocab_size() == size);
    CHECK(file.chunks() == 2);
    CHECK(file.tokens() == tokens);
    std::vector<float> expected(size), found(size);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      log_softmax(rows[row], expected);
      file.read(row, found);
      const float top = *std::ranges::max_element(expected);
      for (std::size_t i = 0; i < size; ++i)
        CHECK(std::abs(std::max(expected[i], top - 16.0f) - found[i]) <= 16.0f / 65535.0f / 2.0f + 1e-5f);
    }
  }
}

TEST_CASE("a file of logits that was damaged is refused or read, nothing else") {
  const test::TemporaryFolder folder;
  const auto path = folder / "base.logits";
  {
    LogitsWriter writer(path, 4, 3, std::vector<std::int32_t>{0, 1, 2, 0});
    writer.add(random_logits(3, 1, 4.0f));
    writer.commit();
  }
  const std::vector<char> whole = test::read_file(path);
  const auto try_bytes = [&](const std::vector<char>& bytes) {
    const auto damaged = folder / "damaged";
    std::ofstream(damaged, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    try {
      const LogitsFile file(damaged);
      std::vector<float> row(file.vocab_size());
      for (std::size_t i = 0; i < file.chunks() * scored_rows(file.context()); ++i) file.read(i, row);
      return true;
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::model);
      CHECK(std::string(error.what()).find("damaged") != std::string::npos);
      return false;
    }
  };
  CHECK(try_bytes(whole));
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK_FALSE(try_bytes({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}));
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const int value : {0, 1, 0x7F, 0x80, 0xFF}) {
      std::vector<char> bytes = whole;
      bytes[at] = static_cast<char>(value);
      try_bytes(bytes);
    }
}

TEST_CASE("an importance matrix holds the mean squares of what its matrices met") {
  Subject subject;
  const test::TemporaryFolder folder;
  const ImportanceText text{"a.txt", 24};
  const auto chunk = [](unsigned i) {
    auto tokens = some_tokens(24);
    std::rotate(tokens.begin(), tokens.begin() + i, tokens.end());
    return tokens;
  };
  const auto collect = [&](ImportanceCollector& collector, unsigned from, unsigned to, int step) {
    Scorer scorer(subject.model, options_for(24, step));
    scorer.forward().set_tap(&collector);
    for (unsigned i = from; i < to; ++i) {
      const auto tokens = chunk(i);
      scorer.begin(tokens, tokens.size());
      while (scorer.next()) {
      }
      collector.finish_chunk();
    }
  };
  ImportanceCollector whole(subject.model.spec());
  collect(whole, 0, 5, 24);
  whole.write(folder / "whole.gguf", text);

  // Against sums made here, in the order of the definition.
  struct Sums : Tap {
    void activation(TapPoint point, int layer, Backend& backend, Rows rows) override {
      if (point != TapPoint::ffn_hidden || layer != 1) return;
      std::vector<float> values(rows.elements());
      backend.read(rows.data, values.data(), values.size() * sizeof(float));
      sums.resize(static_cast<std::size_t>(rows.columns));
      for (std::size_t i = 0; i < values.size(); ++i)
        sums[i % sums.size()] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    }
    std::vector<double> sums;
  } sums;
  Scorer scorer(subject.model, options_for(24, 24));
  scorer.forward().set_tap(&sums);
  for (unsigned i = 0; i < 5; ++i) {
    const auto tokens = chunk(i);
    scorer.begin(tokens, tokens.size());
    while (scorer.next()) {
    }
  }
  const Importance read = Importance::read(folder / "whole.gguf");
  CHECK(read.chunks() == 5);
  CHECK(read.datasets() == std::vector<std::string>{"a.txt"});
  CHECK(read.size() == 2 * 7);
  const auto down = read.find("blk.1.ffn_down.weight");
  REQUIRE(down.size() == 96);
  for (std::size_t i = 0; i < down.size(); ++i)
    CHECK(static_cast<double>(down[i]) == doctest::Approx(sums.sums[i] / (5 * 24)).epsilon(1e-6));
  CHECK(read.find("blk.0.attn_q.weight").size() == 64);
  CHECK(std::ranges::equal(read.find("blk.0.attn_q.weight"), read.find("blk.0.attn_v.weight")));

  // Interrupted, and gone on with in other steps: the same bytes.
  ImportanceCollector begun(subject.model.spec());
  collect(begun, 0, 2, 5);
  begun.write(folder / "part.gguf", text);
  ImportanceCollector resumed(subject.model.spec());
  resumed.restore(Gguf::open(folder / "part.gguf"), text);
  CHECK(resumed.chunks() == 2);
  collect(resumed, 2, 5, 1);
  resumed.write(folder / "resumed.gguf", text);
  CHECK(test::read_file(folder / "resumed.gguf") == test::read_file(folder / "whole.gguf"));

  const Gguf part = Gguf::open(folder / "part.gguf");
  CHECK_THROWS_WITH_AS(resumed.restore(part, {"b.txt", 24}), doctest::Contains("found 'a.txt', expected 'b.txt'"),
                       Error);
  CHECK_THROWS_WITH_AS(resumed.restore(part, {"a.txt", 25}), doctest::Contains("found 24, expected 25"), Error);
  const std::vector<std::byte> larger = tiny_model(3);
  ImportanceCollector another(read_spec(Gguf::parse(larger, "larger")));
  CHECK_THROWS_WITH_AS(another.restore(part, text), doctest::Contains("another model"), Error);
}

} // namespace kern
