// kern list: the models that -m finds by name.
#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/model_file.h"
#include "cli/model_finder.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/terminal.h"

namespace kern {

namespace {

struct ListFlags {
  std::string name; // positional
  bool json = false;
  bool names = false;
  bool quiet = false;
};

struct Row {
  FoundModel model;
  ModelSummary summary;
};

nlohmann::ordered_json row_json(const Row& row) {
  nlohmann::ordered_json json = {{"name", row.model.name},       {"path", row.model.path.string()},
                                 {"bytes", row.summary.bytes},   {"family", row.summary.family},
                                 {"format", row.summary.format}, {"source", row.model.source}};
  if (!row.summary.problem.empty()) json["problem"] = row.summary.problem;
  return json;
}

std::string table(const std::vector<Row>& rows) {
  std::size_t width = 4;
  std::size_t family = 6;
  for (const Row& row : rows) {
    width = std::max(width, escape_line(row.model.name).size());
    family = std::max(family, escape_line(row.summary.family).size());
  }
  width = std::min<std::size_t>(width, 60);
  family = std::min<std::size_t>(family, 20);
  std::string out =
      fmt::format("{:<{}}  {:>10}  {:<{}}  {:<8}  {}\n", "NAME", width, "SIZE", "FAMILY", family, "FORMAT", "FROM");
  for (const Row& row : rows)
    out += fmt::format("{:<{}}  {:>10}  {:<{}}  {:<8}  {}\n", escape_line(row.model.name), width,
                       format_bytes(row.summary.bytes), escape_line(row.summary.family), family,
                       row.summary.problem.empty() ? row.summary.format : "damaged", row.model.source);
  return out;
}

int list_models(ListFlags& flags) {
  const Search search = find_models();
  const std::vector<FoundModel> models = flags.name.empty() ? search.models : match_models(search.models, flags.name);
  if (flags.names) {
    std::string names;
    for (const FoundModel& model : models) names += escape_line(model.name) + "\n";
    write_output(names);
    return 0;
  }
  std::vector<Row> rows;
  for (const FoundModel& model : models) {
    Row row{model, summarize_model(model.path)};
    if (row.summary.is_model) rows.push_back(std::move(row));
  }
  if (!search.complete)
    write_notice(
        "kern: list: the folders hold more files than kern looks through; KERN_MODELS can name a smaller one\n");
  if (flags.json) {
    auto json = nlohmann::ordered_json::array();
    for (const Row& row : rows) json.push_back(row_json(row));
    write_output(dump_json(json));
  } else if (!rows.empty()) {
    write_output(table(rows));
  } else if (!flags.quiet) {
    write_notice("kern: list: no models in KERN_MODELS, the caches of Hugging Face, LM Studio and Ollama, or here; the "
                 "demo model is always there\n");
  }
  return 0;
}

void declare(CLI::App& app, ListFlags& flags) {
  app.add_option("name", flags.name, "only what this name may mean")->type_name("NAME");
  app.add_flag("--json", flags.json, "print a JSON array, with paths");
  app.add_flag("--names", flags.names, "print names only, without a look into the files");
  app.add_flag("-q,--quiet", flags.quiet, "no notices on standard error");
}

} // namespace

Command list_command() {
  return make_command<ListFlags>("kern list",
                                 "Lists the models that -m finds by name: in the folders of $KERN_MODELS, the caches "
                                 "of Hugging Face, LM Studio and "
                                 "Ollama, and the current folder.",
                                 declare, list_models);
}

} // namespace kern
