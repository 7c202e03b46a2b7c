/* What MPI-3.0 removed: addresses and displacements are default integers here. Those that do not fit are cut, as they
 * always were; MPI_Get_address and its like are the way out. */
#include "fortran.h"

void pmpi_address_(const void* location, MPI_Fint* address, MPI_Fint* ierror);
DVF_ALIAS(address)
void pmpi_address_(const void* location, MPI_Fint* address, MPI_Fint* ierror) {
    *address = (MPI_Fint)(MPI_Aint)dvf_buffer(location);
    dvf_return(ierror, MPI_SUCCESS);
}

/* lb: 0, extent: 1, ub: 2 */
static void bound(const MPI_Fint* datatype, int which, MPI_Fint* to, MPI_Fint* ierror) {
    MPI_Aint lb = 0;
    MPI_Aint extent = 0;
    const int code = PMPI_Type_get_extent(dvm_from_int(*datatype), &lb, &extent);
    if (code == MPI_SUCCESS) *to = (MPI_Fint)(which == 0 ? lb : which == 1 ? extent : lb + extent);
    dvf_return(ierror, code);
}

#define DVF_BOUND(name, which)                                                           \
    void pmpi_type_##name##_(const MPI_Fint* datatype, MPI_Fint* to, MPI_Fint* ierror);  \
    DVF_ALIAS(type_##name)                                                               \
    void pmpi_type_##name##_(const MPI_Fint* datatype, MPI_Fint* to, MPI_Fint* ierror) { \
        bound(datatype, which, to, ierror);                                              \
    }

DVF_BOUND(lb, 0)
DVF_BOUND(extent, 1)
DVF_BOUND(ub, 2)

void pmpi_type_hvector_(const MPI_Fint* count, const MPI_Fint* blocklength, const MPI_Fint* stride,
                        const MPI_Fint* oldtype, MPI_Fint* newtype, MPI_Fint* ierror);
DVF_ALIAS(type_hvector)
void pmpi_type_hvector_(const MPI_Fint* count, const MPI_Fint* blocklength, const MPI_Fint* stride,
                        const MPI_Fint* oldtype, MPI_Fint* newtype, MPI_Fint* ierror) {
    MPI_Datatype made = MPI_DATATYPE_NULL;
    const int code = PMPI_Type_create_hvector(*count, *blocklength, *stride, dvm_from_int(*oldtype), &made);
    if (code == MPI_SUCCESS) *newtype = dvm_to_int(made);
    dvf_return(ierror, code);
}

/* Struct where `types` is given, else hindexed of `oldtype`. */
static int make(int count, const MPI_Fint* lengths, const MPI_Fint* displacements, const MPI_Fint* types,
                MPI_Datatype oldtype, MPI_Datatype* made) {
    const size_t room = count > 0 ? (size_t)count : 1;
    MPI_Aint* const wide = malloc(room * sizeof *wide);
    MPI_Datatype* const handles = malloc(room * sizeof(MPI_Datatype));
    int code = MPI_ERR_NO_MEM;
    if (wide != NULL && handles != NULL) {
        for (int i = 0; i < count; ++i) wide[i] = displacements[i];
        for (int i = 0; types != NULL && i < count; ++i) handles[i] = dvm_from_int(types[i]);
        code = types != NULL ? PMPI_Type_create_struct(count, lengths, wide, handles, made)
                             : PMPI_Type_create_hindexed(count, lengths, wide, oldtype, made);
    }
    free(wide);
    free(handles);
    return code;
}

void pmpi_type_hindexed_(const MPI_Fint* count, const MPI_Fint* lengths, const MPI_Fint* displacements,
                         const MPI_Fint* oldtype, MPI_Fint* newtype, MPI_Fint* ierror);
DVF_ALIAS(type_hindexed)
void pmpi_type_hindexed_(const MPI_Fint* count, const MPI_Fint* lengths, const MPI_Fint* displacements,
                         const MPI_Fint* oldtype, MPI_Fint* newtype, MPI_Fint* ierror) {
    MPI_Datatype made = MPI_DATATYPE_NULL;
    const int code = make(*count, lengths, displacements, NULL, dvm_from_int(*oldtype), &made);
    if (code == MPI_SUCCESS) *newtype = dvm_to_int(made);
    dvf_return(ierror, code);
}

void pmpi_type_struct_(const MPI_Fint* count, const MPI_Fint* lengths, const MPI_Fint* displacements,
                       const MPI_Fint* types, MPI_Fint* newtype, MPI_Fint* ierror);
DVF_ALIAS(type_struct)
void pmpi_type_struct_(const MPI_Fint* count, const MPI_Fint* lengths, const MPI_Fint* displacements,
                       const MPI_Fint* types, MPI_Fint* newtype, MPI_Fint* ierror) {
    MPI_Datatype made = MPI_DATATYPE_NULL;
    const int code = make(*count, lengths, displacements, types, MPI_DATATYPE_NULL, &made);
    if (code == MPI_SUCCESS) *newtype = dvm_to_int(made);
    dvf_return(ierror, code);
}
