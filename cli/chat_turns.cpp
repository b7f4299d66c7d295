#include "cli/chat_turns.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/answer_stream.h"
#include "cli/chat_status.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/sampler_flags.h"
#include "cli/signals.h"
#include "model/error.h"

namespace kern {

ChatTurns::ChatTurns(const LoadedModel& loaded, Session& session, ConversationEncoder encoder, ChatOptions options)
    : loaded_(loaded), session_(session), encoder_(std::move(encoder)), options_(std::move(options)),
      ids_(*loaded.tokenizer), dialogue_(options_.overflow) {
  set_generation(options_.generation);
}

void ChatTurns::set_generation(const GenerationFlags& generation) {
  const SamplerOptions sampling =
      choose_sampling(generation, loaded_.gguf.metadata(), *loaded_.tokenizer, encoder_.end_tokens()).options;
  sampler_.emplace(sampling, static_cast<std::size_t>(loaded_.spec.vocab_size));
  options_.generation = generation;
  options_.generation.seed = sampling.seed; // one seed for all turns
}

ChatTurns::Fitted ChatTurns::fit() {
  const auto context = static_cast<std::size_t>(session_.context());
  const int wanted = options_.generation.max_tokens;
  const std::size_t for_answer =
      wanted < 0 ? context / 4 : std::clamp<std::size_t>(static_cast<std::size_t>(wanted), 1, context / 2 + 1);
  for (;;) {
    Fitted fitted{encoder_.render(dialogue_.visible()), {}};
    fitted.tokens = ids_.encode(fitted.text);
    if (fitted.tokens.empty())
      throw Error(ExitCode::usage, "the message is empty, and the template writes nothing around it; write something");
    const std::size_t needed = fitted.tokens.size() + 1;
    const bool drops = options_.overflow != Overflow::refuse;
    if (fitted.tokens.size() + (drops ? for_answer : 1) <= context) return fitted;
    if (dialogue_.hide_one()) continue;
    if (needed <= context) return fitted;
    throw Error(ExitCode::context_full,
                fmt::format("the conversation with this message has {} tokens and the answer needs one more, but the "
                            "context holds {}; /undo or /clear makes room, so does --overflow oldest-turns or -c",
                            fitted.tokens.size(), context));
  }
}

bool ChatTurns::answer(std::uint32_t draw) {
  const std::size_t hidden_before = dialogue_.hidden();
  Fitted fitted = fit();
  const std::size_t hidden = dialogue_.hidden();
  if (hidden != hidden_before && !options_.quiet)
    write_notice(
        fmt::format("kern: the conversation no longer fits the context: the model doesn't see {} of the {} exchanges\n",
                    hidden, hidden + dialogue_.visible_exchanges()));
  const std::vector<Token>& known = session_.tokens();
  const auto same = static_cast<std::size_t>(std::ranges::mismatch(known, fitted.tokens).in1 - known.begin());
  // The logits behind the last token are needed, so that one is read in any case.
  const int kept = session_.rollback(static_cast<int>(std::min(same, fitted.tokens.size() - 1)));
  TurnRecord record{fitted.tokens.size(), static_cast<std::size_t>(kept), hidden, draw, {}};
  const ThinkPlan think = encoder_.plan_thinking(fitted.text);
  AnswerStream stream(*loaded_.tokenizer, options_.quiet ? Shown::answer : Shown::all,
                      loaded_.tokenizer->restarts_text(fitted.tokens.back()), think);
  const Prompt prompt{{fitted.tokens.begin() + kept, fitted.tokens.end()}, encoder_.end_tokens(), draw, think};
  record.result = stream_answer(options_.generation, options_.quiet, session_, *sampler_, prompt, stream);
  const EndReason reason = record.result.reason;
  const bool answered =
      !record.result.tokens.empty() || (reason != EndReason::interrupted && reason != EndReason::time);
  if (answered) {
    const std::string text = replace_invalid_utf8(stream.text());
    ids_.remember(fitted.text, std::move(fitted.tokens), text, record.result.tokens);
    dialogue_.add("assistant", text, std::string(end_reason_name(record.result.reason)));
  }
  last_ = std::move(record);
  ++answers_;
  return answered;
}

ExitCode ChatTurns::answer_or_restore(Dialogue before, std::uint32_t draw, bool changes_stored) {
  bool answered = false;
  try {
    answered = answer(draw);
  } catch (...) {
    dialogue_ = std::move(before);
    throw;
  }
  const ExitCode code = exit_code(last_->result.reason);
  if (!answered) {
    dialogue_ = std::move(before);
    if (!options_.quiet) write_notice(chat_notice("nothing was answered; the conversation is as it was before"));
    return code;
  }
  draw_ = draw;
  stale_ = stale_ || (changes_stored && file_ != nullptr);
  if (!options_.quiet) write_notice(chat_notice(status_text(*last_, session_.context())));
  const ExitCode stored = store();
  return stored != ExitCode::ok ? stored : code;
}

ExitCode ChatTurns::send(const std::string& text) {
  Dialogue before = dialogue_;
  dialogue_.add("user", text);
  return answer_or_restore(std::move(before), 0, false);
}

ExitCode ChatTurns::regenerate() {
  const bool again = !dialogue_.waits_for_answer();
  if (!last_message()) throw Error(ExitCode::usage, "there is no message to answer yet; write one");
  Dialogue before = dialogue_;
  while (!dialogue_.waits_for_answer()) dialogue_.take_last();
  return answer_or_restore(std::move(before), again ? draw_ + 1 : 0, again);
}

ExitCode ChatTurns::send_instead(const std::string& text) {
  Dialogue before = dialogue_;
  dialogue_.take_last_exchange();
  dialogue_.add("user", text);
  return answer_or_restore(std::move(before), 0, true);
}

std::optional<std::string> ChatTurns::last_message() const {
  const auto& messages = dialogue_.messages();
  const auto last = std::find_if(messages.rbegin(), messages.rend(), [](const auto& m) { return m.role == "user"; });
  return last == messages.rend() ? std::nullopt : std::optional(last->content);
}

void ChatTurns::changed() {
  draw_ = 0;
  stale_ = file_ != nullptr;
}

std::size_t ChatTurns::undo() {
  const std::size_t count = dialogue_.take_last_exchange().size();
  if (count != 0) changed();
  return count;
}

void ChatTurns::clear() {
  dialogue_.clear();
  sampler_->reset();
  changed();
}

void ChatTurns::set_system(const std::string& text) {
  Dialogue with = dialogue_;
  with.set_system(text);
  Dialogue probe = with;
  if (!probe.waits_for_answer()) probe.add("user", "");
  encoder_.render(probe.visible());
  dialogue_ = std::move(with);
  changed();
}

void ChatTurns::load(std::vector<SessionMessage> messages) {
  dialogue_.replace(std::move(messages));
  changed();
}

void ChatTurns::open(std::unique_ptr<SessionFile> file) {
  dialogue_.replace(file->messages());
  file_ = std::move(file);
  stored_ = dialogue_.messages().size();
  draw_ = 0;
  stale_ = false;
}

void ChatTurns::branch(const std::filesystem::path& path) {
  file_ = make_session(path, dialogue_.messages());
  stored_ = dialogue_.messages().size();
  stale_ = false;
}

ExitCode ChatTurns::store() {
  if (!file_) return ExitCode::ok;
  const std::span<const SessionMessage> messages = dialogue_.messages();
  try {
    if (stale_) file_->rewrite(messages);
    else if (stored_ < messages.size()) file_->append(messages.subspan(stored_));
  } catch (const Error& error) {
    write_notice(fmt::format("kern: {}; the chat goes on, and kern tries again with the next turn and at the end\n",
                             error.what()));
    return error.code();
  }
  stored_ = messages.size();
  stale_ = false;
  return ExitCode::ok;
}

std::size_t ChatTurns::count_tokens(const std::string& text) const {
  return loaded_.tokenizer->encode(text, {.add_special = false, .parse_special = false}).size();
}

} // namespace kern
