#include "tokenizer/template_renderer.h"

#include "tokenizer/template_expression.h"
#include "tokenizer/template_lexer.h"

namespace kern {

namespace {

constexpr int most_steps = 100'000; // items looked at: the largest templates have hundreds
constexpr int deepest = 64;
constexpr std::size_t longest_output = 1 << 20;

struct Statement {
  std::string keyword;
  std::vector<TemplateWord> words; // all of it, `end` last
};

class Renderer {
public:
  Renderer(std::vector<TemplateItem> items, const std::vector<TemplateMessage>& messages, const std::string& bos_token)
      : items_(std::move(items)), scope_{messages, {}} {
    scope_.values["messages"] = MessagesValue{};
    scope_.values["add_generation_prompt"] = true;
    scope_.values["bos_token"] = bos_token;
    for (const TemplateItem& item : items_) {
      Statement statement;
      if (item.kind != TemplateItem::Kind::text) {
        auto words = split_words(item.content);
        if (words) statement.words = std::move(*words);
        else readable_ = false;
        if (item.kind == TemplateItem::Kind::statement && words && statement.words[0].kind == TemplateWord::Kind::name)
          statement.keyword = statement.words[0].text;
      }
      statements_.push_back(std::move(statement));
    }
  }

  std::optional<std::string> render() {
    if (!readable_) return std::nullopt;
    const std::size_t end = run(0, items_.size(), 0);
    if (!ok_ || end != items_.size()) return std::nullopt;
    return std::move(output_);
  }

private:
  const std::string& keyword(std::size_t i) const { return statements_[i].keyword; }

  /// The next item at this depth, from `i` on, whose keyword ends or divides a block.
  std::size_t find_divider(std::size_t i, std::size_t end) {
    int depth = 0;
    for (; i < end; ++i) {
      if (++steps_ > most_steps) break;
      const std::string& word = keyword(i);
      if (word == "if" || word == "for" || word == "macro") ++depth;
      else if (word == "endif" || word == "endfor" || word == "endmacro") {
        if (depth-- == 0) return i;
      } else if (depth == 0 && (word == "elif" || word == "else")) {
        return i;
      }
    }
    ok_ = false;
    return end;
  }

  /// Runs the items of [i, end) and returns where it stopped: `end`, unless something failed.
  std::size_t run(std::size_t i, std::size_t end, int depth) {
    if (depth > deepest) ok_ = false;
    while (ok_ && i < end) {
      if (++steps_ > most_steps) ok_ = false;
      const TemplateItem& item = items_[i];
      if (item.kind == TemplateItem::Kind::text) print(item.content), ++i;
      else if (item.kind == TemplateItem::Kind::expression) print_value(i), ++i;
      else if (keyword(i) == "if") i = run_if(i, end, depth);
      else if (keyword(i) == "for") i = run_for(i, end, depth);
      else if (keyword(i) == "set") assign(i), ++i;
      else if (keyword(i) == "macro") i = find_divider(i + 1, end) + 1; // calls are unknown anyway
      else if (keyword(i) == "generation" || keyword(i) == "endgeneration") ++i; // marks for training
      else ok_ = false;
    }
    return i;
  }

  void print(const std::string& text) {
    output_ += text;
    if (output_.size() > longest_output) ok_ = false;
  }

  void print_value(std::size_t i) {
    ExpressionReader reader(scope_, statements_[i].words);
    const TemplateValue value = reader.read();
    const auto* text = std::get_if<std::string>(&value);
    if (!text || reader.failed() || !reader.at_end()) ok_ = false;
    else print(*text);
  }

  std::optional<bool> condition(std::size_t i) {
    ExpressionReader reader(scope_, statements_[i].words, 1);
    const auto result = truth(reader.read());
    return reader.failed() || !reader.at_end() ? std::nullopt : result;
  }

  std::size_t run_if(std::size_t i, std::size_t end, int depth) {
    bool done = false;
    while (ok_) {
      const std::size_t next = find_divider(i + 1, end);
      if (!ok_) break;
      if (!done) {
        const auto holds = keyword(i) == "else" ? std::optional(true) : condition(i);
        if (!holds) forget(i + 1, next); // may happen or not: harmless if it prints nothing
        else if (*holds) run(i + 1, next, depth + 1), done = true;
      }
      if (keyword(next) == "endif") return next + 1;
      if (keyword(next) != "elif" && keyword(next) != "else") ok_ = false;
      i = next;
    }
    return end;
  }

  std::size_t run_for(std::size_t i, std::size_t end, int depth) {
    const std::size_t last = find_divider(i + 1, end);
    if (!ok_ || keyword(last) != "endfor") {
      ok_ = false;
      return end;
    }
    const std::vector<TemplateWord>& words = statements_[i].words;
    if (words.size() < 4 || words[1].kind != TemplateWord::Kind::name || words[2].text != "in") {
      forget(i + 1, last);
      return last + 1;
    }
    ExpressionReader reader(scope_, words, 3);
    const TemplateValue list = reader.read();
    const auto* messages = std::get_if<MessagesValue>(&list);
    const bool nothing = std::holds_alternative<UndefinedValue>(list);
    if (reader.failed() || !reader.at_end() || (!messages && !nothing)) {
      forget(i + 1, last);
    } else if (messages) {
      for (std::size_t m = messages->first; ok_ && m < scope_.messages.size(); ++m)
        run_body(words[1].text, m, messages->first, i + 1, last, depth);
    }
    return last + 1;
  }

  void run_body(const std::string& name, std::size_t message, std::size_t first, std::size_t begin, std::size_t end,
                int depth) {
    const auto outside = scope_.values;
    scope_.values[name] = MessageValue{message};
    scope_.values["loop"] = UnknownValue{};
    scope_.values["loop.first"] = message == first;
    scope_.values["loop.last"] = message + 1 == scope_.messages.size();
    scope_.values["loop.index0"] = static_cast<std::int64_t>(message - first);
    scope_.values["loop.index"] = static_cast<std::int64_t>(message - first + 1);
    run(begin, end, depth + 1);
    // What a loop sets ends with the round, except the fields of namespaces.
    auto inside = std::move(scope_.values);
    scope_.values = outside;
    for (auto& [key, value] : inside)
      if (key.find('.') != std::string::npos && !key.starts_with("loop.")) scope_.values[key] = std::move(value);
  }

  /// Code that may or may not run: what it assigns is unknown from here on, and it must not print.
  void forget(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      if (++steps_ > most_steps) ok_ = false;
      const TemplateItem& item = items_[i];
      const bool blank = item.content.find_first_not_of(" \t\r\n") == std::string::npos;
      if (item.kind == TemplateItem::Kind::expression && !raises(i)) ok_ = false;
      if (item.kind == TemplateItem::Kind::text && (!blank || item.content.find('\n') != std::string::npos)) ok_ = false;
      if (keyword(i) == "set") set_value(target(i), UnknownValue{});
    }
  }

  /// {{ raise_exception(...) }} prints nothing: where it runs, the template refuses the messages.
  bool raises(std::size_t i) const { return statements_[i].words[0].text == "raise_exception"; }

  /// "name" or "name.field" of a set statement; empty for the block form, which isn't in the subset.
  std::string target(std::size_t i) {
    const std::vector<TemplateWord>& words = statements_[i].words;
    std::string name;
    for (std::size_t w = 1; w < words.size() && (words[w].kind == TemplateWord::Kind::name || words[w].text == "."); ++w)
      name += words[w].text;
    if (name.empty()) ok_ = false;
    return name;
  }

  void set_value(const std::string& name, TemplateValue value) {
    if (name.find('.') == std::string::npos) std::erase_if(scope_.values, [&](const auto& entry) {
        return entry.first.starts_with(name + ".");
      });
    scope_.values[name] = std::move(value);
  }

  void assign(std::size_t i) {
    const std::string name = target(i);
    const std::vector<TemplateWord>& words = statements_[i].words;
    std::size_t w = 1;
    while (words[w].kind == TemplateWord::Kind::name || words[w].text == ".") ++w;
    if (words[w].text != "=" || words[w].kind != TemplateWord::Kind::symbol) {
      ok_ = false;
      return;
    }
    ExpressionReader reader(scope_, words, w + 1);
    const bool is_namespace = reader.accept("namespace") && reader.accept("(");
    if (is_namespace) {
      set_value(name, UnknownValue{});
      while (!reader.failed() && !reader.accept(")")) {
        const std::string field = reader.word().text;
        if (!reader.accept(field) || !reader.accept("=")) break;
        scope_.values[name + "." + field] = reader.read();
        reader.accept(",");
      }
    } else {
      set_value(name, reader.read());
    }
    if (reader.failed() || !reader.at_end()) ok_ = false;
  }

  std::vector<TemplateItem> items_;
  std::vector<Statement> statements_;
  TemplateScope scope_;
  std::string output_;
  int steps_ = 0;
  bool ok_ = true;
  bool readable_ = true;
};

} // namespace

std::optional<std::string> render_template(std::string_view source, const std::vector<TemplateMessage>& messages,
                                           const std::string& bos_token) {
  auto items = split_template(source);
  if (!items) return std::nullopt;
  return Renderer(std::move(*items), messages, bos_token).render();
}

} // namespace kern
