/* What the binary interface is, and how Fortran's types look in it: those of gfortran, by which the modules are made.
 */
#include <string.h>

#include "internal.h"

int PMPI_Abi_get_version(int* abi_major, int* abi_minor) {
    *abi_major = MPI_ABI_VERSION;
    *abi_minor = MPI_ABI_SUBVERSION;
    return MPI_SUCCESS;
}
DVM_ALIAS(Abi_get_version);

struct entry {
    const char* key;
    const char* value;
};

static int make_info(const struct entry* entries, MPI_Info* info) {
    int error = PMPI_Info_create(info);
    for (const struct entry* entry = entries; entry->key != NULL && error == MPI_SUCCESS; ++entry)
        error = PMPI_Info_set(*info, entry->key, entry->value);
    return error;
}

int PMPI_Abi_get_info(MPI_Info* info) {
    static const struct entry sizes[] = {
        {"mpi_aint_size", "8"}, {"mpi_count_size", "8"}, {"mpi_offset_size", "8"}, {NULL, NULL}};
    _Static_assert(sizeof(MPI_Aint) == 8 && sizeof(MPI_Count) == 8 && sizeof(MPI_Offset) == 8, "as they are told");
    return make_info(sizes, info);
}
DVM_ALIAS(Abi_get_info);

int PMPI_Abi_get_fortran_info(MPI_Info* info) {
    static const struct entry fortran[] = {{"mpi_logical_size", "4"},
                                           {"mpi_integer_size", "4"},
                                           {"mpi_real_size", "4"},
                                           {"mpi_double_precision_size", "8"},
                                           {"mpi_logical1_supported", "true"},
                                           {"mpi_logical2_supported", "true"},
                                           {"mpi_logical4_supported", "true"},
                                           {"mpi_logical8_supported", "true"},
                                           {"mpi_logical16_supported", "true"},
                                           {"mpi_integer1_supported", "true"},
                                           {"mpi_integer2_supported", "true"},
                                           {"mpi_integer4_supported", "true"},
                                           {"mpi_integer8_supported", "true"},
                                           {"mpi_integer16_supported", "true"},
                                           {"mpi_real2_supported", "true"},
                                           {"mpi_real4_supported", "true"},
                                           {"mpi_real8_supported", "true"},
                                           {"mpi_real16_supported", "true"},
                                           {"mpi_complex4_supported", "true"},
                                           {"mpi_complex8_supported", "true"},
                                           {"mpi_complex16_supported", "true"},
                                           {"mpi_complex32_supported", "true"},
                                           {"mpi_double_complex_supported", "true"},
                                           {NULL, NULL}};
    return make_info(fortran, info);
}
DVM_ALIAS(Abi_get_fortran_info);

int PMPI_Abi_set_fortran_info(MPI_Info info) {
    (void)info;
    return dvm_error(NULL, MPI_ERR_ABI, DVM_CALL, "the sizes of Fortran's types are those of gfortran, and known");
}
DVM_ALIAS(Abi_set_fortran_info);

/* Where a logical is of this size: 1 and 0, as gfortran has them, in little-endian bytes. */
static int check_logical_size(int size, const char* call) {
    if (size == 1 || size == 2 || size == 4 || size == 8 || size == 16) return MPI_SUCCESS;
    return dvm_error(NULL, MPI_ERR_ARG, call,
                     "argument logical_size is %d: there are logicals of 1, 2, 4, 8 and 16 bytes", size);
}

int PMPI_Abi_get_fortran_booleans(int logical_size, void* logical_true, void* logical_false, int* is_set) {
    const int wrong = check_logical_size(logical_size, DVM_CALL);
    if (wrong != MPI_SUCCESS) return wrong;
    memset(logical_true, 0, (size_t)logical_size);
    memset(logical_false, 0, (size_t)logical_size);
    *(unsigned char*)logical_true = 1;
    *is_set = 1;
    return MPI_SUCCESS;
}
DVM_ALIAS(Abi_get_fortran_booleans);

int PMPI_Abi_set_fortran_booleans(int logical_size, void* logical_true, void* logical_false) {
    (void)logical_true;
    (void)logical_false;
    const int wrong = check_logical_size(logical_size, DVM_CALL);
    if (wrong != MPI_SUCCESS) return wrong;
    return dvm_error(NULL, MPI_ERR_ABI, DVM_CALL, "the values of Fortran's logicals are those of gfortran, and known");
}
DVM_ALIAS(Abi_set_fortran_booleans);
