#include "tokenizer/template_renderer.h"

#include "tokenizer/template_expression.h"
#include "tokenizer/template_lexer.h"

namespace kern {

namespace {

constexpr std::size_t most_steps = 200'000; // words and items looked at: the largest templates take a tenth
constexpr std::size_t most_values = 500;
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

  void step(std::size_t count) {
    steps_ += count;
    if (steps_ > most_steps || scope_.values.size() > most_values) ok_ = false;
  }

  /// The next item at this depth, from `i` on, whose keyword ends or divides a block.
  std::size_t find_divider(std::size_t i, std::size_t end) {
    int depth = 0;
    for (; i < end; ++i) {
      step(1);
      if (!ok_) break;
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
      step(1 + statements_[i].words.size());
      const TemplateItem& item = items_[i];
      if (keyword(i) == "if") {
        i = run_if(i, end, depth);
      } else if (keyword(i) == "for") {
        i = run_for(i, end, depth);
      } else if (keyword(i) == "macro") {
        i = find_divider(i + 1, end) + 1; // calls are unknown anyway
      } else {
        if (item.kind == TemplateItem::Kind::text) print(item.content);
        else if (item.kind == TemplateItem::Kind::expression) print_value(i);
        else if (keyword(i) == "set") assign(i);
        // {% generation %} marks what to train on
        else if (keyword(i) != "generation" && keyword(i) != "endgeneration") ok_ = false;
        ++i;
      }
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
    step(statements_[i].words.size());
    ExpressionReader reader(scope_, statements_[i].words, 1);
    const auto result = truth(reader.read());
    return reader.failed() || !reader.at_end() ? std::nullopt : result;
  }

  std::size_t run_if(std::size_t i, std::size_t end, int depth) {
    bool done = false;  // a branch was taken
    bool maybe = false; // a branch may have been taken
    while (ok_) {
      const std::size_t next = find_divider(i + 1, end);
      if (!ok_) break;
      if (!done) {
        const auto holds = keyword(i) == "else" ? std::optional(true) : condition(i);
        if (!holds) maybe = true;
        if (maybe && holds != false) forget(i + 1, next); // harmless if it prints nothing
        else if (holds == true) run(i + 1, next, depth + 1);
        done = holds == true;
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
    const std::size_t mark = undo_.size();
    set_value("loop", UnknownValue{});
    set_value(name, MessageValue{message});
    set_field("loop.first", message == first);
    set_field("loop.last", message + 1 == scope_.messages.size());
    set_field("loop.index0", static_cast<std::int64_t>(message - first));
    set_field("loop.index", static_cast<std::int64_t>(message - first + 1));
    run(begin, end, depth + 1);
    // What a round sets ends with it, except the fields of namespaces from outside.
    for (; undo_.size() > mark; undo_.pop_back()) {
      auto& [key, value] = undo_.back();
      if (value) scope_.values[key] = std::move(*value);
      else scope_.values.erase(key);
    }
  }

  /// Code that may or may not run: what it assigns is unknown from here on, and it must not print.
  void forget(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      step(1);
      const TemplateItem& item = items_[i];
      const bool blank = item.content.find_first_not_of(" \t\r\n") == std::string::npos;
      if (item.kind == TemplateItem::Kind::expression && !raises(i)) ok_ = false;
      if (item.kind == TemplateItem::Kind::text && (!blank || item.content.find('\n') != std::string::npos))
        ok_ = false;
      if (keyword(i) == "set") set_value(target(i), UnknownValue{});
    }
  }

  /// {{ raise_exception(...) }} prints nothing: where it runs, the template refuses the messages.
  bool raises(std::size_t i) const { return statements_[i].words[0].text == "raise_exception"; }

  /// "name" or "name.field" of a set statement; empty for the block form, which isn't in the subset.
  std::string target(std::size_t i) {
    const std::vector<TemplateWord>& words = statements_[i].words;
    std::string name;
    for (std::size_t w = 1; w < words.size() && (words[w].kind == TemplateWord::Kind::name || words[w].text == ".");
         ++w)
      name += words[w].text;
    if (name.empty()) ok_ = false;
    return name;
  }

  /// Remembers a value, and that it is absent, for the end of the round.
  void remember(const std::string& name) {
    const auto found = scope_.values.find(name);
    undo_.emplace_back(name, found == scope_.values.end() ? std::nullopt : std::optional(found->second));
  }

  void set_field(const std::string& name, TemplateValue value) {
    remember(name);
    scope_.values[name] = std::move(value);
  }

  void set_value(const std::string& name, TemplateValue value) {
    if (name.find('.') != std::string::npos) {
      scope_.values[name] = std::move(value); // a namespace's field outlives the round
      return;
    }
    const std::string fields = name + ".";
    for (auto field = scope_.values.lower_bound(fields);
         field != scope_.values.end() && field->first.starts_with(fields);) {
      remember(field->first);
      field = scope_.values.erase(field);
    }
    set_field(name, std::move(value));
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
        set_field(name + "." + field, reader.read());
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
  std::size_t steps_ = 0;
  std::vector<std::pair<std::string, std::optional<TemplateValue>>> undo_; // what values were before the loop's round
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
