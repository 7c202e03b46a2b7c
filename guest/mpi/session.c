/* Sessions: MPI for those who do not want to know of MPI_Init. A session makes MPI run, knows two sets of processes
 * (the world and the process itself), and has an error handler. Communicators are then made from groups
 * (comm_groups.c). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "engine.h"
#include "info.h"

struct dvm_session {
    struct dvm_object object;
    struct dvm_errhandler* errhandler;
    int thread_level;
};

static const char* const kLevels[] = {"MPI_THREAD_SINGLE", "MPI_THREAD_FUNNELED", "MPI_THREAD_SERIALIZED",
                                      "MPI_THREAD_MULTIPLE"};
static const int kLevelValues[] = {MPI_THREAD_SINGLE, MPI_THREAD_FUNNELED, MPI_THREAD_SERIALIZED, MPI_THREAD_MULTIPLE};
enum { LEVELS = sizeof kLevels / sizeof *kLevels };

static const char* const kPsets[] = {"mpi://WORLD", "mpi://SELF"};
enum { PSETS = sizeof kPsets / sizeof *kPsets };

static struct dvm_session* session_of(MPI_Session session) {
    return dvm_is(session, DVM_SESSION) ? (struct dvm_session*)session : NULL;
}

static int check(MPI_Session handle, struct dvm_session** session, const char* call) {
    *session = session_of(handle);
    if (*session != NULL) return MPI_SUCCESS;
    return dvm_error(NULL, MPI_ERR_SESSION, call, "the session is none (null or finalized)");
}

/* With the sentence that was noted. */
static int raise_in(struct dvm_session* session, int error, const char* call) {
    return error == MPI_SUCCESS ? error : dvm_raise_with(session->errhandler, session, error, call);
}

/* ---- life ---- */

static int wanted_level(MPI_Info info) {
    const struct dvm_info* const hints = dvm_info_of(info);
    const char* const word = hints == NULL ? NULL : dvm_info_find(hints, "thread_level");
    for (int i = 0; i < LEVELS && word != NULL; ++i)
        if (strcmp(word, kLevels[i]) == 0) return kLevelValues[i];
    return MPI_THREAD_SINGLE;
}

int PMPI_Session_init(MPI_Info info, MPI_Errhandler errhandler, MPI_Session* session) {
    struct dvm_errhandler* const handler = dvm_errhandler_of(errhandler);
    const int wanted = wanted_level(info);
    const int level = wanted < DVM_THREAD_LEVEL ? wanted : DVM_THREAD_LEVEL;
    dvm_begin(level, DVM_CALL);
    if (handler == NULL) return dvm_error(NULL, MPI_ERR_ERRHANDLER, DVM_CALL, "the error handler is none");
    struct dvm_session* const made = dvm_new(DVM_SESSION, sizeof *made);
    if (made == NULL) return dvm_error(NULL, MPI_ERR_NO_MEM, DVM_CALL, "not enough memory for a session");
    dvm_errhandler_retain(handler);
    made->errhandler = handler;
    /* There is one lock for all: what others have asked for, this one gets, too. */
    made->thread_level = dvm.thread_level;
    ++dvm.sessions;
    *session = (MPI_Session)made;
    return MPI_SUCCESS;
}
DVM_ALIAS(Session_init);

/* What the program sent lies with those who are to receive it, or in the channels; so nobody has to be met here. */
int PMPI_Session_finalize(MPI_Session* session) {
    struct dvm_session* object = NULL;
    int error = check(*session, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const bool last = --dvm.sessions == 0 && dvm.world_phase != DVM_RUNNING;
    engine.call = DVM_CALL;
    if (last) error = raise_in(object, dvm_finish_buffered(), DVM_CALL);
    dvm_forget_pool(object);
    /* Another session may follow, unless the world has been finalized. */
    if (last) dvm.phase = dvm.world_phase;
    dvm_errhandler_release(object->errhandler);
    dvm_delete(object);
    *session = MPI_SESSION_NULL;
    return error;
}
DVM_ALIAS(Session_finalize);

int PMPI_Session_get_info(MPI_Session session, MPI_Info* info_used) {
    struct dvm_session* object = NULL;
    int error = check(session, &object, DVM_CALL);
    if (error == MPI_SUCCESS) error = PMPI_Info_create(info_used);
    for (int i = 0; i < LEVELS && error == MPI_SUCCESS; ++i)
        if (kLevelValues[i] == object->thread_level) error = PMPI_Info_set(*info_used, "thread_level", kLevels[i]);
    return error;
}
DVM_ALIAS(Session_get_info);

/* ---- sets of processes ---- */

int PMPI_Session_get_num_psets(MPI_Session session, MPI_Info info, int* npset_names) {
    struct dvm_session* object = NULL;
    const int error = check(session, &object, DVM_CALL);
    (void)info;
    *npset_names = PSETS;
    return error;
}
DVM_ALIAS(Session_get_num_psets);

int PMPI_Session_get_nth_pset(MPI_Session session, MPI_Info info, int n, int* pset_len, char* pset_name) {
    struct dvm_session* object = NULL;
    const int error = check(session, &object, DVM_CALL);
    (void)info;
    if (error != MPI_SUCCESS) return error;
    if (n < 0 || n >= PSETS) return raise_in(object, dvm_fail(MPI_ERR_ARG, "process set %d of %d", n, PSETS), DVM_CALL);
    if (*pset_len > 0) snprintf(pset_name, (size_t)*pset_len, "%s", kPsets[n]);
    *pset_len = (int)strlen(kPsets[n]) + 1;
    return MPI_SUCCESS;
}
DVM_ALIAS(Session_get_nth_pset);

/* NULL: there is none, with a sentence. */
static struct dvm_group* group_of(const char* pset) {
    if (strcasecmp(pset, kPsets[0]) == 0) return dvm.world->local;
    if (strcasecmp(pset, kPsets[1]) == 0) return dvm.self->local;
    dvm_fail(MPI_ERR_ARG, "there is no process set '%.64s': there are %s and %s", pset, kPsets[0], kPsets[1]);
    return NULL;
}

int PMPI_Session_get_pset_info(MPI_Session session, const char* pset_name, MPI_Info* info) {
    struct dvm_session* object = NULL;
    int error = check(session, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_group* const group = group_of(pset_name);
    if (group == NULL) return raise_in(object, MPI_ERR_ARG, DVM_CALL);
    char size[16];
    snprintf(size, sizeof size, "%d", group->size);
    error = PMPI_Info_create(info);
    return error == MPI_SUCCESS ? PMPI_Info_set(*info, "mpi_size", size) : error;
}
DVM_ALIAS(Session_get_pset_info);

int PMPI_Group_from_session_pset(MPI_Session session, const char* pset_name, MPI_Group* newgroup) {
    struct dvm_session* object = NULL;
    const int error = check(session, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_group* const members = group_of(pset_name);
    if (members == NULL) return raise_in(object, MPI_ERR_ARG, DVM_CALL);
    struct dvm_group* const group = dvm_group_new(members->size, members->world);
    if (group == NULL) return raise_in(object, dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a group"), DVM_CALL);
    group->session = object;
    *newgroup = dvm_group_handle(group);
    return MPI_SUCCESS;
}
DVM_ALIAS(Group_from_session_pset);

/* ---- buffers, for communicators that have none of their own ---- */

static int attach_to(MPI_Session session, void* buffer, MPI_Count size, const char* call) {
    struct dvm_session* object = NULL;
    const int error = check(session, &object, call);
    return error == MPI_SUCCESS ? raise_in(object, dvm_pool_attach(object, buffer, size), call) : error;
}

int PMPI_Session_attach_buffer(MPI_Session session, void* buffer, int size) {
    return attach_to(session, buffer, size, DVM_CALL);
}
DVM_ALIAS(Session_attach_buffer);

int PMPI_Session_attach_buffer_c(MPI_Session session, void* buffer, MPI_Count size) {
    return attach_to(session, buffer, size, DVM_CALL);
}
DVM_ALIAS(Session_attach_buffer_c);

static int detach_from(MPI_Session session, void* buffer_address, MPI_Count* size, const char* call) {
    struct dvm_session* object = NULL;
    const int error = check(session, &object, call);
    engine.call = call;
    return error == MPI_SUCCESS ? raise_in(object, dvm_pool_detach(object, buffer_address, size), call) : error;
}

int PMPI_Session_detach_buffer(MPI_Session session, void* buffer_addr, int* size) {
    MPI_Count large = 0;
    const int error = detach_from(session, buffer_addr, &large, DVM_CALL);
    *size = (int)large;
    return error;
}
DVM_ALIAS(Session_detach_buffer);

int PMPI_Session_detach_buffer_c(MPI_Session session, void* buffer_addr, MPI_Count* size) {
    return detach_from(session, buffer_addr, size, DVM_CALL);
}
DVM_ALIAS(Session_detach_buffer_c);

static int flush_of(MPI_Session session, struct dvm_session** object, const char* call) {
    const int error = check(session, object, call);
    engine.call = call;
    if (error == MPI_SUCCESS) dvm_pool_flush(*object);
    return error;
}

int PMPI_Session_flush_buffer(MPI_Session session) {
    struct dvm_session* object = NULL;
    return flush_of(session, &object, DVM_CALL);
}
DVM_ALIAS(Session_flush_buffer);

int PMPI_Session_iflush_buffer(MPI_Session session, MPI_Request* request) {
    struct dvm_session* object = NULL;
    const int error = flush_of(session, &object, DVM_CALL);
    return error == MPI_SUCCESS ? raise_in(object, dvm_done_request(request), DVM_CALL) : error;
}
DVM_ALIAS(Session_iflush_buffer);

/* ---- error handlers ---- */

int PMPI_Session_set_errhandler(MPI_Session session, MPI_Errhandler errhandler) {
    struct dvm_session* object = NULL;
    struct dvm_errhandler* const handler = dvm_errhandler_of(errhandler);
    const int error = check(session, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (handler == NULL) return raise_in(object, dvm_fail(MPI_ERR_ERRHANDLER, "the error handler is none"), DVM_CALL);
    dvm_errhandler_replace(&object->errhandler, handler);
    return MPI_SUCCESS;
}
DVM_ALIAS(Session_set_errhandler);

int PMPI_Session_get_errhandler(MPI_Session session, MPI_Errhandler* errhandler) {
    struct dvm_session* object = NULL;
    const int error = check(session, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    dvm_errhandler_retain(object->errhandler);
    *errhandler = dvm_errhandler_handle(object->errhandler);
    return MPI_SUCCESS;
}
DVM_ALIAS(Session_get_errhandler);

int PMPI_Session_call_errhandler(MPI_Session session, int errorcode) {
    struct dvm_session* object = NULL;
    const int error = check(session, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const char* const text = dvm_class_text(errorcode);
    dvm_fail(errorcode, "%s", text == NULL ? "an error of the program's own" : text);
    raise_in(object, errorcode, DVM_CALL);
    return MPI_SUCCESS;
}
DVM_ALIAS(Session_call_errhandler);
