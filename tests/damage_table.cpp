// What kern makes of thousands of damaged files, as a table: kern_damage_table [FILES [SEED]]
// FILES of every tensor format and every kind of damage. Ends with 1 where kern doesn't end as designed.
#include <cstdio>
#include <exception>
#include <string>

#include "tests/damage.h"

int main(int argc, char** argv) {
  try {
    kern::test::DamageRuns runs;
    runs.executable = KERN_EXECUTABLE;
    runs.files = argc > 1 ? std::stoul(argv[1]) : 40;
    runs.seed = argc > 2 ? std::stoull(argv[2]) : 1;
    const kern::test::DamageTable table = kern::test::run_damaged_files(runs);
    std::fputs(kern::test::damage_markdown(table).c_str(), stdout);
    std::printf("\nThe slowest took %.2f s. %zu didn't end as designed.\n", table.slowest.count(), table.faults.size());
    for (const std::string& fault : table.faults) std::printf("%s\n", fault.c_str());
    return table.faults.empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kern_damage_table: %s\n", error.what());
    return 2;
  }
}
