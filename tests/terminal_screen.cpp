#include "tests/terminal_screen.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "tokenizer/unicode.h"

namespace kern::test {

namespace {

std::uint32_t code_of(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0);
  std::uint32_t code = byte(0) & (0xFFu >> (character.size() + 1));
  for (std::size_t i = 1; i < character.size(); ++i) code = code << 6 | (byte(i) & 0x3Fu);
  return code;
}

/// For the characters that tests use; on purpose not kern's own table.
int cells_of(std::uint32_t code) {
  if ((code >= 0x300 && code <= 0x36F) || code == 0x200D || code == 0xFE0F) return 0;
  const bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                    (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xFF00 && code <= 0xFF60) ||
                    (code >= 0x1F300 && code <= 0x1FAFF);
  return wide ? 2 : 1;
}

} // namespace

TerminalScreen::TerminalScreen(int columns) : columns_(columns), rows_(1) {}

void TerminalScreen::line_feed() {
  ++row_;
  if (rows_.size() <= static_cast<std::size_t>(row_)) rows_.resize(static_cast<std::size_t>(row_) + 1);
}

void TerminalScreen::put(std::string_view character) {
  const int width = cells_of(code_of(character));
  if (width == 0) {
    const int at = std::max(column_ - 1, 0);
    std::vector<Cell>& row = cells();
    if (static_cast<std::size_t>(at) >= row.size()) row.resize(static_cast<std::size_t>(at) + 1);
    std::size_t cell = static_cast<std::size_t>(at);
    while (cell > 0 && row[cell].text.empty()) --cell;
    row[cell].text += character;
    return;
  }
  if (column_ + width > columns_) {
    ++breaks_;
    column_ = 0;
    line_feed();
  }
  std::vector<Cell>& row = cells();
  const auto end = static_cast<std::size_t>(column_ + width);
  if (row.size() < end) row.resize(end);
  row[static_cast<std::size_t>(column_)].text = character;
  if (width == 2) row[end - 1].text.clear();
  column_ += width;
}

void TerminalScreen::run(std::string_view parameters, char final) {
  const int number = std::atoi(std::string(parameters).c_str());
  const int count = std::max(number, 1);
  std::vector<Cell>& row = cells();
  switch (final) {
  case 'A': row_ = std::max(row_ - count, 0); break;
  case 'B': row_ = std::min(row_ + count, static_cast<int>(rows_.size()) - 1); break;
  case 'C': column_ = std::min(column_ + count, columns_ - 1); break;
  case 'D': column_ = std::max(std::min(column_, columns_ - 1) - count, 0); break;
  case 'H': row_ = column_ = 0; break;
  case 'K': row.resize(std::min(row.size(), static_cast<std::size_t>(column_))); break;
  case 'J':
    if (number == 2) {
      rows_.assign(static_cast<std::size_t>(row_) + 1, {});
    } else {
      row.resize(std::min(row.size(), static_cast<std::size_t>(column_)));
      rows_.resize(static_cast<std::size_t>(row_) + 1);
    }
    break;
  default: break;
  }
}

std::size_t TerminalScreen::control_sequence(std::string_view bytes) {
  std::size_t end = 2;
  while (end < bytes.size() && bytes[end] >= 0x20 && bytes[end] <= 0x3F) ++end;
  if (end >= bytes.size()) return 0;
  run(bytes.substr(2, end - 2), bytes[end]);
  return end + 1;
}

void TerminalScreen::write(std::string_view bytes) {
  unfinished_ += bytes;
  const std::string_view all = unfinished_;
  std::size_t i = 0;
  while (i < all.size()) {
    const std::string_view rest = all.substr(i);
    if (rest.front() == '\x1b') {
      const std::size_t size = rest.size() < 2 ? 0 : control_sequence(rest);
      if (size == 0) break;
      i += size;
    } else if (rest.front() == '\r') {
      column_ = 0;
      ++i;
    } else if (rest.front() == '\n') {
      line_feed();
      ++i;
    } else {
      const std::size_t size = utf8_character(all, i);
      if (size == 0 && unfinished_utf8_tail(all) == rest.size()) break;
      put(all.substr(i, std::max<std::size_t>(size, 1)));
      i += std::max<std::size_t>(size, 1);
    }
  }
  unfinished_ = std::string(all.substr(i));
}

void TerminalScreen::resize(int columns) {
  std::vector<std::vector<Cell>> before;
  before.swap(rows_);
  int row = 0, column = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto broken = std::max<std::size_t>(1, (before[i].size() + static_cast<std::size_t>(columns) - 1) /
                                                     static_cast<std::size_t>(columns));
    if (static_cast<int>(i) == row_) {
      row = static_cast<int>(rows_.size()) + column_ / columns;
      column = column_ % columns;
    }
    for (std::size_t part = 0; part < broken; ++part) {
      const std::size_t begin = part * static_cast<std::size_t>(columns);
      const std::size_t end = std::min(before[i].size(), begin + static_cast<std::size_t>(columns));
      rows_.emplace_back(before[i].begin() + static_cast<std::ptrdiff_t>(begin),
                         before[i].begin() + static_cast<std::ptrdiff_t>(end));
    }
  }
  // A cursor behind the last cell of a row that was broken there stands on a row of its own.
  if (rows_.size() <= static_cast<std::size_t>(row)) rows_.resize(static_cast<std::size_t>(row) + 1);
  row_ = row;
  column_ = column;
  columns_ = columns;
}

std::vector<std::string> TerminalScreen::lines() const {
  std::vector<std::string> lines;
  for (const auto& row : rows_) {
    std::string line;
    for (const Cell& cell : row) line += cell.text;
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string TerminalScreen::text() const {
  std::string text;
  for (const std::string& line : lines()) text += line + "\n";
  if (!text.empty()) text.pop_back();
  return text;
}

} // namespace kern::test
