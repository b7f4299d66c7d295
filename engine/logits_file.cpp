#include "engine/logits_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "engine/perplexity.h"
#include "model/cursor.h"
#include "model/error.h"

namespace kern {

namespace {

constexpr std::string_view magic = "_logits_";
constexpr std::int32_t most_tokens = 1 << 28;
constexpr float range = 16.0f; // what lies further below the likeliest counts as so far below

/// 16-bit words of a row.
std::size_t row_words(std::size_t vocab_size) { return (vocab_size + 1) / 2 * 2 + 4; }

template <class T> void put(OutputFile& file, const T& value) { file.write(std::as_bytes(std::span(&value, 1))); }

} // namespace

LogitsWriter::LogitsWriter(const std::filesystem::path& path, std::int32_t context, std::int32_t vocab_size,
                           std::span<const std::int32_t> tokens)
    : file_(path), row_(row_words(static_cast<std::size_t>(vocab_size))) {
  file_.write(std::as_bytes(std::span(magic)));
  put(file_, context);
  put(file_, vocab_size);
  put(file_, static_cast<std::int32_t>(tokens.size() / static_cast<std::size_t>(context)));
  file_.write(std::as_bytes(tokens));
}

void LogitsWriter::add(std::span<const float> logits) {
  const auto [low, high] = std::ranges::minmax_element(logits);
  const float least = std::max(*low, *high - range);
  const float scale = (*high - least) / 65535.0f;
  const auto least_log_prob = static_cast<float>(static_cast<double>(least) - log_sum_exp(logits));
  std::memcpy(row_.data(), &scale, sizeof scale);
  std::memcpy(row_.data() + 2, &least_log_prob, sizeof least_log_prob);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float code = scale > 0.0f ? std::nearbyint((std::max(logits[i], least) - least) / scale) : 0.0f;
    row_[4 + i] = static_cast<std::uint16_t>(std::min(code, 65535.0f));
  }
  file_.write(std::as_bytes(std::span(row_)));
}

LogitsFile::LogitsFile(const std::filesystem::path& path) : file_(path), source_(path.string()) {
  parse(file_.bytes());
}

LogitsFile::LogitsFile(std::span<const std::byte> bytes, std::string source) : source_(std::move(source)) {
  parse(bytes);
}

void LogitsFile::parse(std::span<const std::byte> bytes) {
  Cursor cursor(bytes, source_);
  const auto begin = cursor.take(magic.size(), "the file's kind");
  if (std::memcmp(begin.data(), magic.data(), magic.size()) != 0)
    throw Error(ExitCode::model, fmt::format("{}: offset 0: found no '{}', expected a file of logits as --save-logits "
                                             "writes it",
                                             source_, magic));
  const auto context = cursor.read<std::int32_t>("the context's length");
  const auto vocab = cursor.read<std::int32_t>("the size of the vocabulary");
  const auto chunks = cursor.read<std::int32_t>("the number of chunks");
  if (context < 4 || vocab < 1 || chunks < 1 || context > most_tokens || vocab > most_tokens || chunks > most_tokens)
    cursor.fail(
        fmt::format("found chunks {} of {} tokens and a vocabulary of {}, expected 1 or more of 4 or more and of "
                    "1 or more, each at most {}; the file is damaged, make it again",
                    chunks, context, vocab, most_tokens));
  context_ = static_cast<std::size_t>(context);
  vocab_size_ = static_cast<std::size_t>(vocab);
  const auto count = static_cast<std::uint64_t>(context_) * static_cast<std::uint64_t>(chunks);
  const auto tokens = cursor.take(count * sizeof(std::int32_t), "the text's tokens");
  tokens_.resize(static_cast<std::size_t>(count));
  std::memcpy(tokens_.data(), tokens.data(), tokens.size());
  const auto wrong = std::ranges::find_if(tokens_, [&](std::int32_t token) { return token < 0 || token >= vocab; });
  if (wrong != tokens_.end())
    cursor.fail(fmt::format("found token {}, expected 0 to {}; the file is damaged, make it again", *wrong, vocab - 1));
  // A vocabulary's and a text's sizes are below 2^28, so that their product fits.
  const auto rows = static_cast<std::uint64_t>(chunks) * scored_rows(context_);
  const std::uint64_t row_bytes = row_words(vocab_size_) * sizeof(std::uint16_t);
  if (rows > cursor.left() / row_bytes)
    cursor.fail(fmt::format("found {} bytes of rows, expected {} rows of {} bytes; the file isn't whole, make it again",
                            cursor.left(), rows, row_bytes));
  rows_ = cursor.take(rows * row_bytes, "the rows");
  // Rows are read by threads, where nothing may be thrown.
  for (std::size_t row = 0; row < rows; ++row) {
    float head[2];
    std::memcpy(head, rows_.data() + row * row_bytes, sizeof head);
    if (!std::isfinite(head[0]) || !std::isfinite(head[1]))
      throw Error(ExitCode::model, fmt::format("{}: row {}: found a scale of {} and a least logarithm of {}, expected "
                                               "finite numbers; the file is damaged, make it again",
                                               source_, row, head[0], head[1]));
  }
}

void LogitsFile::read(std::size_t row, std::span<float> out) const {
  const std::size_t words = row_words(vocab_size_);
  const std::byte* data = rows_.data() + row * words * sizeof(std::uint16_t);
  float scale = 0.0f;
  float least = 0.0f;
  std::memcpy(&scale, data, sizeof scale);
  std::memcpy(&least, data + sizeof scale, sizeof least);
  for (std::size_t i = 0; i < vocab_size_; ++i) {
    std::uint16_t code = 0;
    std::memcpy(&code, data + (4 + i) * sizeof code, sizeof code);
    out[i] = scale * static_cast<float>(code) + least;
  }
}

} // namespace kern
