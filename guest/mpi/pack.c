/* Packing into buffers of the program's, and addresses. A packed buffer is the stream of the items, and nothing more.
 */
#include <limits.h>

#include "type_make.h"

static int checked(MPI_Datatype handle, int64_t count, struct dvm_type** type) {
    const int result = dvm_type_known(handle, type);
    if (result != MPI_SUCCESS) return result;
    if (count < 0) return dvm_fail(MPI_ERR_COUNT, "the count is %lld: it must not be negative", (long long)count);
    if (!(*type)->committed) return dvm_fail(MPI_ERR_TYPE, "the datatype was not committed (MPI_Type_commit)");
    return MPI_SUCCESS;
}

static int room_for(const struct dvm_type* type, int64_t count, int64_t size, int64_t position) {
    if (position >= 0 && position <= size && count * type->size <= size - position) return MPI_SUCCESS;
    return dvm_fail(MPI_ERR_TRUNCATE, "%lld bytes from position %lld on are more than a buffer of %lld bytes has",
                    (long long)(count * type->size), (long long)position, (long long)size);
}

static int pack(const void* in, int64_t count, MPI_Datatype datatype, void* out, int64_t size, int64_t* position) {
    struct dvm_type* type = NULL;
    int result = checked(datatype, count, &type);
    if (result == MPI_SUCCESS) result = room_for(type, count, size, *position);
    if (result == MPI_SUCCESS) *position += dvm_pack(type, count, in, 0, (char*)out + *position, count * type->size);
    return result;
}

static int unpack(const void* in, int64_t size, int64_t* position, void* out, int64_t count, MPI_Datatype datatype) {
    struct dvm_type* type = NULL;
    int result = checked(datatype, count, &type);
    if (result == MPI_SUCCESS) result = room_for(type, count, size, *position);
    if (result == MPI_SUCCESS)
        *position += dvm_unpack(type, count, out, 0, (const char*)in + *position, count * type->size);
    return result;
}

static int raised(MPI_Comm comm, int result, const char* call) {
    return result == MPI_SUCCESS ? MPI_SUCCESS : dvm_raise(dvm_comm_of(comm), result, call);
}

int PMPI_Pack(const void* inbuf, int incount, MPI_Datatype datatype, void* outbuf, int outsize, int* position,
              MPI_Comm comm) {
    int64_t at = *position;
    const int result = pack(inbuf, incount, datatype, outbuf, outsize, &at);
    *position = (int)at;
    return raised(comm, result, DVM_CALL);
}
DVM_ALIAS(Pack);

int PMPI_Pack_c(const void* inbuf, MPI_Count incount, MPI_Datatype datatype, void* outbuf, MPI_Count outsize,
                MPI_Count* position, MPI_Comm comm) {
    return raised(comm, pack(inbuf, incount, datatype, outbuf, outsize, position), DVM_CALL);
}
DVM_ALIAS(Pack_c);

int PMPI_Unpack(const void* inbuf, int insize, int* position, void* outbuf, int outcount, MPI_Datatype datatype,
                MPI_Comm comm) {
    int64_t at = *position;
    const int result = unpack(inbuf, insize, &at, outbuf, outcount, datatype);
    *position = (int)at;
    return raised(comm, result, DVM_CALL);
}
DVM_ALIAS(Unpack);

int PMPI_Unpack_c(const void* inbuf, MPI_Count insize, MPI_Count* position, void* outbuf, MPI_Count outcount,
                  MPI_Datatype datatype, MPI_Comm comm) {
    return raised(comm, unpack(inbuf, insize, position, outbuf, outcount, datatype), DVM_CALL);
}
DVM_ALIAS(Unpack_c);

static int pack_size(int64_t count, MPI_Datatype datatype, int64_t* size) {
    struct dvm_type* type = NULL;
    const int result = checked(datatype, count, &type);
    if (result == MPI_SUCCESS) *size = count * type->size;
    return result;
}

int PMPI_Pack_size(int incount, MPI_Datatype datatype, MPI_Comm comm, int* size) {
    int64_t bytes = 0;
    const int result = pack_size(incount, datatype, &bytes);
    *size = bytes > INT_MAX ? MPI_UNDEFINED : (int)bytes;
    return raised(comm, result, DVM_CALL);
}
DVM_ALIAS(Pack_size);

int PMPI_Pack_size_c(MPI_Count incount, MPI_Datatype datatype, MPI_Comm comm, MPI_Count* size) {
    return raised(comm, pack_size(incount, datatype, size), DVM_CALL);
}
DVM_ALIAS(Pack_size_c);

/* ---- addresses ---- */

int PMPI_Get_address(const void* location, MPI_Aint* address) {
    *address = (MPI_Aint)location;
    return MPI_SUCCESS;
}
DVM_ALIAS(Get_address);

MPI_Aint PMPI_Aint_add(MPI_Aint base, MPI_Aint disp) {
    return base + disp;
}
DVM_ALIAS(Aint_add);

MPI_Aint PMPI_Aint_diff(MPI_Aint addr1, MPI_Aint addr2) {
    return addr1 - addr2;
}
DVM_ALIAS(Aint_diff);
