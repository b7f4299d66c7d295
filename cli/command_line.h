// What other headers need of CLI11. Only the files that use it include it whole: it takes the compiler 2.5 s in each.
#pragma once

namespace CLI {
class App;
class Option;
class Validator;
} // namespace CLI
