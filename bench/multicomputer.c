/* What messages and collectives cost in MPI: the same source for divisi, Open MPI and MPICH.   multicomputer pair|all
 *
 * pair: latency, bandwidth and rate between two ranks. all: barrier, allreduce, bcast and alltoall of all ranks. Prints
 * one JSON object. Each figure is the best of several runs: whatever else the machine does only ever adds. Every one is
 * bounded in time, however slow the MPI: the number of rounds is found by trying. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kRuns = 5, kMaxRounds = 20000, kMaxBytes = 4194304 };

static const double kRunSeconds = 0.03;
static const double kFigureSeconds = 0.6;

static char* out;
static char* in;
static int rank;
static int size;

typedef void (*operation)(int rounds, int bytes);

static void ping_pong(int rounds, int bytes) {
    for (int i = 0; i < rounds; ++i) {
        if (rank == 0) MPI_Send(out, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
        MPI_Recv(in, bytes, MPI_BYTE, 1 - rank, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank == 1) MPI_Send(out, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD);
    }
}

/* The stream has come. */
static void acknowledge(void) {
    if (rank == 0) MPI_Recv(in, 8, MPI_BYTE, 1, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (rank == 1) MPI_Send(out, 8, MPI_BYTE, 0, 3, MPI_COMM_WORLD);
}

static void stream(int rounds, int bytes) {
    for (int i = 0; i < rounds; ++i) {
        if (rank == 0) MPI_Send(out, bytes, MPI_BYTE, 1, 2, MPI_COMM_WORLD);
        if (rank == 1) MPI_Recv(in, bytes, MPI_BYTE, 0, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    acknowledge();
}

/* The same as programs do it: every message is written before and read afterwards. */
static void stream_of_work(int rounds, int bytes) {
    static volatile long read;
    for (int i = 0; i < rounds; ++i) {
        if (rank == 0) {
            memset(out, i, (size_t)bytes);
            MPI_Send(out, bytes, MPI_BYTE, 1, 2, MPI_COMM_WORLD);
        } else {
            long sum = 0;
            MPI_Recv(in, bytes, MPI_BYTE, 0, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            for (const char* at = in; at < in + bytes; at += sizeof(long)) sum += *(const long*)(const void*)at;
            read = sum;
        }
    }
    (void)read;
    acknowledge();
}

static void barrier(int rounds, int bytes) {
    (void)bytes;
    for (int i = 0; i < rounds; ++i) MPI_Barrier(MPI_COMM_WORLD);
}

static void allreduce(int rounds, int bytes) {
    for (int i = 0; i < rounds; ++i) MPI_Allreduce(out, in, bytes / 8, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

static void broadcast(int rounds, int bytes) {
    for (int i = 0; i < rounds; ++i) MPI_Bcast(out, bytes, MPI_BYTE, i % size, MPI_COMM_WORLD);
}

static void all_to_all(int rounds, int bytes) {
    for (int i = 0; i < rounds; ++i) MPI_Alltoall(out, bytes, MPI_BYTE, in, bytes, MPI_BYTE, MPI_COMM_WORLD);
}

/* How long `rounds` take, for rank 0 and then for all. */
static double time_of(operation run, int rounds, int bytes) {
    MPI_Barrier(MPI_COMM_WORLD);
    const double begin = MPI_Wtime();
    run(rounds, bytes);
    double seconds = MPI_Wtime() - begin;
    MPI_Bcast(&seconds, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    return seconds;
}

/* ns a round. All ranks decide alike, by what rank 0 measured. */
static double measure(operation run, int bytes) {
    int rounds = 1;
    double spent = 0;
    double seconds = 0;
    for (;;) {
        seconds = time_of(run, rounds, bytes);
        spent += seconds;
        if (seconds >= kRunSeconds || rounds >= kMaxRounds || spent >= kFigureSeconds) break;
        rounds *= 2;
    }
    double best = seconds / rounds;
    for (int i = 1; i < kRuns && spent < kFigureSeconds; ++i) {
        seconds = time_of(run, rounds, bytes);
        spent += seconds;
        if (seconds / rounds < best) best = seconds / rounds;
    }
    return best * 1e9;
}

static void print_sizes(const char* name, operation run, const int* sizes, int per_round) {
    if (rank == 0) printf("\"%s\": {", name);
    for (int i = 0; sizes[i] != 0; ++i) {
        const double ns = measure(run, sizes[i]) / per_round;
        if (rank == 0) printf("%s\"%d\": %.1f", i == 0 ? "" : ", ", sizes[i], ns);
    }
    if (rank == 0) printf("}, ");
}

static void pair(void) {
    static const int sizes[] = {8, 64, 512, 4096, 16384, 65536, 262144, 1048576, 4194304, 0};
    static const int work_sizes[] = {512, 4096, 65536, 1048576, 0};
    print_sizes("latency_ns", ping_pong, sizes, 2);
    print_sizes("stream_ns", stream, sizes, 1);
    print_sizes("work_stream_ns", stream_of_work, work_sizes, 1);
}

static void all(void) {
    static const int sizes[] = {8, 4096, 65536, 0};
    static const int small_sizes[] = {8, 4096, 0};
    const double ns = measure(barrier, 0);
    if (rank == 0) printf("\"barrier_ns\": %.1f, ", ns);
    print_sizes("allreduce_ns", allreduce, sizes, 1);
    print_sizes("bcast_ns", broadcast, sizes, 1);
    print_sizes("alltoall_ns", all_to_all, small_sizes, 1);
}

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const int is_pair = argc > 1 && strcmp(argv[1], "pair") == 0;
    out = calloc(1, kMaxBytes);
    in = calloc(1, kMaxBytes);
    if (argc != 2 || out == NULL || in == NULL || (is_pair && size != 2)) {
        fprintf(stderr, "usage: multicomputer pair|all (pair: on two ranks)\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
        return 2;
    }
    memset(out, 0, kMaxBytes);
    if (rank == 0) printf("{");
    if (is_pair)
        pair();
    else
        all();
    if (rank == 0) printf("\"ranks\": %d}\n", size);
    MPI_Finalize();
    return 0;
}
