/* What a call waits for, in words for people: written where divisi-vmm can read it, before this rank sleeps. */
#include <stdio.h>
#include <string.h>

#include "engine.h"

static void tell_communicator(struct divisi_wait* wait, const struct dvm_comm* comm) {
    if (comm == NULL) return;
    if (comm->name[0] != '\0')
        snprintf(wait->communicator, sizeof wait->communicator, "%.*s", (int)sizeof wait->communicator - 1, comm->name);
    else if (comm->inter)
        snprintf(wait->communicator, sizeof wait->communicator, "an intercommunicator with %d ranks", dvm_peers(comm));
    else
        snprintf(wait->communicator, sizeof wait->communicator, "a communicator of %d ranks", comm->size);
}

static void tell_peer(struct divisi_wait* wait, const struct dvm_comm* comm, int rank, int tag) {
    const bool any = rank < 0;
    wait->peer = any ? DIVISI_NO_RANK : (uint32_t)rank;
    wait->job_peer = any ? DIVISI_NO_RANK : dvm_world_rank(comm, rank);
    wait->tag = tag == MPI_ANY_TAG ? DIVISI_WAIT_ANY_TAG : tag;
}

/* Of an operation that all take part in, the ranks and tags of messages are nobody's business. */
static void tell_collective(struct divisi_wait* wait, const struct dvm_comm* comm) {
    wait->kind = DIVISI_WAIT_ALL;
    const int rank = wait->job_peer == DIVISI_NO_RANK ? MPI_UNDEFINED : dvm_group_rank(comm->remote, wait->job_peer);
    wait->peer = rank == MPI_UNDEFINED ? DIVISI_NO_RANK : (uint32_t)rank;
}

static void tell_request(struct divisi_wait* wait, const struct dvm_request* request) {
    const bool sends = request->type == DVM_SEND || request->type == DVM_PARTS_OUT;
    const bool message = sends || request->type == DVM_RECEIVE || request->type == DVM_PARTS_IN;
    if (request->comm == NULL) return;
    if (!message || request->channel == DVM_COLLECTIVE) {
        tell_collective(wait, request->comm);
        return;
    }
    wait->kind = sends ? DIVISI_WAIT_RECEIVER : DIVISI_WAIT_MESSAGE;
    tell_peer(wait, request->comm, request->rank, request->tag);
}

static uint32_t count_open(const struct dvm_waited* waited) {
    uint32_t open = 0;
    for (int i = 0; i < waited->count; ++i) {
        const struct dvm_request* const request = dvm_request_of(waited->all[i]);
        if (request != NULL && request->stage != DVM_IDLE && request->stage != DVM_COMPLETE) ++open;
    }
    return open;
}

void dvm_describe(struct divisi_wait* wait) {
    const struct dvm_waited* const waited = engine.waited;
    /* A program that speaks libdivisi as well may be in one of its functions. */
    if (waited == NULL) return;
    memset(wait->call, 0, sizeof wait->call);
    if (engine.call != NULL) snprintf(wait->call, sizeof wait->call, "%s", engine.call);
    if (waited->request != NULL) {
        tell_request(wait, waited->request);
        tell_communicator(wait, waited->request->comm);
        const uint32_t open = count_open(waited);
        wait->others = open > 1 ? open - 1 : 0;
    } else if (waited->comm != NULL) {
        if (waited->probes)
            tell_peer(wait, waited->comm, waited->rank, waited->tag);
        else
            tell_collective(wait, waited->comm);
        tell_communicator(wait, waited->comm);
    }
}
