// Counts words with threads: an ordinary C++ program, nothing of divisi in it.
//
//     wordcount_threads [--top N] [--threads N] PATH...
//
// As many threads as there are CPUs for this process, unless told otherwise; --threads 1 is the serial count. What the
// words are, and the pipeline that must agree: words.hpp.
#include <sched.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "words.hpp"

namespace {

std::size_t cpus() {
    cpu_set_t mask;
    if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;
    return static_cast<std::size_t>(CPU_COUNT(&mask));
}

// Runs `task(0)` … `task(count - 1)`, each on a thread of its own.
void on_threads(std::size_t count, const std::function<void(std::size_t)>& task) {
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < count; ++i) threads.emplace_back(task, i);
    task(0);
    for (std::thread& thread : threads) thread.join();
}

struct Share {
    words::Counts counts;
    words::Totals totals;
};

std::vector<Share> count(const std::vector<std::string>& files, std::size_t threads) {
    std::vector<Share> shares(threads);
    std::atomic<std::size_t> next = 0;
    on_threads(threads, [&](std::size_t thread) {
        Share share;  // built here, so that no two threads write to one cache line
        for (std::size_t file = next++; file < files.size(); file = next++)
            words::count_file(files[file], share.counts, share.totals);
        shares[thread] = std::move(share);
    });
    return shares;
}

// Each thread sums up its share of the words, over all that were counted.
std::vector<words::Counts> sum_up(const std::vector<Share>& shares) {
    std::vector<words::Counts> sums(shares.size());
    on_threads(shares.size(), [&](std::size_t thread) {
        words::Counts sum;
        for (const Share& share : shares)
            share.counts.for_each([&](const words::Counts::Entry& entry) {
                if (words::part_of(entry, shares.size()) == thread) sum.add(share.counts.word(entry), entry.times);
            });
        sums[thread] = std::move(sum);
    });
    return sums;
}

}  // namespace

int main(int argc, char** argv) {
    const words::Options options = words::parse(argc, argv);
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t threads = options.threads != 0 ? options.threads : cpus();
    const auto shares = count(words::list_files(options.paths), threads);
    words::Counts all;
    for (const words::Counts& sum : sum_up(shares))
        sum.for_each([&](const words::Counts::Entry& entry) { all.add(sum.word(entry), entry.times); });
    words::Totals totals;
    for (const Share& share : shares) {
        totals.files += share.totals.files;
        totals.bytes += share.totals.bytes;
        totals.words += share.totals.words;
    }
    words::print(all, options.top);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    words::report(totals, all, seconds.count(), std::to_string(threads) + " threads");
    return words::verdict(totals);
}
