// The C++ thread library.
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <iostream>
#include <latch>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <shared_mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "check.h"

namespace {

using namespace std::chrono_literals;

constexpr int kThreads = 8;

void run(int count, auto&& body) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back([&body, i] { body(i); });
}

void counting() {
    std::mutex mutex;
    long plain = 0;
    std::atomic<long> atomic = 0;
    run(kThreads, [&](int) {
        for (int i = 0; i < 5000; ++i) {
            atomic.fetch_add(1, std::memory_order_relaxed);
            const std::scoped_lock lock(mutex);
            ++plain;
        }
    });
    CHECK(plain == kThreads * 5000 && atomic == plain);
}

void queue() {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<int> items;
    bool finished = false;
    std::atomic<long> sum = 0;
    std::vector<std::jthread> consumers;
    for (int i = 0; i < 4; ++i)
        consumers.emplace_back([&] {
            for (;;) {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] { return finished || !items.empty(); });
                if (items.empty()) return;
                sum += items.front();
                items.pop_front();
            }
        });
    for (int i = 1; i <= 5000; ++i) {
        const std::scoped_lock lock(mutex);
        items.push_back(i);
        changed.notify_one();
    }
    {
        const std::scoped_lock lock(mutex);
        finished = true;
    }
    changed.notify_all();
    consumers.clear();
    CHECK(sum == 5000L * 5001 / 2);
    std::unique_lock lock(mutex);
    CHECK(changed.wait_for(lock, 5ms) == std::cv_status::timeout);
}

void meeting() {
    std::atomic<int> phases = 0;
    std::barrier barrier(kThreads, [&]() noexcept { ++phases; });
    std::atomic<int> early = 0;
    run(kThreads, [&](int) {
        for (int phase = 1; phase <= 50; ++phase) {
            barrier.arrive_and_wait();
            if (phases.load() < phase) ++early;
        }
    });
    CHECK(early == 0 && phases == 50);
    std::latch latch(kThreads);
    run(kThreads, [&](int) { latch.arrive_and_wait(); });
    CHECK(latch.try_wait());
}

void limits() {
    std::counting_semaphore<3> places(3);
    std::atomic<int> inside = 0, most = 0;
    run(kThreads, [&](int) {
        for (int i = 0; i < 200; ++i) {
            places.acquire();
            const int now = ++inside;
            int seen = most.load();
            while (now > seen && !most.compare_exchange_weak(seen, now)) {
            }
            --inside;
            places.release();
        }
    });
    CHECK(most >= 1 && most <= 3);
}

void reading() {
    std::shared_mutex mutex;
    long a = 0, b = 0;
    std::atomic<int> torn = 0;
    run(kThreads, [&](int id) {
        for (int i = 0; i < 2000; ++i) {
            if (id < 2) {
                const std::unique_lock lock(mutex);
                ++a;
                ++b;
            } else {
                const std::shared_lock lock(mutex);
                if (a != b) ++torn;
            }
        }
    });
    CHECK(torn == 0 && a == 4000);
}

void futures() {
    std::vector<std::future<long>> parts;
    for (int i = 0; i < kThreads; ++i)
        parts.push_back(std::async(std::launch::async, [i] {
            long sum = 0;
            for (long n = i * 1000; n < (i + 1) * 1000; ++n) sum += n;
            return sum;
        }));
    long total = 0;
    for (auto& part : parts) total += part.get();
    CHECK(total == 7999L * 8000 / 2);
    std::promise<int> promise;
    std::jthread keeper([&] { promise.set_value(7); });
    CHECK(promise.get_future().get() == 7);
}

void waiting() {
    std::atomic<int> turn = 0;
    run(4, [&](int id) {
        for (int round = 0; round < 100; ++round) {
            const int mine = round * 4 + id;
            for (int now = turn.load(); now != mine; now = turn.load()) turn.wait(now);
            turn.store(mine + 1);
            turn.notify_all();
        }
    });
    CHECK(turn == 400);
}

void rest() {
    std::once_flag once;
    std::atomic<int> calls = 0;
    run(kThreads, [&](int) { std::call_once(once, [&] { ++calls; }); });
    CHECK(calls == 1);
    std::atomic<bool> stopped = false;
    {
        std::jthread stoppable([&](const std::stop_token& token) {
            while (!token.stop_requested()) std::this_thread::sleep_for(1ms);
            stopped = true;
        });
    }
    CHECK(stopped);
    CHECK(std::thread::hardware_concurrency() >= 1);
    std::timed_mutex timed;
    timed.lock();
    std::jthread([&] { CHECK(!timed.try_lock_for(5ms)); }).join();
    timed.unlock();
}

}  // namespace

int main() {
    counting();
    queue();
    meeting();
    limits();
    reading();
    futures();
    waiting();
    rest();
    return check_end();
}
