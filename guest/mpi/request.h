/* Requests, and the transport beneath everything: non-blocking sends and receives in either context of a communicator.
 */
#ifndef DVM_REQUEST_H
#define DVM_REQUEST_H

#include "communicator.h"

/* The contexts of a communicator: collectives never see point-to-point messages, nor do partitioned ones
 * (partitioned.h).
 */
enum dvm_channel { DVM_POINT_TO_POINT = 0, DVM_COLLECTIVE = 1, DVM_GREETINGS = 2, DVM_UNITS = 3 };

/* Bits of a context that are no communicator's. */
static inline uint32_t dvm_channel_bits(enum dvm_channel channel) {
    return ((uint32_t)channel & 1u) | ((uint32_t)channel & 2u) << 20;
}

enum dvm_send_mode { DVM_STANDARD, DVM_SYNCHRONOUS, DVM_READY, DVM_BUFFERED };

struct dvm_request;
struct dvm_type;

/* NULL: not a request. */
struct dvm_request* dvm_request_of(MPI_Request request);

/* `dest` and `source` are ranks of the remote group, or MPI_PROC_NULL; `source` MPI_ANY_SOURCE, `tag` MPI_ANY_TAG where
 * they may. Arguments were checked before: they are right here. The type is retained until the request is complete.
 * An error that the message itself meets (MPI_ERR_TRUNCATE, a peer that is gone) is told by the wait. */
int dvm_isend(struct dvm_comm* comm, enum dvm_channel channel, int dest, int tag, const void* buffer, MPI_Count count,
              struct dvm_type* type, struct dvm_request** request);
int dvm_irecv(struct dvm_comm* comm, enum dvm_channel channel, int source, int tag, void* buffer, MPI_Count count,
              struct dvm_type* type, struct dvm_request** request);

/* Waits, frees the request, and yields its error class. `status` may be NULL. */
int dvm_wait(struct dvm_request* request, MPI_Status* status);
/* All of them (NULL ones are skipped), whatever fails; the first error. */
int dvm_waitall(int count, struct dvm_request* const* requests);

/* At once. These are the fast ways: no request where none is needed. */
int dvm_send(struct dvm_comm* comm, enum dvm_channel channel, int dest, int tag, const void* buffer, MPI_Count count,
             struct dvm_type* type);
/* A message of one slot or one piece, for which there is room. Whether it went. */
bool dvm_send_directly(struct dvm_comm* comm, enum dvm_channel channel, int dest, int tag, const void* buffer,
                       MPI_Count count, const struct dvm_type* type);
int dvm_recv(struct dvm_comm* comm, enum dvm_channel channel, int source, int tag, void* buffer, MPI_Count count,
             struct dvm_type* type, MPI_Status* status);
int dvm_sendrecv(struct dvm_comm* comm, enum dvm_channel channel, int dest, const void* send_buffer,
                 MPI_Count send_count, struct dvm_type* send_type, int source, void* receive_buffer,
                 MPI_Count receive_count, struct dvm_type* receive_type, int tag);

/* The tag of the next collective operation of `comm`: the same for all ranks, since they call collectives in one order.
 */
int dvm_collective_tag(struct dvm_comm* comm);

/* What a status says of a received message; MPI_ERROR is left as it is. */
void dvm_status_set(MPI_Status* status, int source, int tag, MPI_Count bytes);
MPI_Count dvm_status_bytes(const MPI_Status* status);
void dvm_status_set_bytes(MPI_Status* status, MPI_Count bytes);

#endif
