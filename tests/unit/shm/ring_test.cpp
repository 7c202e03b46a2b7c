#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <thread>

#include "ring_pair.hpp"

namespace divisi::shm::test {
namespace {

TEST(Ring, IsEmptyWhenFresh) {
    RingPair ring;
    EXPECT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_WAIT);
}

TEST(Ring, CarriesEverySmallSizeWithItsTag) {
    RingPair ring;
    for (std::uint32_t size = 0; size <= DIVISI_SLOT_PAYLOAD_BYTES; ++size) {
        const Bytes sent = pattern(size, size);
        ASSERT_EQ(put_all(ring.tx, 1000 + size, sent), DIVISI_RING_OK);
        ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
        EXPECT_EQ(ring.rx.tag, 1000 + size);
        Bytes received;
        ASSERT_EQ(take_all(ring.rx, received), DIVISI_RING_OK);
        EXPECT_EQ(received, sent);
    }
}

TEST(Ring, SmallMessageWritesNothingBeyondItsLength) {
    RingPair ring;
    for (std::uint32_t size = 0; size < DIVISI_SLOT_PAYLOAD_BYTES; ++size) {
        ASSERT_EQ(put_all(ring.tx, 0, pattern(size, 7)), DIVISI_RING_OK);
        ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
        Bytes buffer(size + 1, 0xee);
        (void)divisi_rx_take(&ring.rx, buffer.data());
        EXPECT_EQ(buffer.back(), 0xee);
    }
}

TEST(Ring, RefusesWriteWhenFullAndGoesOnWhenDrained) {
    RingPair ring;
    const std::uint64_t value = 42;
    std::uint32_t sent = 0;
    while (divisi_tx_small(&ring.tx, sent, &value, sizeof value) == DIVISI_RING_OK) ++sent;
    EXPECT_EQ(sent, divisi_ring_slots(DIVISI_RING_MIN_BYTES));
    for (std::uint32_t i = 0; i < sent; ++i) {
        Bytes received;
        ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
        EXPECT_EQ(ring.rx.tag, i);
        ASSERT_EQ(take_all(ring.rx, received), DIVISI_RING_OK);
    }
    EXPECT_EQ(divisi_tx_small(&ring.tx, 0, &value, sizeof value), DIVISI_RING_OK);
}

TEST(Ring, WrapsAroundManyTimes) {
    RingPair ring;
    for (std::uint32_t i = 0; i < 5000; ++i) {
        const Bytes sent = pattern(i % 300, i);
        ASSERT_EQ(put_all(ring.tx, i, sent), DIVISI_RING_OK);
        Bytes received;
        ASSERT_EQ(take_all(ring.rx, received), DIVISI_RING_OK);
        ASSERT_EQ(received, sent);
    }
}

constexpr std::uint32_t kLongRing = 262144;

void exchange(RingPair& ring, std::uint64_t tag) {
    ASSERT_EQ(divisi_tx_small(&ring.tx, tag, &tag, sizeof tag), DIVISI_RING_OK);
    ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
    ASSERT_EQ(ring.rx.tag, tag);
    ASSERT_EQ(ring.rx.taken_slots, ring.tx.last_slot) << "both ends name it alike";
    (void)divisi_rx_take(&ring.rx, nullptr);
}

struct ConcurrentRing : RingPair {
    ConcurrentRing() : RingPair(kLongRing) { divisi_tx_set_concurrent(&tx); }
};

TEST(Ring, OfShortLapsStaysWithinItsFirstSlotsWhileItIsQuiet) {
    ConcurrentRing ring;
    for (std::uint64_t tag = 0; tag < 10'000; ++tag) exchange(ring, tag);
    EXPECT_NE(ring.tx.slots[DIVISI_SHORT_LAP_SLOTS - 1].sequence, 0U);
    EXPECT_EQ(ring.tx.slots[DIVISI_SHORT_LAP_SLOTS].sequence, 0U);
}

TEST(Ring, OfShortLapsTakesBurstsWhereverTheyBegin) {
    ConcurrentRing ring;
    std::uint64_t longest = 0;
    for (int round = 0; round < 100; ++round) {
        for (int quiet = 0; quiet < 7 * round; ++quiet) exchange(ring, 1);
        std::uint64_t sent = 0;
        while (divisi_tx_small(&ring.tx, sent, "x", 1) == DIVISI_RING_OK) ++sent;
        EXPECT_GE(sent, DIVISI_SHORT_LAP_SLOTS - DIVISI_SHORT_LAP_LAG);
        longest = std::max(longest, sent);
        for (std::uint64_t tag = 0; tag < sent; ++tag) {
            ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
            ASSERT_EQ(ring.rx.tag, tag);
            (void)divisi_rx_take(&ring.rx, nullptr);
        }
        ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_WAIT);
    }
    EXPECT_GE(longest, divisi_ring_slots(kLongRing) - DIVISI_SHORT_LAP_SLOTS);
}

// Who sleeps for space is looked after before there is nothing left to take: else both would wait.
TEST(Ring, LooksAfterASleepingProducerBeforeItsLastMessageIsTaken) {
    ConcurrentRing ring;
    for (std::uint64_t round = 0; round < 500; ++round) {
        for (std::uint64_t quiet = 0; quiet < round; ++quiet) exchange(ring, 1);
        while (divisi_tx_small(&ring.tx, 0, "x", 1) == DIVISI_RING_OK) {
        }
        bool looked = false;
        while (divisi_rx_peek(&ring.rx) == DIVISI_RING_OK)
            looked = divisi_rx_take_piece(&ring.rx, nullptr) != 0 || looked;
        ASSERT_TRUE(looked) << round;
    }
}

TEST(Ring, OfShortLapsGoesAllTheWayRoundNowAndThenSoThatNoSequenceGrowsOld) {
    ConcurrentRing ring;
    ring.tx.lap = ring.rx.lap = DIVISI_WHOLE_LAP_EVERY - 1;
    for (std::uint64_t tag = 0; tag < 2ULL * divisi_ring_slots(kLongRing); ++tag) exchange(ring, tag);
    EXPECT_EQ(ring.tx.slots[divisi_ring_slots(kLongRing) - 1].sequence, DIVISI_WHOLE_LAP_EVERY);
    EXPECT_EQ(ring.tx.slots[0].sequence, ring.tx.lap);
}

TEST(Ring, LargeMessageWaitsForRoomAndGoesOnWhereItWas) {
    RingPair ring;
    const Bytes sent = pattern(100'000, 3);
    Bytes received;
    EXPECT_EQ(put_all(ring.tx, 5, sent), DIVISI_RING_WAIT);
    int rounds = 0;
    while (take_all(ring.rx, received) == DIVISI_RING_WAIT && ++rounds < 1000)
        if (ring.tx.left != 0) (void)put_all(ring.tx, 5, sent);
    EXPECT_EQ(received, sent);
    EXPECT_EQ(ring.tx.left, 0U);
}

std::vector<std::uint32_t> pieces_of(RingPair& ring, std::uint32_t length) {
    const Bytes sent = pattern(length, length);
    std::vector<std::uint32_t> pieces;
    Bytes received(length);
    do {
        EXPECT_EQ(divisi_tx_large(&ring.tx, 1, sent.data(), length), DIVISI_RING_OK);
        EXPECT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
        pieces.push_back(ring.rx.piece);
        (void)divisi_rx_take(&ring.rx, received.data());
    } while (ring.tx.left != 0 && pieces.size() <= length);
    EXPECT_EQ(received, sent);
    return pieces;
}

TEST(Ring, OfEndsThatRunAtTheSameTimeCarriesShortMessagesInShortPieces) {
    ConcurrentRing ring;
    const auto many = [](std::size_t count, std::uint32_t bytes) { return std::vector<std::uint32_t>(count, bytes); };
    for (int lap = 0; lap < 20; ++lap) {
        EXPECT_EQ(pieces_of(ring, 49), many(1, 49));
        EXPECT_EQ(pieces_of(ring, DIVISI_SHORT_PIECE_BYTES), many(1, DIVISI_SHORT_PIECE_BYTES));
        EXPECT_EQ(pieces_of(ring, DIVISI_SHORT_MESSAGE_BYTES), many(8, DIVISI_SHORT_PIECE_BYTES));
        EXPECT_EQ(pieces_of(ring, 4 * DIVISI_PIECE_MAX_BYTES), many(4, DIVISI_PIECE_MAX_BYTES));
    }
    RingPair other(kLongRing);
    EXPECT_EQ(pieces_of(other, DIVISI_SHORT_MESSAGE_BYTES), many(2, DIVISI_PIECE_MAX_BYTES));
}

TEST(Ring, OfEndsThatRunAtTheSameTimeTakesAllOfAMessageThatFits) {
    ConcurrentRing ring;
    for (std::uint32_t length = 49; length < 2 * DIVISI_SHORT_MESSAGE_BYTES; length += 977) {
        const Bytes sent = pattern(length, length);
        while (divisi_tx_large_fits(&ring.tx, length) != 0) {
            ASSERT_EQ(put_all(ring.tx, length, sent), DIVISI_RING_OK) << length;
        }
        for (Bytes received; divisi_rx_peek(&ring.rx) == DIVISI_RING_OK; received.clear()) {
            ASSERT_EQ(take_all(ring.rx, received), DIVISI_RING_OK);
            EXPECT_EQ(received, sent);
        }
    }
}

TEST(Ring, OfEndsThatTakeTurnsStaysWithinWhatItsMessagesNeedWhileItIsQuiet) {
    RingPair ring(kLongRing);
    for (std::uint32_t i = 0; i < 500; ++i) {
        const Bytes sent = pattern(3000 + i % 1000, i);
        ASSERT_EQ(put_all(ring.tx, i, sent), DIVISI_RING_OK);
        Bytes received;
        ASSERT_EQ(take_all(ring.rx, received), DIVISI_RING_OK);
        ASSERT_EQ(received, sent);
    }
    const std::span<const unsigned char> untouched(ring.tx.bulk + 8192, ring.tx.bulk + ring.tx.bulk_bytes);
    EXPECT_TRUE(std::all_of(untouched.begin(), untouched.end(), [](unsigned char byte) { return byte == 0; }));
}

TEST(Ring, TakesAllOfAMessageThatFitsWhereverItBegins) {
    const std::uint32_t all = divisi_ring_bulk_bytes(DIVISI_RING_MIN_BYTES);
    RingPair ring;
    for (std::uint32_t round = 0; round < 5000; ++round) {
        std::vector<Bytes> sent;
        for (std::uint32_t i = 0; i <= round % 3; ++i) {
            const std::uint32_t length = 1 + (round * 977 + i * 131) % all;
            if (divisi_tx_large_fits(&ring.tx, length) == 0) break;
            sent.push_back(pattern(length, round + i));
            ASSERT_EQ(put_all(ring.tx, i, sent.back()), DIVISI_RING_OK) << round;
        }
        for (const Bytes& message : sent) {
            Bytes received;
            ASSERT_EQ(take_all(ring.rx, received), DIVISI_RING_OK);
            ASSERT_EQ(received, message);
        }
    }
}

TEST(Ring, SaysBeforehandWhetherALargeMessageFits) {
    RingPair ring;
    const std::uint32_t all = divisi_ring_bulk_bytes(DIVISI_RING_MIN_BYTES);
    EXPECT_EQ(divisi_tx_large_fits(&ring.tx, all), 1);
    EXPECT_EQ(divisi_tx_large_fits(&ring.tx, all + 1), 0);
    ASSERT_EQ(put_all(ring.tx, 0, pattern(all, 1)), DIVISI_RING_OK);
    EXPECT_EQ(divisi_tx_large_fits(&ring.tx, 64), 0);
    Bytes received;
    ASSERT_EQ(take_all(ring.rx, received), DIVISI_RING_OK);
    EXPECT_EQ(divisi_tx_large_fits(&ring.tx, all), 1);
}

TEST(Ring, DiscardsAMessageAndKeepsTheNext) {
    RingPair ring;
    ASSERT_EQ(put_all(ring.tx, 1, pattern(1000, 1)), DIVISI_RING_OK);
    ASSERT_EQ(put_all(ring.tx, 2, pattern(1000, 2)), DIVISI_RING_OK);
    ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
    while (ring.rx.left != 0) {
        ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
        (void)divisi_rx_take(&ring.rx, nullptr);
    }
    Bytes received;
    ASSERT_EQ(take_all(ring.rx, received), DIVISI_RING_OK);
    EXPECT_EQ(received, pattern(1000, 2));
}

TEST(Ring, AsksForAWakeUpOnlyWhenTheOtherEndSleeps) {
    RingPair ring;
    EXPECT_EQ(divisi_tx_must_wake(&ring.tx), 0);
    EXPECT_EQ(divisi_rx_must_wake(&ring.rx), 0);
    ring.rx.ring->data_sleep = 1;
    ring.rx.ring->space_sleep = 1;
    EXPECT_EQ(divisi_tx_must_wake(&ring.tx), 1);
    EXPECT_EQ(divisi_rx_must_wake(&ring.rx), 1);
}

// Sizes around every border: a slot, a line, a piece, the bulk area.
std::size_t random_size(std::mt19937& random) {
    switch (random() % 4) {
        case 0: return random() % 49;
        case 1: return 49 + random() % 200;
        case 2: return random() % 5000;
        default: return random() % 60'000;
    }
}

class RingOfSize : public testing::TestWithParam<std::uint32_t> {};

TEST_P(RingOfSize, CarriesRandomSizesBetweenTwoThreads) {
    RingPair ring(GetParam());
    constexpr std::uint32_t kMessages = 3000;
    std::thread producer([&ring] {
        std::mt19937 random(1);
        for (std::uint32_t i = 0; i < kMessages; ++i) {
            const Bytes message = pattern(random_size(random), i);
            while (put_all(ring.tx, i, message) == DIVISI_RING_WAIT) std::this_thread::yield();
        }
    });
    std::mt19937 random(1);
    for (std::uint32_t i = 0; i < kMessages; ++i) {
        Bytes received;
        int result = DIVISI_RING_WAIT;
        while ((result = take_all(ring.rx, received)) == DIVISI_RING_WAIT) std::this_thread::yield();
        EXPECT_EQ(result, DIVISI_RING_OK);
        EXPECT_EQ(ring.rx.tag, i);
        EXPECT_EQ(received, pattern(random_size(random), i));
        if (testing::Test::HasFailure()) std::abort();  // the producer would wait for ever
    }
    producer.join();
}

INSTANTIATE_TEST_SUITE_P(Sizes, RingOfSize, testing::Values(DIVISI_RING_MIN_BYTES, 32768U, 262144U));

}  // namespace
}  // namespace divisi::shm::test
