#include "tests/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char** environ;

namespace kern::test {

namespace {

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

void close_file(int& file) {
  if (file >= 0) ::close(file);
  file = -1;
}

/// [0] is read, [1] is written; no other process inherits them.
std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) fail("pipe");
  for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  return ends;
}

void make_nonblocking(int file) { ::fcntl(file, F_SETFL, ::fcntl(file, F_GETFL) | O_NONBLOCK); }

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& additions) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (!std::string_view(*entry).starts_with("KERN_")) out.emplace_back(*entry);
  out.emplace_back("KERN_SEED=1"); // a test that passes once passes always
  for (const auto& addition : additions) {
    const std::string name = addition.first + "=";
    std::erase_if(out, [&](const std::string& entry) { return entry.starts_with(name); });
    out.push_back(name + addition.second);
  }
  return out;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// In the child, between fork and exec: only calls that are safe there.
void take_place(int file, int place) {
  if (file < 0) ::close(place);
  else ::dup2(file, place);
}

} // namespace

Process::Process(const std::string& executable, const std::vector<std::string>& arguments, ProcessOptions options)
    : options_(std::move(options)), begin_(Clock::now()) {
  out_.text = &result_.out;
  err_.text = &result_.err;
  start(executable, arguments);
}

Process::~Process() {
  if (!ended_) {
    ::kill(pid_, SIGKILL);
    reap(true);
  }
  for (int* file : {&out_.file, &err_.file, &in_, &unread_}) close_file(*file);
}

int Process::open_terminal(int* controller) {
  *controller = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*controller < 0 || ::grantpt(*controller) != 0 || ::unlockpt(*controller) != 0) fail("no pseudo-terminal");
  const int terminal = ::open(::ptsname(*controller), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) fail("no pseudo-terminal");
  termios settings{};
  ::tcgetattr(terminal, &settings);
  if (!options_.one_terminal) settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  ::tcsetattr(terminal, TCSANOW, &settings);
  winsize size{};
  size.ws_row = 24;
  size.ws_col = 80;
  ::ioctl(terminal, TIOCSWINSZ, &size);
  return terminal;
}

int Process::open_input(int* parent_end) {
  if (options_.input == Input::closed) return -1;
  if (options_.input == Input::nothing) return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (options_.input == Input::terminal) return open_terminal(parent_end);
  const auto ends = make_pipe();
  *parent_end = ends[1];
  make_nonblocking(ends[1]);
  return ends[0];
}

int Process::open_output(Output kind, Stream& stream) {
  if (kind == Output::closed) return -1;
  if (kind == Output::full) return ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (kind == Output::terminal) {
    const int terminal = open_terminal(&stream.file);
    make_nonblocking(stream.file);
    return terminal;
  }
  const auto ends = make_pipe();
  if (kind == Output::unread) unread_ = ends[0];
  else stream.file = ends[0];
  make_nonblocking(ends[0]);
  return ends[1];
}

void Process::become(int in, int out, int err) const {
  take_place(in, STDIN_FILENO);
  take_place(out, STDOUT_FILENO);
  take_place(err, STDERR_FILENO);
  if (options_.leads_session && ::setsid() >= 0) ::ioctl(STDOUT_FILENO, TIOCSCTTY, 0);
  if (options_.address_space != 0) {
    const rlimit limit{options_.address_space, options_.address_space};
    ::setrlimit(RLIMIT_AS, &limit);
  }
  if (options_.file_size != 0) {
    const rlimit limit{options_.file_size, options_.file_size};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  // Whoever runs the tests may ignore some (nohup, a job in the background), and a child inherits that.
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE}) ::signal(signal, SIG_DFL);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
}

void Process::start(const std::string& executable, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{executable};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = environment_with(options_.environment);
  const std::vector<char*> argv = pointers_to(words);
  const std::vector<char*> envp = pointers_to(environment);
  int in = -1, out = -1, err = -1;
  if (options_.one_terminal) {
    in = open_terminal(&out_.file);
    out = ::fcntl(in, F_DUPFD_CLOEXEC, 0);
    err = ::fcntl(in, F_DUPFD_CLOEXEC, 0);
    in_ = ::fcntl(out_.file, F_DUPFD_CLOEXEC, 0);
    make_nonblocking(out_.file);
    options_.leads_session = true;
  } else {
    in = open_input(&in_);
    out = open_output(options_.out, out_);
    err = open_output(options_.err, err_);
  }

  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    become(in, out, err);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  for (int* file : {&in, &out, &err}) close_file(*file);
  // A child that doesn't read its input must not end the tests.
  ::signal(SIGPIPE, SIG_IGN);
  if (!options_.one_terminal && options_.input == Input::bytes && options_.bytes.empty()) close_file(in_);
}

void Process::read_some(Stream& stream) {
  std::array<char, 1 << 16> part{};
  std::size_t room = part.size();
  if (&stream == &out_ && options_.close_after)
    room = std::min(room, *options_.close_after - std::min(*options_.close_after, stream.text->size()));
  const ssize_t count = room != 0 ? ::read(stream.file, part.data(), room) : 0;
  if (count > 0) stream.text->append(part.data(), static_cast<std::size_t>(count));
  // The controlling end of a terminal says EIO where a pipe ends.
  else if (count == 0 || (errno != EAGAIN && errno != EINTR)) close_file(stream.file);
  if (&stream == &out_ && options_.close_after && stream.text->size() >= *options_.close_after) close_file(stream.file);
}

void Process::write_some() {
  const ssize_t count = ::write(in_, options_.bytes.data() + written_, options_.bytes.size() - written_);
  if (count > 0) written_ += static_cast<std::size_t>(count);
  const bool broken = count < 0 && errno != EAGAIN && errno != EINTR;
  if (broken || written_ == options_.bytes.size()) close_file(in_);
}

bool Process::exchange(std::chrono::milliseconds wait) {
  const bool writes = !options_.one_terminal && options_.input == Input::bytes && in_ >= 0;
  std::array<pollfd, 3> files{pollfd{out_.file, POLLIN, 0}, pollfd{err_.file, POLLIN, 0},
                              pollfd{writes ? in_ : -1, POLLOUT, 0}};
  if (out_.file >= 0 || err_.file >= 0 || writes) ::poll(files.data(), files.size(), static_cast<int>(wait.count()));
  if (files[0].revents != 0) read_some(out_);
  if (files[1].revents != 0) read_some(err_);
  if (files[2].revents != 0) write_some();
  if (!ended_ && Clock::now() - begin_ > options_.limit) {
    result_.timed_out = true;
    ::kill(pid_, SIGKILL);
    reap(true);
  }
  return out_.file >= 0 || err_.file >= 0;
}

bool Process::reap(bool wait) {
  if (ended_) return true;
  int status = 0;
  pid_t found = 0;
  do found = ::waitpid(pid_, &status, wait ? 0 : WNOHANG);
  while (found < 0 && errno == EINTR);
  if (found == 0) return false;
  ended_ = true;
  result_.duration = Clock::now() - begin_;
  if (WIFEXITED(status)) result_.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
  return true;
}

bool Process::read_until(const std::function<bool(const ProcessResult&)>& done) {
  while (!done(result_))
    if (!exchange(std::chrono::milliseconds(100)) || result_.timed_out) return done(result_);
  return true;
}

bool Process::still_runs_after(std::chrono::milliseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end && !reap(false)) {
    if (!exchange(std::chrono::milliseconds(20))) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return !reap(false);
}

void Process::send(int signal) const {
  if (!ended_) ::kill(pid_, signal);
}

void Process::type(std::string_view keys) const {
  while (!keys.empty()) {
    const ssize_t count = ::write(in_, keys.data(), keys.size());
    if (count < 0 && errno != EINTR && errno != EAGAIN) fail("no terminal to type at");
    if (count > 0) keys.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Process::resize_terminal(int columns) const {
  winsize size{};
  size.ws_row = 24;
  size.ws_col = static_cast<unsigned short>(columns);
  if (::ioctl(options_.one_terminal ? out_.file : err_.file, TIOCSWINSZ, &size) != 0) fail("no terminal to resize");
  send(SIGWINCH);
}

void Process::hang_up() {
  close_file(out_.file);
  if (options_.one_terminal) close_file(in_);
}

ProcessResult Process::finish() {
  while (!reap(false))
    if (!exchange(std::chrono::milliseconds(20))) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  // What it wrote last may still lie in the pipes. Only a process that it left behind could keep them open for longer.
  const auto end = Clock::now() + std::chrono::seconds(2);
  while (exchange(std::chrono::milliseconds(20)) && Clock::now() < end) {
  }
  return result_;
}

ProcessResult run_process(const std::string& executable, const std::vector<std::string>& arguments,
                          const ProcessOptions& options) {
  return Process(executable, arguments, options).finish();
}

} // namespace kern::test
