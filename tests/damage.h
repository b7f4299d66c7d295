// Damaged copies of small model files, and what kern makes of each as a process.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "quant/format_id.h"
#include "tests/random_blocks.h"

namespace kern::test {

enum class Damage { truncated, flipped, stretched };
inline constexpr std::array<Damage, 3> all_damages = {Damage::truncated, Damage::flipped, Damage::stretched};
const char* damage_name(Damage kind);

/// A model of one layer with all matrices in this format: kern runs it in a moment.
std::vector<std::byte> small_model(Format format);

/// A damaged copy: mostly in the first `header` bytes, where every byte means something.
std::vector<std::byte> damage(const std::vector<std::byte>& whole, std::size_t header, Damage kind, RandomBits& random);

struct DamageRuns {
  std::string executable;
  std::size_t files = 1; // of every format and kind of damage
  std::uint64_t seed = 1;
  bool limits_memory = true; // off where a sanitizer reserves terabytes of addresses
};

struct DamageTable {
  std::array<std::map<int, std::size_t>, all_damages.size()> codes; // exit code -> files
  std::vector<std::string> faults; // one line each: which file ended how, where that isn't a designed end
  std::chrono::duration<double> slowest{};
};

/// Runs `kern run` on damaged files of every format, within 1 GiB of addresses and 20 s each. Designed ends are: exit
/// code 0 with nothing on standard error; 3 (the file is refused), 4 and 5 (the context it claims is too small) with
/// one line there.
DamageTable run_damaged_files(const DamageRuns& runs);

/// As Markdown, a row a kind of damage.
std::string damage_markdown(const DamageTable& table);

} // namespace kern::test
