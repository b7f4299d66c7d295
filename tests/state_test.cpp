// Pages: handed out, given back, and never shared by accident.
#include <doctest/doctest.h>

#include <set>

#include "model/error.h"
#include "model/state.h"
#include "tests/fixtures.h"
#include "tests/kernel_helpers.h"

namespace kern {

namespace {

/// Pages a sequence can read at its present length.
std::set<std::int32_t> pages_of(const State& state, int group, int sequence, int window) {
  std::set<std::int32_t> pages;
  const int first = window ? std::max(0, state.length(sequence) - window) : 0;
  for (int p = first / page_positions; p * page_positions < state.length(sequence); ++p)
    pages.insert(state.page_tables()[static_cast<std::size_t>(
        (group * state.options().sequences + sequence) * state.pages_per_sequence() + p)]);
  return pages;
}

/// A model of two attention layers, the second seeing a window, without weights: State asks for its spec only.
struct Example {
  Example() : gguf(Gguf::open(test::data_path("models/llama-rope3.gguf"))), backend(1), model(gguf, backend) {}
  Gguf gguf;
  CpuBackend backend;
  Model model;
};

} // namespace

TEST_CASE("a page holds all layers, and every address lies in its own place") {
  const PageLayout layout({{2, 8, 4}, {1, 6, 6}}, Format::f16, Format::f32);
  std::set<std::size_t> used;
  for (int layer = 0; layer < 2; ++layer) {
    const KvView& view = layout.view(layer);
    for (int head = 0; head < view.shape.heads; ++head)
      for (int slot = 0; slot < page_positions; ++slot) {
        for (int d = 0; d < view.shape.key_dim; ++d)
          used.insert(view.keys + static_cast<std::size_t>(head) * view.key_stride +
                      static_cast<std::size_t>(key_index(d, slot)) * 2);
        for (int d = 0; d < view.shape.value_dim; ++d)
          used.insert(view.values + static_cast<std::size_t>(head) * view.value_stride +
                      static_cast<std::size_t>(value_index(slot, d, view.shape.value_dim)) * 4);
      }
  }
  CHECK(used.size() == 64 * (2 * (8 + 4) + 6 + 6));
  CHECK(*used.rbegin() < layout.bytes());
  CHECK(layout.bytes() == 64 * (2 * (8 * 2 + 4 * 4) + 6 * 2 + 6 * 4));
}

TEST_CASE("sequences own different pages, grow, roll back and give them back") {
  Example example;
  StateOptions options;
  options.context = 200;
  options.sequences = 2;
  State state(example.model, options);
  REQUIRE(state.groups() == 1);
  const int all = state.free_pages(0);
  CHECK(all == 2 * 4);
  state.extend(0, 65);
  state.extend(1, 64);
  CHECK(state.free_pages(0) == all - 3);
  state.extend(0, 63); // fills the second page
  CHECK(state.free_pages(0) == all - 3);
  const auto first = pages_of(state, 0, 0, 0), second = pages_of(state, 0, 1, 0);
  CHECK(first.size() == 2);
  for (const std::int32_t page : second) CHECK_FALSE(first.contains(page));
  CHECK(state.rollback(0, 65) == 65);
  CHECK(pages_of(state, 0, 0, 0) == first);
  CHECK(state.rollback(0, 64) == 64);
  CHECK(state.free_pages(0) == all - 2);
  CHECK(state.rollback(0, 1000) == 64); // forward is no rollback
  CHECK(state.rollback(0, 0) == 0);
  CHECK(state.rollback(1, 0) == 0);
  CHECK(state.free_pages(0) == all);
  state.extend(0, 200);
  try {
    state.extend(0, 1);
    FAIL("extended");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::context_full);
  }
  CHECK(state.length(0) == 200);
}

TEST_CASE("a windowed group keeps window and step, reuses pages, and says how far it can roll back") {
  Example example;
  ModelSpec spec = example.model.spec();
  std::get<Attention>(spec.layers[1].mixer).window = 100;
  StateOptions options;
  options.context = 4096;
  options.step_tokens = 32;
  const Placement placement = Placement::all_on(0, spec.layers.size());
  const auto groups = plan_pages(spec, placement, options);
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].pages == 64);
  CHECK(groups[1].window == 100);
  CHECK(groups[1].pages == 4); // 132 positions that may begin and end within a page

  State state(spec, example.model.backends(), placement, options);
  for (int length = 0; length + 32 <= 4096; length += 32) {
    state.extend(0, 32);
    // Everything the new queries see has a page of its own.
    const auto pages = pages_of(state, 1, 0, 100 + 31);
    CHECK(static_cast<int>(pages.size()) == (state.length(0) - 1) / 64 - std::max(0, state.length(0) - 131) / 64 + 1);
  }
  CHECK(state.rollback(0, 4090) == 4090); // the window before it is still there
  CHECK(state.rollback(0, 2000) == 0);    // it isn't: replay from the start
  CHECK(state.free_pages(0) == 64);
  CHECK(state.free_pages(1) == 4);
  state.extend(0, 32);
  CHECK(state.length(0) == 32);
}

} // namespace kern
