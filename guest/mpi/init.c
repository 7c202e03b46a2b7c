/* Beginning and end, and what a program may ask about where it runs. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attribute.h"
#include "engine.h"

struct dvm_state dvm = {.size = 1};

static int make_world(void) {
    uint32_t* const world = malloc(dvm.size * sizeof *world);
    if (world == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for %u ranks", dvm.size);
    for (uint32_t rank = 0; rank < dvm.size; ++rank) world[rank] = rank;
    struct dvm_group* const all = dvm_group_new((int)dvm.size, world);
    struct dvm_group* const alone = dvm_group_new(1, &dvm.rank);
    free(world);
    if (all != NULL) dvm.world = dvm_comm_new(0, all, NULL, NULL);
    if (alone != NULL) dvm.self = dvm_comm_new(dvm_self_context(), alone, NULL, NULL);
    if (dvm.world == NULL || dvm.self == NULL)
        return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for %u ranks", dvm.size);
    snprintf(dvm.world->name, sizeof dvm.world->name, "MPI_COMM_WORLD");
    snprintf(dvm.self->name, sizeof dvm.self->name, "MPI_COMM_SELF");
    return MPI_SUCCESS;
}

void dvm_begin(int thread_level, const char* call) {
    if (thread_level > dvm.thread_level) dvm.thread_level = thread_level;
    dvm.locks = dvm.thread_level == MPI_THREAD_MULTIPLE;
    dvm.phase = DVM_RUNNING;
    if (dvm.world != NULL) return;
    if (divisi_init() != DIVISI_OK) dvm_abort(1, "%s: %s", call, divisi_error());
    dvm.rank = (uint32_t)divisi_rank();
    dvm.size = (uint32_t)divisi_size();
    int error = dvm_engine_start();
    if (error == MPI_SUCCESS) error = make_world();
    if (error != MPI_SUCCESS) dvm_abort(1, "%s: %s", call, dvm_noted(error));
}

static int start(int thread_level, const char* call) {
    if (dvm.world_phase != DVM_BEFORE) dvm_abort(1, "%s was called a second time", call);
    dvm_begin(thread_level, call);
    dvm.world_phase = DVM_RUNNING;
    return MPI_SUCCESS;
}

int PMPI_Init(int* argc, char*** argv) {
    (void)argc;
    (void)argv;
    return start(MPI_THREAD_SINGLE, DVM_CALL);
}
DVM_ALIAS(Init);

int PMPI_Init_thread(int* argc, char*** argv, int required, int* provided) {
    (void)argc;
    (void)argv;
    *provided = required < DVM_THREAD_LEVEL ? required : DVM_THREAD_LEVEL;
    return start(*provided, DVM_CALL);
}
DVM_ALIAS(Init_thread);

int PMPI_Query_thread(int* provided) {
    *provided = dvm.thread_level;
    return MPI_SUCCESS;
}
DVM_ALIAS(Query_thread);

int PMPI_Is_thread_main(int* flag) {
    *flag = gettid() == getpid();
    return MPI_SUCCESS;
}
DVM_ALIAS(Is_thread_main);

int PMPI_Initialized(int* flag) {
    *flag = dvm.world_phase != DVM_BEFORE;
    return MPI_SUCCESS;
}
DVM_ALIAS(Initialized);

int PMPI_Finalized(int* flag) {
    *flag = dvm.world_phase == DVM_AFTER;
    return MPI_SUCCESS;
}
DVM_ALIAS(Finalized);

/* ---- the end ---- */

/* What came and was never received is an error of the program; the job goes on to its end all the same. */
static void report_unreceived(void) {
    for (uint32_t rank = 0; rank < dvm.size; ++rank) {
        const struct dvm_item* const first = engine.peers[rank].unexpected.first;
        if (first == NULL) continue;
        int count = 0;
        for (const struct dvm_item* item = first; item != NULL; item = item->next) ++count;
        const struct dvm_unexpected* const message = DVM_OF_ITEM(first, struct dvm_unexpected);
        dprintf(STDERR_FILENO,
                "rank %u of %u: MPI_Finalize: %d message%s from rank %u never received, the first with tag %d and %llu "
                "bytes\n",
                dvm.rank, dvm.size, count, count == 1 ? " was" : "s were", rank, dvm_envelope_tag(message->envelope),
                (unsigned long long)message->length);
    }
}

/* Everyone is here, and all that they sent before lies in our rings. */
static int meet_everyone(void) {
    unsigned char mine = 0;
    unsigned char* const all = malloc(dvm.size);
    if (all == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for the end");
    const int error = dvm_gather_bytes(dvm.world, dvm_collective_tag(dvm.world), &mine, sizeof mine, all);
    free(all);
    return error;
}

static void take_the_rest(void) {
    dvm_watch_all(1);
    while (dvm_progress()) continue;
    dvm_watch_all(-1);
}

int PMPI_Finalize(void) {
    dvm_check_running(DVM_CALL);
    if (dvm.world_phase != DVM_RUNNING) dvm_abort(1, "%s was called without MPI_Init", DVM_CALL);
    /* MPI lets attributes of MPI_COMM_SELF be the program's last words. */
    int error = dvm_attributes_delete(&dvm.self->attributes, MPI_COMM_SELF);
    if (error == MPI_SUCCESS) error = dvm_attributes_delete(&dvm.world->attributes, MPI_COMM_WORLD);
    if (error == MPI_SUCCESS) error = dvm_finish_buffered();
    if (error == MPI_SUCCESS && dvm.size > 1) error = meet_everyone();
    if (error != MPI_SUCCESS) return dvm_raise(dvm.world, error, DVM_CALL);
    take_the_rest();
    report_unreceived();
    dvm.world_phase = DVM_AFTER;
    if (dvm.sessions == 0) dvm.phase = DVM_AFTER;
    return MPI_SUCCESS;
}
DVM_ALIAS(Finalize);

int PMPI_Abort(MPI_Comm comm, int errorcode) {
    (void)comm;
    dvm_abort(errorcode, "MPI_Abort was called with code %d", errorcode);
}
DVM_ALIAS(Abort);

/* ---- questions ---- */

int PMPI_Get_version(int* version, int* subversion) {
    *version = MPI_VERSION;
    *subversion = MPI_SUBVERSION;
    return MPI_SUCCESS;
}
DVM_ALIAS(Get_version);

int PMPI_Get_library_version(char* version, int* resultlen) {
    *resultlen = snprintf(version, MPI_MAX_LIBRARY_VERSION_STRING, "divisi " DIVISI_VERSION);
    return MPI_SUCCESS;
}
DVM_ALIAS(Get_library_version);

int PMPI_Get_processor_name(char* name, int* resultlen) {
    const char* const topology = divisi_topology();
    int length = 0;
    if (*topology != '\0')
        length = snprintf(name, MPI_MAX_PROCESSOR_NAME, "node %d of %s", divisi_node(), topology);
    else if (gethostname(name, MPI_MAX_PROCESSOR_NAME) == 0)
        length = (int)strlen(name);
    *resultlen = length;
    return MPI_SUCCESS;
}
DVM_ALIAS(Get_processor_name);

int PMPI_Get_hw_resource_info(MPI_Info* hw_info) {
    return PMPI_Info_create(hw_info);
}
DVM_ALIAS(Get_hw_resource_info);

double PMPI_Wtime(void) {
    return divisi_time();
}
DVM_ALIAS(Wtime);

double PMPI_Wtick(void) {
    return 1e-9;
}
DVM_ALIAS(Wtick);

int PMPI_Pcontrol(const int level, ...) {
    (void)level;
    return MPI_SUCCESS;
}
DVM_ALIAS(Pcontrol);

/* ---- memory ---- */

int PMPI_Alloc_mem(MPI_Aint size, MPI_Info info, void* baseptr) {
    (void)info;
    if (size < 0) return dvm_error(NULL, MPI_ERR_SIZE, DVM_CALL, "%lld bytes", (long long)size);
    void* const memory = malloc(size == 0 ? 1 : (size_t)size);
    if (memory == NULL)
        return dvm_error(NULL, MPI_ERR_NO_MEM, DVM_CALL, "not enough memory for %lld bytes", (long long)size);
    *(void**)baseptr = memory;
    return MPI_SUCCESS;
}
DVM_ALIAS(Alloc_mem);

int PMPI_Free_mem(void* base) {
    free(base);
    return MPI_SUCCESS;
}
DVM_ALIAS(Free_mem);
