// SPDX-License-Identifier: MIT
// Progress: the text of its line, a bar drawn over itself on a terminal, elsewhere a line every few
// seconds, and one warning of values that the rewards do not allow.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <polyq/train/progress.hpp>
#include <string>

namespace {

using polyq::Chunk;
using polyq::Progress;

Chunk chunk_at(std::uint64_t env_steps, double seconds) {
  Chunk chunk{};
  chunk.env_steps = env_steps;
  chunk.total_env_steps = 50'000;
  chunk.seconds = seconds;
  chunk.exploration = .05f;
  chunk.training_return = 195.25;
  chunk.largest_value = 12;
  chunk.value_bound = 100;
  return chunk;
}

/// A file that a progress writes to, and all that it wrote.
class Paper {
 public:
  std::FILE* file() { return file_.get(); }
  std::string text() {
    std::fflush(file_.get());
    std::rewind(file_.get());
    std::string all;
    for (int c = std::fgetc(file_.get()); c != EOF; c = std::fgetc(file_.get())) all += char(c);
    return all;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_{std::tmpfile()};
};

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("the text of a line") {
  CHECK(Progress::line(chunk_at(21'000, 8)) ==
        " 42%|####      | 21000/50000 [00:08<00:11, 2625.00it/s, return=195.2, epsilon=0.05, "
        "|Q|=12/100]");

  Chunk first = chunk_at(0, 0);  // no time yet: no rate, and nothing to say of what is left
  first.training_return = std::numeric_limits<double>::quiet_NaN();
  first.exploration = 1;
  first.largest_value = 0;
  CHECK(Progress::line(first) ==
        "  0%|          | 0/50000 [00:00<00:00, 0.00it/s, return=nan, epsilon=1, |Q|=0/100]");

  Chunk last = chunk_at(50'000, 3'725.5);
  last.largest_value = 1'234'567;
  CHECK(Progress::line(last) ==
        "100%|##########| 50000/50000 [1:02:05<00:00, 13.42it/s, return=195.2, epsilon=0.05, "
        "|Q|=1.23e+06/100]");

  Chunk slow = chunk_at(4'999, 599.88);  // just under a tenth
  slow.exploration = .12345f;
  slow.training_return = -21;
  CHECK(Progress::line(slow) ==
        "  9%|          | 4999/50000 [09:59<1:30:00, 8.33it/s, return=-21.0, epsilon=0.123, "
        "|Q|=12/100]");
}

TEST_CASE("elsewhere than on a terminal it writes a line every five seconds, and the last one") {
  Paper paper;
  {
    Progress progress(paper.file(), false);
    for (int i = 1; i <= 500; ++i) progress.on_chunk(chunk_at(std::uint64_t(i) * 100, i * .025));
    CHECK(count(paper.text(), "\n") == 3);
  }
  const std::string text = paper.text();  // the end of the run adds nothing
  CHECK(text == Progress::line(chunk_at(20'000, 5)) + "\n" + Progress::line(chunk_at(40'000, 10)) +
                    "\n" + Progress::line(chunk_at(50'000, 12.5)) + "\n");
}

TEST_CASE("a run of less than five seconds leaves one line") {
  Paper paper;
  Progress progress(paper.file(), false);
  progress.on_chunk(chunk_at(25'000, 1));
  CHECK(paper.text().empty());
  progress.on_chunk(chunk_at(50'000, 2));
  CHECK(paper.text() == Progress::line(chunk_at(50'000, 2)) + "\n");
}

TEST_CASE("on a terminal a bar is drawn over itself ten times a second, and ended once") {
  Paper paper;
  {
    Progress progress(paper.file(), true);
    progress.on_chunk(chunk_at(100, .01));
    progress.on_chunk(chunk_at(200, .05));  // too soon after the first
    progress.on_chunk(chunk_at(300, .12));
    progress.on_chunk(chunk_at(50'000, .13));  // the last is always drawn
    progress.finish();
    progress.finish();
  }
  const auto bar = [](std::uint64_t env_steps, double seconds) {
    return "\r" + Progress::line(chunk_at(env_steps, seconds)) + "\x1b[K";
  };
  CHECK(paper.text() == bar(100, .01) + bar(300, .12) + bar(50'000, .13) + "\n");
}

TEST_CASE("a bar left unfinished is ended with the observer") {
  Paper paper;
  {
    Progress progress(paper.file(), true);
    progress.on_chunk(chunk_at(100, .01));
  }
  CHECK(paper.text().back() == '\n');
  CHECK(count(paper.text(), "\n") == 1);
  Paper untouched;
  { Progress progress(untouched.file(), true); }
  CHECK(untouched.text().empty());
}

TEST_CASE("values over twice their bound are warned of, once") {
  const std::string warning =
      "warning: largest |Q| = 201 at env step 200 is over twice what the rewards allow, r_max / "
      "(1 - discount) = 100\n";
  for (const bool terminal : {false, true}) {
    CAPTURE(terminal);
    Paper paper;
    {
      Progress progress(paper.file(), terminal);
      Chunk chunk = chunk_at(100, .01);
      chunk.largest_value = 200;  // at twice: not yet
      progress.on_chunk(chunk);
      CHECK(count(paper.text(), "warning") == 0);
      chunk = chunk_at(200, .02);
      chunk.largest_value = 201;
      progress.on_chunk(chunk);
      chunk = chunk_at(300, .03);
      chunk.largest_value = 5'000;
      progress.on_chunk(chunk);
    }
    CHECK(count(paper.text(), "warning") == 1);
    CHECK(count(paper.text(), warning) == 1);
    // It begins a line of its own, also below a bar.
    CHECK(
        (paper.text().find(warning) == 0 || paper.text()[paper.text().find(warning) - 1] == '\n'));
  }
}

TEST_CASE("without a bound, or before any reward, nothing is warned of") {
  Paper paper;
  Progress progress(paper.file(), false);
  Chunk chunk = chunk_at(100, .01);
  chunk.largest_value = 1e30f;
  for (const float bound : {0.f, std::numeric_limits<float>::infinity()}) {
    chunk.value_bound = bound;
    progress.on_chunk(chunk);
  }
  CHECK(paper.text().empty());
}
