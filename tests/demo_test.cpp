// The model inside the executable: it is there, it is said, and what it says are sentences.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cctype>

#include "cli/demo_model.h"
#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

ProcessOptions without_model() {
  ProcessOptions options;
  options.environment = {{"KERN_MODEL", ""}};
  return options;
}

} // namespace

TEST_CASE("without -m and KERN_MODEL the demo model answers, and one line says so") {
  const auto result = kern({"run", "--temp", "0", "Tell me a story about a fox."}, without_model());
  CHECK(result.code == 0);
  CHECK(contains(result.out, "fox"));
  CHECK(
      result.err.starts_with("kern: no model given with -m or KERN_MODEL; this is the small demo model inside kern\n"));
  CHECK(contains(result.err, "the model ended its answer"));
  CHECK(kern({"run", "-q", "--temp", "0", "Hello"}, without_model()).err.empty());
  CHECK(contains(kern({"info"}, without_model()).out, "kern demo"));
  CHECK(demo_model().size() <= 6'000'000);
}

TEST_CASE("the demo's answers are whole sentences that end by themselves") {
  for (const char* prompt : {"Tell me a story about a brave little boat.", "Tell me a story about Anna and a lost key.",
                             "Who are you?", "What is the opposite of hot?", "Name three fruits."})
    for (const char* seed : {"1", "2", "3"}) {
      CAPTURE(prompt);
      CAPTURE(seed);
      const auto report =
          nlohmann::json::parse(kern({"run", "-q", "--json", "--seed", seed, prompt}, without_model()).out);
      const std::string text = report["text"];
      CAPTURE(text);
      CHECK(report["reason"] == "end");
      REQUIRE(text.size() > 2);
      CHECK(std::isupper(static_cast<unsigned char>(text.front())));
      CHECK(std::string_view(".!?\"").find(text.back()) != std::string_view::npos);
    }
}

} // namespace kern::test
