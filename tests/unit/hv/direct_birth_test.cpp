// The birth of stub processes, as the rest of divisi-vmm sees it.
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "test_node.hpp"

namespace divisi::hv {
namespace {

class DirectBirth : public OnBackend {};

bool at_its_end(int fd) {
    pollfd reader{fd, POLLIN, 0};
    return ::poll(&reader, 1, 0) == 1 && (reader.revents & POLLHUP) != 0;
}

TEST_P(DirectBirth, HoldsNoDescriptorOfAnyoneElse) {
    constexpr int kBirths = 100;
    std::atomic<bool> born{false};
    std::thread parent([&] {
        // A node that is alone before its page tables: each time another stub.
        for (int i = 0; i < kBirths; ++i) static_cast<void>(make_node());
        born.store(true);
    });
    long held = 0;
    while (!born.load()) {
        int ends[2];  // NOLINT(modernize-avoid-c-arrays): pipe2's
        ASSERT_EQ(::pipe(ends), 0);
        const Fd reader(ends[0]);
        ::close(ends[1]);
        if (!at_its_end(reader.get())) ++held;
    }
    parent.join();
    EXPECT_EQ(held, 0);
}

INSTANTIATE_TEST_SUITE_P(Backends, DirectBirth, testing::Values("direct"));

}  // namespace
}  // namespace divisi::hv
