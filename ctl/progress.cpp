#include "ctl/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

namespace divisi::ctl {
namespace {

constexpr std::chrono::milliseconds kQuick{400};
constexpr std::chrono::milliseconds kStep{200};

}  // namespace

Progress::Progress(std::string text) : text_(std::move(text)) {
    if (::isatty(STDERR_FILENO) == 1) thread_ = std::thread([this] { show(); });
}

Progress::~Progress() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        done_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Progress::show() {
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kQuick, [this] { return done_; })) return;
    do {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        fmt::print(stderr, "\r\033[K{} … {:.0f}s", text_, took.count());
        std::fflush(stderr);
    } while (!changed_.wait_for(lock, kStep, [this] { return done_; }));
    fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
}

}  // namespace divisi::ctl
