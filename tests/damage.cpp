#include "tests/damage.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "model/gguf.h"
#include "tests/process.h"
#include "tests/random_model.h"
#include "tests/temporary_folder.h"

namespace kern::test {

namespace {

using Bytes = std::vector<std::byte>;

void write_file(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// What is wrong with an end; empty where it is a designed one.
std::string fault_of(const ProcessResult& result) {
  if (result.timed_out) return "took too long";
  if (result.signal != 0) return "ended by signal " + std::to_string(result.signal);
  if (result.code == 0) return result.err.empty() ? "" : "code 0, but said " + result.err;
  const bool designed = result.code >= 3 && result.code <= 5;
  // An answer that was cut is an answer: -q leaves nothing to say.
  const bool said = result.code == 5 ? result.err.empty() : is_one_line(result.err);
  return designed && said ? "" : "code " + std::to_string(result.code) + ", said " + result.err;
}

} // namespace

const char* damage_name(Damage kind) {
  switch (kind) {
  case Damage::truncated: return "truncated";
  case Damage::flipped: return "flipped";
  case Damage::stretched: return "stretched";
  }
  return "";
}

std::vector<std::byte> small_model(Format format) {
  RandomModel model;
  model.shape = find_shape("tiny");
  model.shape.layers = 1;
  model.shape.hidden_dim = 256;
  model.format = model.output_format = format;
  return random_model_bytes(model);
}

std::vector<std::byte> damage(const Bytes& whole, std::size_t header, Damage kind, RandomBits& random) {
  Bytes bytes = whole;
  const auto place = [&] { return random() % (random() % 8 == 0 ? whole.size() : header); };
  switch (kind) {
  case Damage::truncated: bytes.resize(place()); break;
  case Damage::flipped:
    for (std::uint64_t left = 1 + random() % 3; left > 0; --left) {
      std::byte& byte = bytes[place()];
      if (random() % 2 == 0) byte = static_cast<std::byte>(random());
      else byte ^= static_cast<std::byte>(1u << (random() % 8));
    }
    break;
  case Damage::stretched: {
    // A few bytes of one value mostly; else a copy of what stands there.
    const auto at = static_cast<std::ptrdiff_t>(place());
    const std::uint64_t most = std::min<std::uint64_t>(whole.size() - static_cast<std::uint64_t>(at), 1 << 16);
    const auto copied = static_cast<std::ptrdiff_t>(1 + random() % most);
    if (random() % 4 != 0) bytes.insert(bytes.begin() + at, 1 + random() % 9, static_cast<std::byte>(random()));
    else bytes.insert(bytes.begin() + at, whole.begin() + at, whole.begin() + at + copied);
    break;
  }
  }
  return bytes;
}

DamageTable run_damaged_files(const DamageRuns& runs) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "damaged.gguf";
  ProcessOptions options;
  options.limit = std::chrono::seconds(20);
  if (runs.limits_memory) options.address_space = std::size_t{1} << 30;
  DamageTable table;
  for_each_format([&]<class Traits>(Traits) {
    const Bytes whole = small_model(Traits::id);
    const std::size_t header = Gguf::parse(whole, "whole").tensors()[0].offset;
    RandomBits random(runs.seed * 1000 + static_cast<std::uint64_t>(Traits::id));
    for (std::size_t kind = 0; kind < all_damages.size(); ++kind)
      for (std::size_t i = 0; i < runs.files; ++i) {
        write_file(path, damage(whole, header, all_damages[kind], random));
        const ProcessResult result = run_process(
            runs.executable, {"run", "-m", path.string(), "--raw", "-n", "2", "-q", "-t", "1", "x"}, options);
        table.codes[kind][result.signal != 0 ? 128 + result.signal : result.code] += 1;
        table.slowest = std::max(table.slowest, result.duration);
        if (const std::string fault = fault_of(result); !fault.empty())
          table.faults.push_back(std::string(Traits::name) + " " + damage_name(all_damages[kind]) + " " +
                                 std::to_string(i) + ": " + fault);
      }
  });
  return table;
}

std::string damage_markdown(const DamageTable& table) {
  std::set<int> codes;
  for (const auto& row : table.codes)
    for (const auto& entry : row) codes.insert(entry.first);
  std::ostringstream out;
  out << "| damage |";
  for (const int code : codes) out << " code " << code << " |";
  out << " files |\n|---|";
  for (std::size_t i = 0; i <= codes.size(); ++i) out << "---|";
  for (std::size_t kind = 0; kind < all_damages.size(); ++kind) {
    std::size_t files = 0;
    out << "\n| " << damage_name(all_damages[kind]) << " |";
    for (const int code : codes) {
      const auto found = table.codes[kind].find(code);
      const std::size_t count = found == table.codes[kind].end() ? 0 : found->second;
      files += count;
      out << " " << count << " |";
    }
    out << " " << files << " |";
  }
  out << "\n";
  return out.str();
}

} // namespace kern::test
