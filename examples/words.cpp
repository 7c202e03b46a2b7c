#include "words.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace words {
namespace {

// A file is read in pieces of this size: mostly in one.
constexpr std::size_t kReadBytes = 256U << 10U;

std::uint64_t hash_of(std::string_view word) {
    std::uint64_t hash = 0x9e3779b97f4a7c15ULL;
    for (const char letter : word) hash = (hash ^ static_cast<unsigned char>(letter)) * 0xff51afd7ed558ccdULL;
    return hash ^ (hash >> 29U);
}

// The letter in lower case, or 0.
constexpr unsigned char fold(unsigned char byte) {
    if (byte >= 'A' && byte <= 'Z') return static_cast<unsigned char>(byte + ('a' - 'A'));
    return byte >= 'a' && byte <= 'z' ? byte : 0;
}

void complain(const std::string& path) {
    std::fprintf(stderr, "wordcount: %s: %s\n", path.c_str(), std::strerror(errno));
}

void list_folder(const std::string& path, std::vector<std::string>& files);

void list_entry(const std::string& path, unsigned char type, std::vector<std::string>& files) {
    if (type == DT_UNKNOWN) {
        struct stat status {};
        if (::lstat(path.c_str(), &status) != 0) return complain(path);
        type = S_ISDIR(status.st_mode) ? DT_DIR : S_ISREG(status.st_mode) ? DT_REG : DT_LNK;
    }
    if (type == DT_DIR) list_folder(path, files);
    if (type == DT_REG) files.push_back(path);
}

void list_folder(const std::string& path, std::vector<std::string>& files) {
    DIR* const folder = ::opendir(path.c_str());
    if (folder == nullptr) return complain(path);
    while (const dirent* entry = ::readdir(folder)) {
        const std::string_view name = static_cast<const char*>(entry->d_name);
        if (name != "." && name != "..") list_entry(path + "/" + std::string(name), entry->d_type, files);
    }
    ::closedir(folder);
}

// Takes the words out of a stream of pieces.
class Splitter {
public:
    explicit Splitter(Counts& counts) : counts_(counts) {}

    void feed(const unsigned char* bytes, std::size_t length) {
        for (std::size_t i = 0; i < length; ++i) {
            const unsigned char letter = fold(bytes[i]);
            if (letter != 0)
                word_.push_back(static_cast<char>(letter));
            else
                finish();
        }
    }
    void finish() {
        if (word_.empty()) return;
        counts_.add(word_);
        ++words_;
        word_.clear();
    }
    [[nodiscard]] std::uint64_t words() const { return words_; }

private:
    Counts& counts_;
    std::string word_;
    std::uint64_t words_ = 0;
};

std::size_t number_of(const char* text) {
    std::size_t number = 0;
    const char* const end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, number);
    return error == std::errc() && stop == end ? number : 0;
}

[[noreturn]] void usage(const char* program) {
    std::fprintf(stderr, "usage: %s [--top N] [--threads N] PATH...\n", program);
    std::exit(2);
}

}  // namespace

void Counts::add(std::string_view word, std::uint64_t times) {
    if ((used_ + 1) * 4 > table_.size() * 3) grow();
    const std::uint64_t hash = hash_of(word);
    std::size_t at = hash & (table_.size() - 1);
    while (table_[at].times != 0 && (table_[at].hash != hash || this->word(table_[at]) != word))
        at = (at + 1) & (table_.size() - 1);
    if (table_[at].times == 0) {
        table_[at] = {0, hash, text_.size(), static_cast<std::uint32_t>(word.size())};
        text_.insert(text_.end(), word.begin(), word.end());
        ++used_;
    }
    table_[at].times += times;
}

void Counts::grow() {
    std::vector<Entry> larger(std::max<std::size_t>(table_.size() * 2, 4096));
    for (const Entry& entry : table_) {
        if (entry.times == 0) continue;
        std::size_t at = entry.hash & (larger.size() - 1);
        while (larger[at].times != 0) at = (at + 1) & (larger.size() - 1);
        larger[at] = entry;
    }
    table_ = std::move(larger);
}

std::size_t part_of(const Counts::Entry& entry, std::size_t parts) {
    return static_cast<std::size_t>((entry.hash >> 32U) % parts);
}

int verdict(const Totals& totals) {
    if (totals.files != 0) return 0;
    std::fputs("wordcount: no file could be read, and nothing was counted\n", stderr);
    return 1;
}

std::vector<std::string> list_files(const std::vector<std::string>& paths) {
    std::vector<std::string> files;
    for (const std::string& path : paths) {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0)
            complain(path);
        else
            list_entry(path, S_ISDIR(status.st_mode) ? DT_DIR : DT_REG, files);
    }
    return files;
}

void count_file(const std::string& path, Counts& counts, Totals& totals) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return complain(path);
    std::vector<unsigned char> buffer(kReadBytes);
    Splitter splitter(counts);
    ssize_t length = 0;
    do {
        length = ::read(file, buffer.data(), buffer.size());
        if (length < 0) complain(path);
        if (length <= 0) break;
        splitter.feed(buffer.data(), static_cast<std::size_t>(length));
        totals.bytes += static_cast<std::uint64_t>(length);
        // A regular file yields less than was asked for only at its end.
    } while (static_cast<std::size_t>(length) == buffer.size());
    splitter.finish();
    ::close(file);
    ++totals.files;
    totals.words += splitter.words();
}

std::string to_text(const Counts& counts, std::size_t part, std::size_t parts) {
    std::string text;
    counts.for_each([&](const Counts::Entry& entry) {
        if (part_of(entry, parts) != part) return;
        text += std::to_string(entry.times);
        text += ' ';
        text += counts.word(entry);
        text += '\n';
    });
    return text;
}

void add_text(std::string_view text, Counts& counts) {
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos || space > end) return;
        std::uint64_t times = 0;
        std::from_chars(text.data(), text.data() + space, times);
        if (times != 0) counts.add(text.substr(space + 1, end - space - 1), times);
        text.remove_prefix(end + 1);
    }
}

void print(const Counts& counts, std::size_t top) {
    std::vector<Counts::Entry> entries;
    entries.reserve(counts.size());
    counts.for_each([&](const Counts::Entry& entry) { entries.push_back(entry); });
    const auto by_word = [&](const auto& a, const auto& b) { return counts.word(a) < counts.word(b); };
    const auto by_times = [&](const auto& a, const auto& b) {
        return a.times != b.times ? a.times > b.times : by_word(a, b);
    };
    if (top == 0) {
        std::sort(entries.begin(), entries.end(), by_word);
    } else {
        std::sort(entries.begin(), entries.end(), by_times);
        entries.resize(std::min(top, entries.size()));
    }
    std::string text;
    for (const Counts::Entry& entry : entries) {
        const std::string times = std::to_string(entry.times);
        text.append(times.size() < 7 ? 7 - times.size() : 0, ' ');
        text += times;
        text += ' ';
        text += counts.word(entry);
        text += '\n';
    }
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--top" || argument == "--threads") {
            const std::size_t number = i + 1 < argc ? number_of(argv[++i]) : 0;
            if (number == 0) usage(argv[0]);
            (argument == "--top" ? options.top : options.threads) = number;
        } else if (argument.starts_with("-")) {
            usage(argv[0]);
        } else {
            options.paths.emplace_back(argument);
        }
    }
    if (options.paths.empty()) usage(argv[0]);
    return options;
}

void report(const Totals& totals, const Counts& counts, double seconds, const std::string& by_whom) {
    std::fprintf(stderr, "%llu words, %zu different, in %llu files, %llu bytes, by %s: %.3f s\n",
                 static_cast<unsigned long long>(totals.words), counts.size(),
                 static_cast<unsigned long long>(totals.files), static_cast<unsigned long long>(totals.bytes),
                 by_whom.c_str(), seconds);
}

}  // namespace words
