// Counts words over all ranks, by messages alone.   wordcount [--top N] PATH...
//
// Rank 0 finds the files and deals out their names, as each rank asks for more. Every rank counts what it got; then
// they exchange their counts, so that each sums up its share of the words; rank 0 collects the sums and prints them. On
// interconnects where not all are linked, everyone sends its counts to rank 0 instead. What the words are, and the
// pipeline that must agree: words.hpp. Alone, it is the serial count.
#include <divisi.h>

#include <cstdio>
#include <cstdlib>

#include "words.hpp"

namespace {

enum Tag : std::uint64_t { kMore, kFiles, kShare, kTotals };

// Names are dealt out in batches: large ones at first, small ones at the end, so that all end at the same time.
constexpr std::size_t kMaxBatch = 64;

void check(int result) {
    if (result == DIVISI_OK) return;
    std::fprintf(stderr, "wordcount: %s\n", divisi_error());
    std::exit(1);
}

void send_text(int to, Tag tag, const std::string& text) {
    check(divisi_send(to, tag, text.data(), text.size()));
}

std::string receive_text(int from) {
    divisi_status status{};
    check(divisi_probe(from, &status));
    std::string text(status.length, '\0');
    check(divisi_recv(status.source, text.data(), text.size(), &status));
    return text;
}

std::string next_batch(std::vector<std::string>& files, std::size_t ranks) {
    const std::size_t count = std::min(kMaxBatch, files.size() / (4 * ranks) + 1);
    std::string batch;
    for (std::size_t i = 0; i < count && !files.empty(); ++i) {
        batch += files.back();
        batch += '\0';
        files.pop_back();
    }
    return batch;
}

void count_batch(const std::string& batch, words::Counts& counts, words::Totals& totals) {
    for (std::size_t at = 0; at < batch.size();) {
        const std::string path = batch.c_str() + at;
        words::count_file(path, counts, totals);
        at += path.size() + 1;
    }
}

// The rank that asks for more, or none: -1. Waits for one where there is nothing else to do.
int next_asking(bool wait) {
    divisi_status status{};
    const int result =
        wait ? divisi_recv(DIVISI_ANY, nullptr, 0, &status) : divisi_try_recv(DIVISI_ANY, nullptr, 0, &status);
    if (result == DIVISI_EAGAIN) return -1;
    check(result);
    return status.source;
}

// Rank 0: an empty batch tells a rank that there is no more. While nobody asks it counts by itself.
void deal_out(std::vector<std::string> files, words::Counts& counts, words::Totals& totals) {
    const auto ranks = static_cast<std::size_t>(divisi_size());
    std::size_t working = ranks - 1;
    while (working != 0 || !files.empty()) {
        const int asking = working == 0 ? -1 : next_asking(files.empty());
        const std::string batch = next_batch(files, asking == -1 ? 16 * ranks : ranks);
        if (asking == -1)
            count_batch(batch, counts, totals);
        else
            send_text(asking, kFiles, batch);
        if (asking != -1 && batch.empty()) --working;
    }
}

void work(words::Counts& counts, words::Totals& totals) {
    for (;;) {
        send_text(0, kMore, {});
        const std::string batch = receive_text(0);
        if (batch.empty()) return;
        count_batch(batch, counts, totals);
    }
}

// A tournament: in each round everybody meets one other (or nobody), the lower one speaks first. So no two wait for
// each other to receive.
words::Counts exchange(const words::Counts& own) {
    const int rank = divisi_rank();
    const int size = divisi_size();
    const auto parts = static_cast<std::size_t>(size);
    words::Counts sum;
    words::add_text(words::to_text(own, static_cast<std::size_t>(rank), parts), sum);
    for (int round = 0; round < size; ++round) {
        const int other = (round - rank + size) % size;
        if (other == rank) continue;
        const std::string mine = words::to_text(own, static_cast<std::size_t>(other), parts);
        if (rank < other) send_text(other, kShare, mine);
        words::add_text(receive_text(other), sum);
        if (rank > other) send_text(other, kShare, mine);
    }
    return sum;
}

void collect(words::Counts& counts, words::Totals& totals) {
    for (int rank = 1; rank < divisi_size(); ++rank) {
        words::add_text(receive_text(rank), counts);
        words::Totals part;
        check(divisi_recv(rank, &part, sizeof part, nullptr));
        totals.files += part.files;
        totals.bytes += part.bytes;
        totals.words += part.words;
    }
}

}  // namespace

int main(int argc, char** argv) {
    const words::Options options = words::parse(argc, argv);
    const double begin = divisi_time();
    words::Counts counts;
    words::Totals totals;
    check(divisi_init());
    if (divisi_rank() != 0 && divisi_hops(0) == 0) {
        std::fprintf(stderr, "wordcount: no way leads from rank %d to rank 0\n", divisi_rank());
        return 1;
    }
    if (divisi_rank() == 0)
        deal_out(words::list_files(options.paths), counts, totals);
    else
        work(counts, totals);
    // Nobody speaks of counts while rank 0 still listens for who wants more.
    check(divisi_barrier());
    if (divisi_size() > 1 && divisi_all_linked() != 0) counts = exchange(counts);
    if (divisi_rank() != 0) {
        send_text(0, kShare, words::to_text(counts, 0, 1));
        check(divisi_send(0, kTotals, &totals, sizeof totals));
        return 0;
    }
    collect(counts, totals);
    words::print(counts, options.top);
    words::report(totals, counts, divisi_time() - begin, std::to_string(divisi_size()) + " ranks");
    return words::verdict(totals);
}
