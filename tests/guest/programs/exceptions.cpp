// C++ exceptions: unwinding through frames, rethrow, exception_ptr, across threads.
#include <exception>
#include <future>
#include <iostream>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Tracker {
    explicit Tracker(std::string name) : name_(std::move(name)) {}
    ~Tracker() { std::cout << "destroyed " << name_ << '\n'; }
    Tracker(const Tracker&) = delete;
    Tracker& operator=(const Tracker&) = delete;
    std::string name_;
};

int descend(int depth) {
    const Tracker tracker("frame " + std::to_string(depth));
    if (depth == 0) throw std::out_of_range("the bottom");
    return descend(depth - 1) + 1;
}

void rethrow() {
    try {
        descend(2);
    } catch (const std::logic_error& error) {
        std::cout << "passing on " << error.what() << '\n';
        throw;
    }
}

}  // namespace

int main() {
    try {
        rethrow();
    } catch (const std::out_of_range& error) {
        std::cout << "caught " << error.what() << '\n';
    }
    try {
        throw 42;
    } catch (int value) {
        std::cout << "caught " << value << '\n';
    }
    std::exception_ptr kept;
    std::thread thrower([&kept] {
        try {
            throw std::runtime_error("from a thread");
        } catch (...) {
            kept = std::current_exception();
        }
    });
    thrower.join();
    try {
        std::rethrow_exception(kept);
    } catch (const std::exception& error) {
        std::cout << "caught " << error.what() << '\n';
    }
    auto future = std::async(std::launch::async, []() -> int { throw std::domain_error("from a future"); });
    try {
        future.get();
    } catch (const std::domain_error& error) {
        std::cout << "caught " << error.what() << '\n';
    }
    try {
        (void)new char[static_cast<std::size_t>(1) << 50];
        std::cout << "impossible\n";
    } catch (const std::bad_alloc&) {
        std::cout << "caught bad_alloc\n";
    }
    try {
        std::vector<int>().at(3);
    } catch (const std::exception&) {
        std::cout << "caught vector::at\n";
    }
    std::vector<std::thread> many;
    for (int i = 0; i < 8; ++i)
        many.emplace_back([] {
            for (int n = 0; n < 1000; ++n) {
                try {
                    throw std::make_unique<int>(n);
                } catch (const std::unique_ptr<int>& value) {
                    if (*value != n) std::terminate();
                }
            }
        });
    for (auto& each : many) each.join();
    std::cout << "done" << std::endl;
}
