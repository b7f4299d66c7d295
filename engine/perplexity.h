// How well a model predicts a text, and how far it is from another that predicts the same text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kern {

/// A mean and its standard error.
struct Estimate {
  double value = 0.0;
  double error = 0.0;
};

/// log(sum(e^logit)) of finite logits.
double log_sum_exp(std::span<const float> logits);

/// Logs of probabilities from finite logits, both [vocab_size].
void log_softmax(std::span<const float> logits, std::span<float> out);

/// Numbers added up: mean and standard error of the mean.
class Mean {
public:
  void add(double value) {
    sum_ += value;
    squares_ += value * value;
    ++count_;
  }
  std::size_t count() const { return count_; }
  Estimate estimate() const;

private:
  double sum_ = 0.0;
  double squares_ = 0.0;
  std::size_t count_ = 0;
};

/// e^mean of negative log-likelihoods, with the error that follows from the mean's.
Estimate perplexity(const Mean& nll);

/// What a model says of one token of the text, next to what its base says.
struct TokenComparison {
  double nll = 0.0;        // -log of the token's probability
  double base_nll = 0.0;   // by the base
  double divergence = 0.0; // Kullback-Leibler, from the base's distribution to the model's, in nats
  bool same_top = false;   // both think the same token the likeliest
};

/// base_log_probs, logits [vocab_size]; `token` is what the text goes on with. Tokens to which the base gives less than
/// e^-16 don't count, as in llama.cpp, whose files of logits end there.
TokenComparison compare_token(std::span<const float> base_log_probs, std::span<const float> logits, std::int32_t token);

/// The same over a text.
class Comparison {
public:
  void add(const TokenComparison& token);

  struct Summary {
    Estimate perplexity, base_perplexity;
    Estimate log_ratio; // ln(perplexity / base perplexity)
    Estimate divergence;
    double median = 0.0;        // of the divergence of single tokens
    double worst_percent = 0.0; // 99 of 100 are below
    double most = 0.0;
    Estimate same_top;           // share, 0 to 1
    Estimate probability_change; // of the text's tokens, model's less base's
    double probability_change_rms = 0.0;
  };
  /// After at least one token.
  Summary summary() const;
  std::size_t tokens() const { return nll_.count(); }

private:
  Mean nll_, base_nll_, log_ratio_, same_top_, divergence_, change_, squared_change_;
  std::vector<float> divergences_;
};

} // namespace kern
