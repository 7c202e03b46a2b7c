/* What has other arguments in Fortran than in C, or is no subroutine there. */
#include "fortran.h"
#include "guest/mpi/error.h"

/* gfortran's, of all units where the unit is NULL; the wrappers link it in. */
void _gfortran_flush_i4(const MPI_Fint* unit) __attribute__((weak));  // NOLINT(bugprone-reserved-identifier)

void dvm_flush_fortran(void) {
    if (_gfortran_flush_i4 != NULL) _gfortran_flush_i4(NULL);
}

void pmpi_init_(MPI_Fint* ierror);
DVF_ALIAS(init)
void pmpi_init_(MPI_Fint* ierror) {
    dvf_return(ierror, PMPI_Init(NULL, NULL));
}

void pmpi_init_thread_(const MPI_Fint* required, MPI_Fint* provided, MPI_Fint* ierror);
DVF_ALIAS(init_thread)
void pmpi_init_thread_(const MPI_Fint* required, MPI_Fint* provided, MPI_Fint* ierror) {
    dvf_return(ierror, PMPI_Init_thread(NULL, NULL, *required, provided));
}

void pmpi_pcontrol_(const MPI_Fint* level);
DVF_ALIAS(pcontrol)
void pmpi_pcontrol_(const MPI_Fint* level) {
    PMPI_Pcontrol(*level);
}

double pmpi_wtime_(void);
DVF_ALIAS(wtime)
double pmpi_wtime_(void) {
    return PMPI_Wtime();
}

double pmpi_wtick_(void);
DVF_ALIAS(wtick)
double pmpi_wtick_(void) {
    return PMPI_Wtick();
}

MPI_Aint pmpi_aint_add_(const MPI_Aint* base, const MPI_Aint* displacement);
DVF_ALIAS(aint_add)
MPI_Aint pmpi_aint_add_(const MPI_Aint* base, const MPI_Aint* displacement) {
    return *base + *displacement;
}

MPI_Aint pmpi_aint_diff_(const MPI_Aint* a, const MPI_Aint* b);
DVF_ALIAS(aint_diff)
MPI_Aint pmpi_aint_diff_(const MPI_Aint* a, const MPI_Aint* b) {
    return *a - *b;
}

/* There are no argc and argv to be given. */
void pmpi_info_create_env_(MPI_Fint* info, MPI_Fint* ierror);
DVF_ALIAS(info_create_env)
void pmpi_info_create_env_(MPI_Fint* info, MPI_Fint* ierror) {
    MPI_Info made = MPI_INFO_NULL;
    const int code = PMPI_Info_create_env(0, NULL, &made);
    if (code == MPI_SUCCESS) *info = dvm_to_int(made);
    dvf_return(ierror, code);
}

/* Fortran's lengths count no zero at the end. */
void pmpi_info_get_string_(const MPI_Fint* info, const char* key, MPI_Fint* buflen, char* value, MPI_Fint* flag,
                           MPI_Fint* ierror, size_t key_n, size_t value_n);
DVF_ALIAS(info_get_string)
void pmpi_info_get_string_(const MPI_Fint* info, const char* key, MPI_Fint* buflen, char* value, MPI_Fint* flag,
                           MPI_Fint* ierror, size_t key_n, size_t value_n) {
    char* const name = dvf_string(key, key_n);
    char found[MPI_MAX_INFO_VAL + 1] = "";
    int room = sizeof found;
    const int wanted = *buflen;
    int code = MPI_ERR_NO_MEM;
    if (name != NULL) code = PMPI_Info_get_string(dvm_from_int(*info), name, &room, found, flag);
    if (code == MPI_SUCCESS && *flag) {
        *buflen = (MPI_Fint)strlen(found);
        *flag = 1;
        if (wanted < room) found[wanted > 0 ? wanted : 0] = 0;
        if (wanted > 0) dvf_pad(value, value_n, found);
    }
    free(name);
    dvf_return(ierror, code);
}

void mpi_status_f2f08_(const MPI_Fint* from, MPI_Fint* to, MPI_Fint* ierror);
void mpi_status_f2f08_(const MPI_Fint* from, MPI_Fint* to, MPI_Fint* ierror) {
    memcpy(to, from, sizeof(MPI_Status));
    dvf_return(ierror, MPI_SUCCESS);
}

void mpi_status_f082f_(const MPI_Fint* from, MPI_Fint* to, MPI_Fint* ierror);
void mpi_status_f082f_(const MPI_Fint* from, MPI_Fint* to, MPI_Fint* ierror) {
    mpi_status_f2f08_(from, to, ierror);
}

/* ---- what a node does not have ---- */

void pmpi_register_datarep_(const char* name, void (*reads)(void), void (*writes)(void), void (*extents)(void),
                            const MPI_Aint* extra_state, MPI_Fint* ierror, size_t name_n);
DVF_ALIAS(register_datarep)
void pmpi_register_datarep_(const char* name, void (*reads)(void), void (*writes)(void), void (*extents)(void),
                            const MPI_Aint* extra_state, MPI_Fint* ierror, size_t name_n) {
    (void)name, (void)reads, (void)writes, (void)extents, (void)extra_state, (void)name_n;
    dvf_return(ierror, PMPI_Register_datarep("", NULL, NULL, NULL, NULL));
}

void pmpi_comm_spawn_(const char* command, const char* argv, const MPI_Fint* maxprocs, const MPI_Fint* info,
                      const MPI_Fint* root, const MPI_Fint* comm, MPI_Fint* intercomm, MPI_Fint* codes,
                      MPI_Fint* ierror, size_t command_n, size_t argv_n);
DVF_ALIAS(comm_spawn)
void pmpi_comm_spawn_(const char* command, const char* argv, const MPI_Fint* maxprocs, const MPI_Fint* info,
                      const MPI_Fint* root, const MPI_Fint* comm, MPI_Fint* intercomm, MPI_Fint* codes,
                      MPI_Fint* ierror, size_t command_n, size_t argv_n) {
    (void)command, (void)argv, (void)info, (void)codes, (void)command_n, (void)argv_n;
    MPI_Comm made = MPI_COMM_NULL;
    const int code = PMPI_Comm_spawn("", MPI_ARGV_NULL, *maxprocs, MPI_INFO_NULL, *root, dvm_from_int(*comm), &made,
                                     MPI_ERRCODES_IGNORE);
    *intercomm = dvm_to_int(made);
    dvf_return(ierror, code);
}

void pmpi_comm_spawn_multiple_(const MPI_Fint* count, const char* commands, const char* argvs, const MPI_Fint* maxprocs,
                               const MPI_Fint* infos, const MPI_Fint* root, const MPI_Fint* comm, MPI_Fint* intercomm,
                               MPI_Fint* codes, MPI_Fint* ierror, size_t commands_n, size_t argvs_n);
DVF_ALIAS(comm_spawn_multiple)
void pmpi_comm_spawn_multiple_(const MPI_Fint* count, const char* commands, const char* argvs, const MPI_Fint* maxprocs,
                               const MPI_Fint* infos, const MPI_Fint* root, const MPI_Fint* comm, MPI_Fint* intercomm,
                               MPI_Fint* codes, MPI_Fint* ierror, size_t commands_n, size_t argvs_n) {
    (void)count, (void)infos;
    pmpi_comm_spawn_(commands, argvs, maxprocs, infos, root, comm, intercomm, codes, ierror, commands_n, argvs_n);
}
