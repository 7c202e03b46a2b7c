/* Info objects: keys and values in the order of their setting. */
#ifndef DVM_INFO_H
#define DVM_INFO_H

#include <mpi.h>

#include "object.h"

struct dvm_info;

/* NULL: not an info object. */
struct dvm_info* dvm_info_of(MPI_Info info);
MPI_Info dvm_info_handle(struct dvm_info* info);
/* NULL: no memory. */
struct dvm_info* dvm_info_new(void);
struct dvm_info* dvm_info_copy(const struct dvm_info* info);
void dvm_info_free(struct dvm_info* info);
/* The value of a key; NULL: none. Valid until it is changed. */
const char* dvm_info_find(const struct dvm_info* info, const char* key);

#endif
