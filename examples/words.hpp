// Counting words: what both word counters share.
//
// A word is a longest run of ASCII letters within one file, in lower case; all other bytes separate. Directories are
// walked to their end, symbolic links are not followed below them. So this gives exactly the same result, line by line:
//
//     LC_ALL=C grep -rohaE '[A-Za-z]+' PATH… | tr A-Z a-z | LC_ALL=C sort | uniq -c
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace words {

// How often each word was seen. An open table whose words lie one after another in one buffer: few allocations, so that
// it costs few system calls.
class Counts {
public:
    void add(std::string_view word, std::uint64_t times = 1);

    struct Entry {
        std::uint64_t times = 0;
        std::uint64_t hash = 0;
        std::uint64_t offset = 0;
        std::uint32_t length = 0;
    };
    [[nodiscard]] std::string_view word(const Entry& entry) const {
        return {text_.data() + entry.offset, entry.length};
    }
    // Every word once; the order means nothing.
    template <typename Visit>
    void for_each(Visit&& visit) const {
        for (const Entry& entry : table_)
            if (entry.times != 0) visit(entry);
    }
    [[nodiscard]] std::size_t size() const { return used_; }

private:
    void grow();

    std::vector<Entry> table_;
    std::vector<char> text_;
    std::size_t used_ = 0;
};

// In which of `parts` equal shares of all words a word lies.
std::size_t part_of(const Counts::Entry& entry, std::size_t parts);

struct Totals {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t words = 0;
};

// The files below `paths`. Paths that cannot be read are named on standard error.
std::vector<std::string> list_files(const std::vector<std::string>& paths);
// Counts the words of one file.
void count_file(const std::string& path, Counts& counts, Totals& totals);

// The exit code: 0, or 1 when not one file could be counted, which is then said.
int verdict(const Totals& totals);

// A list of counts as it travels: "times word\n" each.
std::string to_text(const Counts& counts, std::size_t part, std::size_t parts);
void add_text(std::string_view text, Counts& counts);

// As `uniq -c` prints it, ordered by word; with `top`, the most frequent ones only, most frequent first.
void print(const Counts& counts, std::size_t top);

// WORDCOUNT [--top N] [--threads N] PATH…
struct Options {
    std::size_t top = 0;
    std::size_t threads = 0;
    std::vector<std::string> paths;
};
// Prints the usage and exits with 2 where the arguments cannot be meant.
Options parse(int argc, char** argv);

void report(const Totals& totals, const Counts& counts, double seconds, const std::string& by_whom);

}  // namespace words
