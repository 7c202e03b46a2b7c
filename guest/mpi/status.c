/* Statuses: what was received, in the words that MPI leaves to the library. */
#include <string.h>

#include "engine.h"

/* MPI_internal[0] and [1]: bytes, the lower half first; [2]: cancelled. */

void dvm_status_set_bytes(MPI_Status* status, MPI_Count bytes) {
    memcpy(status->MPI_internal, &bytes, sizeof bytes);
}

MPI_Count dvm_status_bytes(const MPI_Status* status) {
    MPI_Count bytes = 0;
    memcpy(&bytes, status->MPI_internal, sizeof bytes);
    return bytes;
}

void dvm_status_set_cancelled(MPI_Status* status, bool cancelled) {
    status->MPI_internal[2] = cancelled;
}

void dvm_status_set(MPI_Status* status, int source, int tag, MPI_Count bytes) {
    status->MPI_SOURCE = source;
    status->MPI_TAG = tag;
    dvm_status_set_bytes(status, bytes);
    dvm_status_set_cancelled(status, false);
}

int PMPI_Test_cancelled(const MPI_Status* status, int* flag) {
    *flag = status->MPI_internal[2];
    return MPI_SUCCESS;
}
DVM_ALIAS(Test_cancelled);

int PMPI_Status_set_cancelled(MPI_Status* status, int flag) {
    dvm_status_set_cancelled(status, flag != 0);
    return MPI_SUCCESS;
}
DVM_ALIAS(Status_set_cancelled);

int PMPI_Status_set_source(MPI_Status* status, int source) {
    status->MPI_SOURCE = source;
    return MPI_SUCCESS;
}
DVM_ALIAS(Status_set_source);

int PMPI_Status_set_tag(MPI_Status* status, int tag) {
    status->MPI_TAG = tag;
    return MPI_SUCCESS;
}
DVM_ALIAS(Status_set_tag);

int PMPI_Status_set_error(MPI_Status* status, int err) {
    status->MPI_ERROR = err;
    return MPI_SUCCESS;
}
DVM_ALIAS(Status_set_error);

int PMPI_Status_get_source(const MPI_Status* status, int* source) {
    *source = status->MPI_SOURCE;
    return MPI_SUCCESS;
}
DVM_ALIAS(Status_get_source);

int PMPI_Status_get_tag(const MPI_Status* status, int* tag) {
    *tag = status->MPI_TAG;
    return MPI_SUCCESS;
}
DVM_ALIAS(Status_get_tag);

int PMPI_Status_get_error(const MPI_Status* status, int* err) {
    *err = status->MPI_ERROR;
    return MPI_SUCCESS;
}
DVM_ALIAS(Status_get_error);

/* The same words in the same order in both languages. */
int PMPI_Status_c2f(const MPI_Status* c_status, MPI_Fint* f_status) {
    if (c_status == MPI_STATUS_IGNORE) return dvm_error(NULL, MPI_ERR_ARG, DVM_CALL, "the status is MPI_STATUS_IGNORE");
    memcpy(f_status, c_status, sizeof *c_status);
    return MPI_SUCCESS;
}
DVM_ALIAS(Status_c2f);

int PMPI_Status_f2c(const MPI_Fint* f_status, MPI_Status* c_status) {
    memcpy(c_status, f_status, sizeof *c_status);
    return MPI_SUCCESS;
}
DVM_ALIAS(Status_f2c);
