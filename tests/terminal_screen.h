// What a terminal shows after some bytes: as much of one as kern uses.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kern::test {

/// Cells, a cursor, and the control sequences A, B, C, D, H, J, K; others without effect. It breaks rows that are too
/// long, as real ones do, and counts those breaks. A wide character takes two cells, a mark none.
class TerminalScreen {
public:
  explicit TerminalScreen(int columns = 80);

  void write(std::string_view bytes);
  /// Longer rows are broken into several, as terminals do that keep what doesn't fit.
  void resize(int columns);

  /// Rows up to the last that isn't empty, without spaces at their ends.
  std::vector<std::string> lines() const;
  /// The same as one text, with newlines between them.
  std::string text() const;
  int row() const { return row_; }
  int column() const { return column_; }
  int breaks() const { return breaks_; }

private:
  struct Cell {
    std::string text = " "; // empty: the second of a wide character
  };

  void put(std::string_view character);
  void line_feed();
  /// Runs a control sequence. Returns its bytes; 0 where not all of it is there.
  std::size_t control_sequence(std::string_view bytes);
  void run(std::string_view parameters, char final);
  std::vector<Cell>& cells() { return rows_[static_cast<std::size_t>(row_)]; }

  int columns_;
  int row_ = 0;
  int column_ = 0; // columns_: the next character goes to the next row
  int breaks_ = 0;
  std::vector<std::vector<Cell>> rows_;
  std::string unfinished_;
};

} // namespace kern::test
