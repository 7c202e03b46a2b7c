/* What ranks lend each other for large messages, and what they do not: the last rank is hostile and asks the VMM to
 * copy whatever it can name, while the others exchange large messages and verify them. Run in the folder where a file
 * `received` says that rank 1 has all of a message. */
#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/abi/node_page.h"
#include "tests/fault/rank_check.h"

enum { kLength = 3000000, kRounds = 40, kCalls = 20000 };
static struct divisi_node_page* page;

static long copy_lent(uint64_t owner, uint64_t loan, uint64_t offset, const void* address, uint64_t bytes) {
    return syscall(DIVISI_SYS_COPY_LENT, owner, loan, offset, address, bytes);
}

static struct divisi_loan* loans_of_mine(void) {
    return (struct divisi_loan*)(void*)((unsigned char*)page + page->loans_offset);
}

static void lend(int loan, const void* address, uint64_t bytes, uint32_t borrower, uint32_t rights) {
    struct divisi_loan* const mine = &loans_of_mine()[loan];
    mine->address = (uint64_t)(uintptr_t)address;
    mine->bytes = bytes;
    mine->borrower = borrower;
    __atomic_store_n(&mine->rights, rights, __ATOMIC_SEQ_CST);
}

/* Between ranks 0 (lends) and 1 (borrows): each argument checked, each end's own protection kept. */
static void lends_what_it_says(MPI_Comm both) {
    enum { kPage = 4096, kLent = 5 * kPage };
    unsigned char* const pages = mmap(NULL, kLent + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages + kLent, kPage, PROT_NONE);
    if (rank == 0) {
        memset(pages + kPage, 'r', kPage);
        lend(9, pages, kLent, 1, DIVISI_LOAN_READ);
        lend(10, pages, kLent, 1, DIVISI_LOAN_WRITE);
        lend(11, pages, 2 * (uint64_t)kLent, 1, DIVISI_LOAN_READ);
        lend(12, (void*)UINT64_MAX, UINT64_MAX, 1, DIVISI_LOAN_WRITE);
        lend(13, pages, kLent, 2, DIVISI_LOAN_READ);
        mprotect(pages + 4 * kPage, kPage, PROT_READ);
        MPI_Barrier(both);
        MPI_Barrier(both);
        CHECK(pages[10] == 'w' && pages[kPage - 1] == 'w' && pages[kPage] == 'r' && pages[4 * kPage] == 0);
        for (int loan = 9; loan < 14; ++loan) CHECK(loans_of_mine()[loan].users == 0);
        memset(&loans_of_mine()[9], 0, 5 * sizeof(struct divisi_loan));
    } else {
        MPI_Barrier(both);
        CHECK(copy_lent(0, 9, kPage - 5, pages + 100, kPage) == 0);
        CHECK(pages[104] == 0 && pages[105] == 'r' && pages[100 + kPage - 1] == 'r');
        memset(pages, 'w', kPage);
        CHECK(copy_lent(0, 10, 10, pages, kPage - 10) == 0);
        CHECK(copy_lent(0, 9, kLent, pages, 0) == 0);
        CHECK(copy_lent(0, 9, kLent, pages, 1) == -1 && errno == EINVAL);
        CHECK(copy_lent(0, 9, UINT64_MAX, pages, 2) == -1 && errno == EINVAL);
        CHECK(copy_lent(0, 9, 0, pages, DIVISI_COPY_MAX_BYTES + 1u) == -1 && errno == EINVAL);
        CHECK(copy_lent(0, 9, 0, pages + kLent - 10, 11) == -1 && errno == EFAULT);
        CHECK(copy_lent(0, 9, 0, (void*)(UINT64_MAX - 5), 100) == -1 && errno == EFAULT);
        CHECK(copy_lent(0, 11, kLent - 10, pages, 11) == -1 && errno == ENXIO);
        CHECK(copy_lent(0, 10, 4 * kPage, pages, 1) == -1 && errno == ENXIO);
        CHECK(copy_lent(0, 12, 0, pages, 100) == -1 && errno == ENXIO);
        CHECK(copy_lent(0, 12, 100, pages, 100) == -1 && errno == ENXIO);
        CHECK(copy_lent(0, 13, 0, pages, 1) == -1 && errno == EACCES);
        CHECK(copy_lent(0, 14, 0, pages, 1) == -1 && errno == EACCES);
        CHECK(copy_lent(0, DIVISI_LOANS, 0, pages, 1) == -1 && errno == EACCES);
        CHECK(copy_lent(0, UINT64_MAX, 0, pages, 1) == -1 && errno == EINVAL);
        CHECK(copy_lent(1, 9, 0, pages, 1) == -1 && errno == EINVAL);
        CHECK(copy_lent((uint64_t)size, 9, 0, pages, 1) == -1 && errno == EINVAL);
        MPI_Barrier(both);
    }
    munmap(pages, kLent + kPage);
}

static sigjmp_buf back;

static void leave(int number) {
    siglongjmp(back, number);
}

static unsigned char* view_lent(uint64_t owner, uint64_t loan, uint64_t offset, uint64_t bytes, uint64_t at) {
    return (unsigned char*)syscall(DIVISI_SYS_VIEW_LENT, owner, loan, offset, bytes, at);
}

/* Between ranks 0 (lends) and 1 (looks): seen as it is, to be read only, until it is mapped otherwise. */
static void shows_what_it_says(MPI_Comm both) {
    enum { kPage = 4096, kLent = 64 * kPage, kAt = 8 * kPage };
    unsigned char* const pages = mmap(NULL, 2 * kLent, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + kLent, kLent);
    if (rank == 0) {
        memset(pages, 'a', kLent);
        lend(9, pages + 100, kLent - 200, 1, DIVISI_LOAN_READ);
        lend(10, pages, kLent, 1, DIVISI_LOAN_WRITE);
        lend(11, pages, 2 * (uint64_t)kLent, 1, DIVISI_LOAN_READ);
        lend(12, (void*)UINT64_MAX, UINT64_MAX, 1, DIVISI_LOAN_READ);
        lend(13, pages, kLent, 2, DIVISI_LOAN_READ);
        MPI_Barrier(both);
        MPI_Barrier(both);
        memset(pages + kPage, 'b', kPage);
        memset(&loans_of_mine()[9], 0, 5 * sizeof(struct divisi_loan));
        MPI_Barrier(both);
        MPI_Barrier(both);
        mmap(pages + kPage, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        memset(pages + kPage, 'c', kPage);
        MPI_Barrier(both);
        MPI_Barrier(both);
    } else {
        MPI_Barrier(both);
        unsigned char* const seen = view_lent(0, 9, 0, kLent - 200, kAt);
        CHECK(((uintptr_t)seen & (kPage - 1)) == 100);
        const uint32_t* const changes = (const uint32_t*)(const void*)(seen - 100 - kAt - kPage);
        const uint32_t before = *changes;
        for (int i = 0; i < kLent - 200; ++i) CHECK(seen[i] == 'a');
        CHECK(view_lent(0, 9, 5, 1, DIVISI_VIEW_BYTES - kPage) == seen - 100 - kAt + DIVISI_VIEW_BYTES - kPage + 105);
        CHECK(*changes == before);
        CHECK(view_lent(0, 9, 0, 0, 0) == (void*)-1 && errno == EINVAL);
        CHECK(view_lent(0, 9, 0, kLent - 199, 0) == (void*)-1 && errno == EINVAL);
        CHECK(view_lent(0, 9, UINT64_MAX, 2, 0) == (void*)-1 && errno == EINVAL);
        CHECK(view_lent(0, 9, 0, 1, 1) == (void*)-1 && errno == EINVAL);
        CHECK(view_lent(0, 9, 0, 1, DIVISI_VIEW_BYTES) == (void*)-1 && errno == EINVAL);
        CHECK(view_lent(0, 9, 0, 1, UINT64_MAX - 4095) == (void*)-1 && errno == EINVAL);
        CHECK(view_lent(0, 9, 0, kPage, DIVISI_VIEW_BYTES - kPage) == (void*)-1 && errno == EINVAL);
        CHECK(view_lent(0, 10, 0, 1, 0) == (void*)-1 && errno == EACCES);
        CHECK(view_lent(0, 11, kLent - 1, 2, 0) == (void*)-1 && errno == ENXIO);
        CHECK(view_lent(0, 12, 0, 1, 0) == (void*)-1 && errno == ENXIO);
        CHECK(view_lent(0, 12, UINT64_MAX - 1, 1, 0) == (void*)-1 && errno == ENXIO);
        CHECK(view_lent(0, 13, 0, 1, 0) == (void*)-1 && errno == EACCES);
        CHECK(view_lent(0, DIVISI_LOANS, 0, 1, 0) == (void*)-1 && errno == EACCES);
        CHECK(view_lent(0, UINT64_MAX, 0, 1, 0) == (void*)-1 && errno == EINVAL);
        CHECK(view_lent(1, 9, 0, 1, 0) == (void*)-1 && errno == EINVAL);
        CHECK(view_lent((uint64_t)size, 9, 0, 1, 0) == (void*)-1 && errno == EINVAL);
        MPI_Barrier(both);
        MPI_Barrier(both);
        CHECK(seen[kPage] == 'b' && *changes == before);
        CHECK(view_lent(0, 9, 0, 1, 0) == (void*)-1 && errno == EACCES);
        signal(SIGSEGV, leave);
        if (sigsetjmp(back, 1) == 0) {
            *(volatile unsigned char*)seen = 'x';
            CHECK(!"a view was written to");
        }
        signal(SIGSEGV, SIG_DFL);
        MPI_Barrier(both);
        MPI_Barrier(both);
        CHECK(*changes != before && seen[kPage] == 0 && seen[0] == 0);
        MPI_Barrier(both);
    }
    munmap(pages, kLent);
}

static unsigned char byte_of(int i, int seed) {
    return (unsigned char)(i * 7 + i / 4093 + seed);
}

/* A message comes while its sender does something else. */
static void receives_without_the_sender(MPI_Comm both) {
    unsigned char* const bytes = malloc(kLength);
    MPI_Request request;
    for (int i = 0; i < kLength; ++i) bytes[i] = rank == 0 ? byte_of(i, 5) : 0;
    if (rank == 0) {
        MPI_Isend(bytes, kLength, MPI_BYTE, 1, 0, both, &request);
        while (access("received", F_OK) != 0) usleep(1000);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
    } else {
        MPI_Recv(bytes, kLength, MPI_BYTE, 0, 0, both, MPI_STATUS_IGNORE);
        close(open("received", O_CREAT | O_WRONLY, 0600));
        for (int i = 0; i < kLength; ++i) CHECK(bytes[i] == byte_of(i, 5));
    }
    free(bytes);
}

static void exchange(MPI_Comm peace) {
    unsigned char* const out = malloc(kLength);
    unsigned char* const in = malloc(kLength);
    const int peaceful = size - 1;
    for (int round = 0; round < kRounds; ++round) {
        const int length = kLength - round * 70000;
        const int from = (rank + peaceful - 1) % peaceful;
        for (int i = 0; i < length; ++i) out[i] = byte_of(i, round + rank);
        MPI_Sendrecv(out, length, MPI_BYTE, (rank + 1) % peaceful, round, in, kLength, MPI_BYTE, from, round, peace,
                     MPI_STATUS_IGNORE);
        for (int i = 0; i < length; ++i) CHECK(in[i] == byte_of(i, round + from));
    }
    free(in);
    free(out);
}

/* Nobody has lent anything to it; what it lends itself is nonsense, and changes all the time. */
static void attack(void) {
    static unsigned char bytes[100000];
    uint32_t dice = 1;
    for (int call = 0; call < kCalls; ++call) {
        dice = dice * 1664525u + 1013904223u;
        uint32_t* const mine = (uint32_t*)(void*)loans_of_mine();
        mine[dice >> 8 & 511u] = dice % 5 == 0 ? dice : dice % 3;
        const uint64_t offset = dice % 7 == 0 ? (uint64_t)dice << 32 : dice % 4096;
        CHECK(copy_lent(dice >> 4 & 3u, dice >> 16 & 63u, offset, bytes, dice & 65535u) == -1);
        CHECK(view_lent(dice >> 4 & 3u, dice >> 16 & 63u, offset, dice & 65535u, dice >> 8 & 0xfffff000u) == (void*)-1);
    }
    for (size_t i = 0; i < sizeof bytes; ++i) CHECK(bytes[i] == 0);
}

int main(int argc, char** argv) {
    MPI_Comm peace;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    page = (struct divisi_node_page*)getauxval(AT_DIVISI);
    MPI_Comm_split(MPI_COMM_WORLD, rank / 2, rank, &peace);
    if (rank < 2) lends_what_it_says(peace);
    if (rank < 2) shows_what_it_says(peace);
    if (rank < 2) receives_without_the_sender(peace);
    const int hostile = rank == size - 1;
    MPI_Comm_split(MPI_COMM_WORLD, hostile, rank, &peace);
    if (hostile)
        attack();
    else
        exchange(peace);
    if (rank == 0) printf("verified\n");
    /* Of what the hostile one has left in its loans, nothing is to be used. */
    fflush(stdout);
    _exit(0);
}
