/* The sleeping and waking of a ring, for the model checker spin: is a wake-up ever lost?
 *
 *   spin -run channel.pml                   both ends do as they should         -> errors: 0
 *   spin -run -DDIES channel.pml            the producer dies at any moment     -> errors: 0
 *   spin -run -DNO_FENCE channel.pml        the fence of the wakers left out    -> errors: 1 (invalid end state)
 *   spin -run -DNO_LAST_LOOK channel.pml    the sleepers' last look left out    -> errors: 1
 *   spin -run -DNO_CLEAR channel.pml        wakers do not clear the sleep word  -> errors: 1
 *   spin -run -DDIES -DGONE_LATE channel.pml  "gone" stored after the wake-up   -> errors: 1
 *
 * docs/models/check does all six. Results (spin 6.5.2): the two right ones are exhaustively explored without an error;
 * each of the wrong ones ends with an end asleep for ever, which is how we know that the model can see it.
 *
 * What stands for what: `sent` is the sequence of the slots (how many were published), `taken` is consumed_slots,
 * data_sleep and space_sleep are the sleep words, `gone` is the word in the node page. The ring has SLOTS slots and MESSAGES go
 * through it, so that it wraps and fills.
 *
 * Memory is that of x86 (total store order): a store goes into the store buffer of its CPU and reaches memory some time
 * later, in order; a load reads memory. (No end loads what it has stored itself before a fence, so that a load need
 * not look into its own buffer.) `lock or` and xchg wait until the buffer is empty.
 *
 * The futex: FUTEX_WAIT compares and goes to sleep in one step, FUTEX_WAKE wakes whoever sleeps then. There are no
 * spurious wake-ups here: they would only hide a lost one.
 */
#define SLOTS 2
#define MESSAGES 4

#define SENT 0
#define TAKEN 1
#define DATA_SLEEP 2
#define SPACE_SLEEP 3
#define GONE 4

#define PRODUCER 0
#define CONSUMER 1
#define HOST 2

byte memory[5];
bool asleep[5]; /* by sleep word */
bool producer_dead;
chan buffer[3] = [4] of { byte, byte };

/* A CPU's store buffer empties itself whenever it likes. */
active [3] proctype store_buffer() {
    byte where, what;
end:
    do
    :: atomic { buffer[_pid]?where,what -> memory[where] = what }
    od
}

#define STORE(cpu, where, what) buffer[cpu]!where,what
#define FENCE(cpu) empty(buffer[cpu])

#ifdef NO_FENCE
#define WAKERS_FENCE(cpu) skip
#else
#define WAKERS_FENCE(cpu) FENCE(cpu)
#endif

#ifdef NO_CLEAR
#define CLEAR(cpu, word) skip
#else
#define CLEAR(cpu, word) STORE(cpu, word, 0); FENCE(cpu)
#endif

inline futex_wait(word) {
    if
    :: atomic { memory[word] == 1 -> asleep[word] = true }; !asleep[word]
    :: memory[word] != 1
    fi
}

inline futex_wake(word) {
    asleep[word] = false
}

/* divisi_tx_must_wake / divisi_rx_must_wake, and dvi_wake. */
inline wake_if_asleep(cpu, word) {
    WAKERS_FENCE(cpu);
    if
    :: memory[word] != 0 -> CLEAR(cpu, word); futex_wake(word)
    :: memory[word] == 0
    fi
}

/* dvi_wait, for `ready` (or the producer gone): sleep_once until it is so. */
inline sleep_until(cpu, word, ready) {
    do
    :: (ready) -> break
    :: else ->
        STORE(cpu, word, 1);
        FENCE(cpu);
#ifdef NO_LAST_LOOK
        futex_wait(word);
#else
        if
        :: (ready)
        :: else -> futex_wait(word)
        fi;
#endif
        STORE(cpu, word, 0);
        FENCE(cpu)
    od
}

active proctype producer() {
    byte sent = 0;
    do
    :: sent == MESSAGES -> break
    :: sent < MESSAGES ->
#ifdef DIES
        if
        :: skip
        :: goto dead
        fi;
#endif
        sleep_until(PRODUCER, SPACE_SLEEP, sent - memory[TAKEN] < SLOTS);
        sent++;
        STORE(PRODUCER, SENT, sent);
#ifdef DIES
        if
        :: skip
        :: goto dead
        fi;
#endif
        wake_if_asleep(PRODUCER, DATA_SLEEP)
    od;
dead:
    producer_dead = true
}

/* Fabric::mark_gone, once the producer's end was noticed. */
active proctype host() {
    producer_dead;
    FENCE(PRODUCER); /* what it stored is in memory: it was a CPU, its stores do not die with it */
#ifdef GONE_LATE
    STORE(HOST, DATA_SLEEP, 0);
    FENCE(HOST);
    futex_wake(DATA_SLEEP);
    STORE(HOST, GONE, 1);
    FENCE(HOST)
#else
    STORE(HOST, GONE, 1);
    FENCE(HOST);
    if
    :: memory[DATA_SLEEP] != 0 ->
        STORE(HOST, DATA_SLEEP, 0);
        FENCE(HOST);
        futex_wake(DATA_SLEEP)
    :: memory[DATA_SLEEP] == 0
    fi
#endif
}

active proctype consumer() {
    byte taken = 0;
    do
    :: taken == MESSAGES -> break
    :: taken < MESSAGES ->
        sleep_until(CONSUMER, DATA_SLEEP, memory[SENT] > taken || memory[GONE] == 1);
        if
        :: memory[SENT] > taken ->
            taken++;
            STORE(CONSUMER, TAKEN, taken);
            wake_if_asleep(CONSUMER, SPACE_SLEEP)
        :: else ->
            /* Gone, and nothing left of what it sent: DIVISI_EPEER. */
            assert(memory[GONE] == 1 && memory[SENT] == taken);
            break
        fi
    od
}
