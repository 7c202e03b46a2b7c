/* The same without MPI: ranks that wait for each other by libdivisi alone. */
#include <divisi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
    const char* const what = argc > 1 ? argv[1] : "";
    const int rank = divisi_rank();
    const int next = (rank + 1) % divisi_size();
    char byte = 0;
    if (strcmp(what, "ring") == 0) divisi_recv(next, &byte, 1, NULL);
    if (strcmp(what, "any") == 0) divisi_probe(DIVISI_ANY, NULL);
    if (strcmp(what, "barrier") == 0 && rank != 1) divisi_barrier();
    if (strcmp(what, "barrier") == 0 && rank == 1) divisi_recv(0, &byte, 1, NULL);
    if (strcmp(what, "sends") == 0) {
        static char large[8 << 20];
        divisi_send(next, 0, large, sizeof large);
    }
    if (strcmp(what, "sleep") == 0) {
        if (rank == 0) sleep(1);
        divisi_barrier();
    }
    /* Waits for a rank that is a host process. */
    if (strcmp(what, "host") == 0) divisi_barrier();
    if (rank == 0) printf("done\n");
    return 0;
}
