/* MPI programs of four ranks that wait: some of them for each other, for ever; others only look so. By the argument. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <mpi.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int rank, size;
static char large[1 << 20];

static void receive_from(int source, int tag) {
    int value = 0;
    MPI_Recv(&value, 1, MPI_INT, source, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void send_to(int dest, int tag) {
    MPI_Send(&rank, 1, MPI_INT, dest, tag, MPI_COMM_WORLD);
}

/* ---- for ever ---- */

/* Each waits for the next one. */
static void ring(void) {
    receive_from((rank + 1) % size, 7);
}

/* All send before they receive, more than anybody keeps for them. */
static void sends(void) {
    MPI_Ssend(large, (int)sizeof large, MPI_CHAR, (rank + 1) % size, 3, MPI_COMM_WORLD);
}

/* Rank 0 misses the barrier; rank 3 has ended by then. */
static void barrier(void) {
    MPI_Comm three;
    MPI_Comm_split(MPI_COMM_WORLD, rank < 3 ? 0 : MPI_UNDEFINED, 0, &three);
    if (rank == 3) _exit(5);
    MPI_Comm_set_name(three, "the three");
    if (rank == 0)
        MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, three, MPI_STATUS_IGNORE);
    else
        MPI_Barrier(three);
}

static void several(void) {
    MPI_Request requests[3];
    int values[3];
    if (rank == 1) send_to(0, 2);
    for (int i = 0; i < 3; ++i)
        MPI_Irecv(&values[i], 1, MPI_INT, (rank + 1) % size, i + 1, MPI_COMM_WORLD, &requests[i]);
    MPI_Waitall(3, requests, MPI_STATUSES_IGNORE);
}

/* The other threads of a rank wait, too, for it. */
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static void* wait_for_mutex(void* unused) {
    pthread_mutex_lock(&held);
    return unused;
}
static void threads(void) {
    pthread_t thread;
    pthread_mutex_lock(&held);
    pthread_create(&thread, NULL, wait_for_mutex, NULL);
    ring();
}

/* Two threads of a rank wait in MPI at the same time. */
static void* receive_8(void* unused) {
    receive_from((rank + 1) % size, 8);
    return unused;
}
static void multiple(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, receive_8, NULL);
    usleep(50000);
    ring();
}

/* ---- for a while ---- */

/* The same, and a third thread sends in the end what they wait for. */
static void* send_late(void* unused) {
    sleep(1);
    send_to((rank + size - 1) % size, 7);
    send_to((rank + size - 1) % size, 8);
    return unused;
}
static void multiple_late(void) {
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, receive_8, NULL);
    pthread_create(&threads[1], NULL, send_late, NULL);
    ring();
    for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
}

/* All wait for rank 0, which sleeps; computes; reads; waits for a signal. */
static void all_but_0(void (*what)(void)) {
    if (rank == 0) {
        what();
        for (int i = 1; i < size; ++i) send_to(i, 1);
    } else {
        receive_from(0, 1);
    }
}

static void sleep_1(void) {
    sleep(1);
}

static void compute(void) {
    const double end = MPI_Wtime() + 1;
    while (MPI_Wtime() < end) continue;
}

static void read_input(void) {
    char line[64];
    if (fgets(line, sizeof line, stdin) != NULL) printf("read %s", line);
}

static void probe(void) {
    const double end = MPI_Wtime() + 1;
    int flag = 0;
    while (MPI_Wtime() < end) {
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
        usleep(1000);
    }
}

/* A word that only a signal from outside makes its owner leave. */
static volatile sig_atomic_t signals;
static void count_signal(int signo) {
    (void)signo;
    ++signals;
}
static void wait_for_signal(void) {
    static int word;
    printf("ready\n");
    fflush(stdout);
    while (signals == 0) syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}
static void signalled(void) {
    const struct sigaction counting = {.sa_handler = count_signal};
    sigaction(SIGUSR1, &counting, NULL);
    all_but_0(wait_for_signal);
}

/* A deadlock that ends itself. */
static void alarmed(void) {
    alarm(1);
    ring();
}

/* Each of many rounds ends with everybody asleep but one. */
static void rounds(void) {
    for (int i = 0; i < 12; ++i) {
        if (i % size == rank) usleep(150000);
        MPI_Barrier(MPI_COMM_WORLD);
    }
}

int main(int argc, char** argv) {
    const char* const what = argc > 1 ? argv[1] : "";
    int level = MPI_THREAD_SINGLE;
    MPI_Init_thread(&argc, &argv, strncmp(what, "multiple", 8) == 0 ? MPI_THREAD_MULTIPLE : MPI_THREAD_SINGLE, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (strcmp(what, "ring") == 0) ring();
    if (strcmp(what, "sends") == 0) sends();
    if (strcmp(what, "barrier") == 0) barrier();
    if (strcmp(what, "several") == 0) several();
    if (strcmp(what, "threads") == 0) threads();
    if (strcmp(what, "multiple") == 0) multiple();
    if (strcmp(what, "multiple-late") == 0) multiple_late();
    if (strcmp(what, "sleep") == 0) all_but_0(sleep_1);
    if (strcmp(what, "compute") == 0) all_but_0(compute);
    if (strcmp(what, "read") == 0) all_but_0(read_input);
    if (strcmp(what, "probe") == 0) all_but_0(probe);
    if (strcmp(what, "alarm") == 0) alarmed();
    if (strcmp(what, "signal") == 0) signalled();
    if (strcmp(what, "rounds") == 0) rounds();
    MPI_Finalize();
    if (rank == 0) printf("done\n");
    return 0;
}
