// The other end writes whatever it likes. Ours must stay within the ring and its buffers (the sanitizer builds watch),
// and every call must end.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "ring_pair.hpp"

namespace divisi::shm::test {
namespace {

divisi_slot small_slot(std::uint32_t sequence) {
    divisi_slot slot{};
    slot.sequence = sequence;
    slot.kind = DIVISI_SLOT_SMALL;
    slot.used = 8;
    return slot;
}

divisi_slot large_slot(std::uint32_t sequence, std::uint8_t kind, std::uint64_t left, std::uint64_t piece) {
    divisi_slot slot{};
    slot.sequence = sequence;
    slot.kind = kind;
    slot.used = 16;
    std::memcpy(static_cast<void*>(slot.payload), &left, sizeof left);
    std::memcpy(static_cast<unsigned char*>(slot.payload) + 8, &piece, sizeof piece);
    return slot;
}

int peek_at(const divisi_slot& slot) {
    RingPair ring;
    ring.tx.slots[0] = slot;
    const int result = divisi_rx_peek(&ring.rx);
    EXPECT_EQ(divisi_rx_peek(&ring.rx), result) << "an error does not go away";
    return result;
}

TEST(HostileProducer, IsBelievedOnlyForTheSequenceThatIsDue) {
    EXPECT_EQ(peek_at(small_slot(1)), DIVISI_RING_OK);
    EXPECT_EQ(peek_at(small_slot(0)), DIVISI_RING_WAIT);
    EXPECT_EQ(peek_at(small_slot(2)), DIVISI_RING_BROKEN);
    EXPECT_EQ(peek_at(small_slot(0xffffffffU)), DIVISI_RING_WAIT) << "what is left of an earlier lap";
}

TEST(HostileProducer, CannotForgeKindOrLength) {
    auto slot = small_slot(1);
    slot.used = 49;
    EXPECT_EQ(peek_at(slot), DIVISI_RING_BROKEN);
    slot = small_slot(1);
    slot.flags = 2 * DIVISI_SLOT_FROM_START;
    EXPECT_EQ(peek_at(slot), DIVISI_RING_BROKEN);
    for (int kind = 0; kind < 256; ++kind) {
        slot = small_slot(1);
        slot.kind = static_cast<std::uint8_t>(kind);
        EXPECT_EQ(peek_at(slot), kind == DIVISI_SLOT_SMALL ? DIVISI_RING_OK : DIVISI_RING_BROKEN) << kind;
    }
}

TEST(HostileProducer, MayEndEveryLapAtOnce) {
    RingPair ring;
    for (std::uint32_t lap = 1; lap < 1000; ++lap) {
        ring.tx.slots[0] = small_slot(lap);
        ring.tx.slots[0].flags = DIVISI_SLOT_ENDS_LAP;
        ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
        (void)divisi_rx_take(&ring.rx, nullptr);
        ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_WAIT);
    }
}

TEST(HostileProducer, MayGoBackToTheStartOnlyFromElsewhereAndWithALargeMessage) {
    divisi_slot slot = large_slot(1, DIVISI_SLOT_LARGE, 100, 100);
    slot.flags = DIVISI_SLOT_FROM_START;
    EXPECT_EQ(peek_at(slot), DIVISI_RING_BROKEN) << "it is there";
    RingPair ring;
    for (std::uint32_t i = 0; i < 50; ++i) {
        ring.tx.slots[i] = large_slot(1, DIVISI_SLOT_LARGE, 100, 100);
        if (i != 0) ring.tx.slots[i].flags = DIVISI_SLOT_FROM_START;
        ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
        Bytes buffer(100);
        (void)divisi_rx_take(&ring.rx, buffer.data());
        EXPECT_EQ(ring.rx.bulk_at, 128U);
    }
    ring.tx.slots[50] = large_slot(1, DIVISI_SLOT_LARGE, 200, 100);
    ring.tx.slots[51] = large_slot(1, DIVISI_SLOT_MORE, 100, 100);
    ring.tx.slots[51].flags = DIVISI_SLOT_FROM_START;
    ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
    Bytes buffer(200);
    (void)divisi_rx_take(&ring.rx, buffer.data());
    EXPECT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_BROKEN) << "in the middle of a message";
}

TEST(HostileProducer, CannotForgePieces) {
    const std::uint32_t bulk = divisi_ring_bulk_bytes(DIVISI_RING_MIN_BYTES);
    EXPECT_EQ(peek_at(large_slot(1, DIVISI_SLOT_LARGE, 100, 100)), DIVISI_RING_OK);
    EXPECT_EQ(peek_at(large_slot(1, DIVISI_SLOT_LARGE, 100, 101)), DIVISI_RING_BROKEN) << "a piece beyond its message";
    EXPECT_EQ(peek_at(large_slot(1, DIVISI_SLOT_LARGE, 100, 0)), DIVISI_RING_BROKEN) << "an empty piece";
    EXPECT_EQ(peek_at(large_slot(1, DIVISI_SLOT_LARGE, 0, 0)), DIVISI_RING_BROKEN);
    EXPECT_EQ(peek_at(large_slot(1, DIVISI_SLOT_LARGE, 1U << 30U, bulk + 1)), DIVISI_RING_BROKEN) << "beyond the area";
    EXPECT_EQ(peek_at(large_slot(1, DIVISI_SLOT_LARGE, ~std::uint64_t{0}, 64)), DIVISI_RING_BROKEN);
    EXPECT_EQ(peek_at(large_slot(1, DIVISI_SLOT_MORE, 100, 100)), DIVISI_RING_BROKEN) << "the rest of nothing";
}

TEST(HostileProducer, CannotChangeTheLengthOnTheWay) {
    for (const std::uint64_t second : {std::uint64_t{99}, std::uint64_t{101}, ~std::uint64_t{0}}) {
        RingPair ring;
        ring.tx.slots[0] = large_slot(1, DIVISI_SLOT_LARGE, 200, 100);
        ring.tx.slots[1] = large_slot(1, DIVISI_SLOT_MORE, second, 50);
        ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
        Bytes buffer(200);
        (void)divisi_rx_take(&ring.rx, buffer.data());
        EXPECT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_BROKEN);
    }
}

TEST(HostileProducer, CannotPutAnotherMessageIntoALargeOne) {
    RingPair ring;
    ring.tx.slots[0] = large_slot(1, DIVISI_SLOT_LARGE, 200, 100);
    ring.tx.slots[1] = small_slot(1);
    ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
    Bytes buffer(200);
    (void)divisi_rx_take(&ring.rx, buffer.data());
    EXPECT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_BROKEN);
}

TEST(HostileProducer, CannotChangeWhatWasSeen) {
    RingPair ring;
    ring.tx.slots[0] = large_slot(1, DIVISI_SLOT_LARGE, 100, 100);
    ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
    ring.tx.slots[0] = large_slot(1, DIVISI_SLOT_LARGE, 1U << 20U, 1U << 20U);
    ASSERT_EQ(divisi_rx_peek(&ring.rx), DIVISI_RING_OK);
    EXPECT_EQ(ring.rx.length, 100U);
    EXPECT_EQ(ring.rx.piece, 100U);
}

class ForgedCounter : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ForgedCounter, OfSlotsBreaksTheRing) {
    RingPair ring;
    for (int i = 0; i < 10; ++i) ASSERT_EQ(divisi_tx_small(&ring.tx, 0, "x", 1), DIVISI_RING_OK);
    ring.tx.ring->consumed_slots = GetParam();
    EXPECT_EQ(divisi_tx_refresh(&ring.tx), DIVISI_RING_BROKEN);
    EXPECT_EQ(divisi_tx_refresh(&ring.tx), DIVISI_RING_BROKEN);
}

TEST_P(ForgedCounter, OfBulkBreaksTheRing) {
    RingPair ring;
    ASSERT_EQ(put_all(ring.tx, 0, pattern(640, 1)), DIVISI_RING_OK);
    ring.tx.ring->consumed_bulk = GetParam() * 64;
    EXPECT_EQ(divisi_tx_refresh(&ring.tx), DIVISI_RING_BROKEN);
}

INSTANTIATE_TEST_SUITE_P(Values, ForgedCounter,
                         testing::Values(11, 12, 1000, 1ULL << 32U, 1ULL << 57U, ~0ULL, ~0ULL - 10));

TEST(HostileConsumer, CannotTakeBackWhatItGave) {
    RingPair ring;
    for (int i = 0; i < 10; ++i) ASSERT_EQ(divisi_tx_small(&ring.tx, 0, "x", 1), DIVISI_RING_OK);
    ring.tx.ring->consumed_slots = 5;
    ASSERT_EQ(divisi_tx_refresh(&ring.tx), DIVISI_RING_OK);
    ring.tx.ring->consumed_slots = 4;
    EXPECT_EQ(divisi_tx_refresh(&ring.tx), DIVISI_RING_BROKEN);
}

TEST(HostileConsumer, CannotGiveBackPartsOfALine) {
    RingPair ring;
    ASSERT_EQ(put_all(ring.tx, 0, pattern(640, 1)), DIVISI_RING_OK);
    ring.tx.ring->consumed_bulk = 100;
    EXPECT_EQ(divisi_tx_refresh(&ring.tx), DIVISI_RING_BROKEN);
}

// Scribbles over a word of the ring, now and then with a value that is nearly right.
void scribble_once(Mapping& memory, std::mt19937& random) {
    auto* const words = reinterpret_cast<std::uint32_t*>(memory.data());
    const std::size_t at = random() % 2 == 0 ? random() % 256 : random() % (memory.size() / sizeof *words);
    const auto value = static_cast<std::uint32_t>(random() % 2 == 0 ? random() % 8 : random());
    std::atomic_ref(words[at]).store(value, std::memory_order_relaxed);
}

// Does so all the time, in a thread of its own.
class Scribbler {
public:
    Scribbler(Mapping& memory, unsigned seed)
        : thread_([this, &memory, seed] {
              std::mt19937 random(seed);
              while (!stop_.load(std::memory_order_relaxed)) scribble_once(memory, random);
          }) {}
    Scribbler(const Scribbler&) = delete;
    Scribbler& operator=(const Scribbler&) = delete;
    ~Scribbler() {
        stop_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

// Receives whatever comes, until the ring is seen to be broken.
bool consume(RingPair& ring, std::mt19937& random) {
    Bytes buffer;
    for (int i = 0; i < 5000; ++i) {
        scribble_once(ring.hostile, random);
        const int seen = divisi_rx_peek(&ring.rx);
        if (seen == DIVISI_RING_BROKEN) return true;
        if (seen == DIVISI_RING_WAIT) continue;
        const bool fits = ring.rx.length <= (1U << 20U);
        if (fits) buffer.resize(ring.rx.length);
        (void)divisi_rx_take(&ring.rx, fits ? buffer.data() : nullptr);
    }
    return false;
}

bool produce(RingPair& ring, std::mt19937& random) {
    const Bytes large = pattern(3000, 1);
    const Bytes small = pattern(20, 1);
    for (int i = 0; i < 5000 && ring.tx.broken == 0; ++i) {
        scribble_once(ring.hostile, random);
        (void)put_all(ring.tx, 1, ring.tx.left != 0 || i % 3 == 0 ? large : small);
    }
    return ring.tx.broken != 0;
}

TEST(HostileProducer, ScribblingHurtsNoConsumer) {
    int broken = 0;
    for (unsigned round = 0; round < 300; ++round) {
        RingPair ring(round % 2 == 0 ? DIVISI_RING_MIN_BYTES : 32768U);
        while (put_all(ring.tx, round, pattern(round % 2 == 0 ? 20 : 300, round)) == DIVISI_RING_OK) {
        }
        std::mt19937 random(round);
        const Scribbler scribbler(ring.hostile, round);
        broken += consume(ring, random) ? 1 : 0;
    }
    EXPECT_GT(broken, 0) << "the scribbler never hit anything: this test tests nothing";
}

TEST(HostileConsumer, ScribblingHurtsNoProducer) {
    int broken = 0;
    for (unsigned round = 0; round < 300; ++round) {
        RingPair ring(round % 2 == 0 ? DIVISI_RING_MIN_BYTES : 32768U);
        std::mt19937 random(round);
        const Scribbler scribbler(ring.hostile, round);
        broken += produce(ring, random) ? 1 : 0;
    }
    EXPECT_GT(broken, 0) << "the scribbler never hit anything: this test tests nothing";
}

}  // namespace
}  // namespace divisi::shm::test
