/* Error classes and codes: their texts, and those that the program adds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char* const texts[] = {
    [MPI_SUCCESS] = "MPI_SUCCESS: no error",
    [MPI_ERR_BUFFER] = "MPI_ERR_BUFFER: a buffer that cannot be meant",
    [MPI_ERR_COUNT] = "MPI_ERR_COUNT: a count that cannot be meant",
    [MPI_ERR_TYPE] = "MPI_ERR_TYPE: not a datatype, or one that does not fit here",
    [MPI_ERR_TAG] = "MPI_ERR_TAG: a tag out of range",
    [MPI_ERR_COMM] = "MPI_ERR_COMM: not a communicator, or one that does not fit here",
    [MPI_ERR_RANK] = "MPI_ERR_RANK: a rank out of range",
    [MPI_ERR_REQUEST] = "MPI_ERR_REQUEST: not a request, or one that does not fit here",
    [MPI_ERR_ROOT] = "MPI_ERR_ROOT: a root out of range",
    [MPI_ERR_GROUP] = "MPI_ERR_GROUP: not a group",
    [MPI_ERR_OP] = "MPI_ERR_OP: not an operation, or one that does not fit the type",
    [MPI_ERR_TOPOLOGY] = "MPI_ERR_TOPOLOGY: a communicator without such a topology, or a topology that cannot be",
    [MPI_ERR_DIMS] = "MPI_ERR_DIMS: dimensions that cannot be",
    [MPI_ERR_ARG] = "MPI_ERR_ARG: an argument that cannot be meant",
    [MPI_ERR_UNKNOWN] = "MPI_ERR_UNKNOWN: an error of an unknown kind",
    [MPI_ERR_TRUNCATE] = "MPI_ERR_TRUNCATE: a message larger than the buffer",
    [MPI_ERR_OTHER] = "MPI_ERR_OTHER: another error",
    [MPI_ERR_INTERN] = "MPI_ERR_INTERN: an error of the library's own",
    [MPI_ERR_PENDING] = "MPI_ERR_PENDING: neither failed nor done yet",
    [MPI_ERR_IN_STATUS] = "MPI_ERR_IN_STATUS: the statuses tell the errors",
    [MPI_ERR_ACCESS] = "MPI_ERR_ACCESS: permission denied",
    [MPI_ERR_AMODE] = "MPI_ERR_AMODE: a mode that cannot be meant",
    [MPI_ERR_ASSERT] = "MPI_ERR_ASSERT: an assertion that cannot be meant",
    [MPI_ERR_BAD_FILE] = "MPI_ERR_BAD_FILE: a file name that cannot be meant",
    [MPI_ERR_BASE] = "MPI_ERR_BASE: a base that cannot be meant",
    [MPI_ERR_CONVERSION] = "MPI_ERR_CONVERSION: a conversion function failed",
    [MPI_ERR_DISP] = "MPI_ERR_DISP: a displacement that cannot be meant",
    [MPI_ERR_DUP_DATAREP] = "MPI_ERR_DUP_DATAREP: a data representation of this name is there",
    [MPI_ERR_FILE_EXISTS] = "MPI_ERR_FILE_EXISTS: the file exists",
    [MPI_ERR_FILE_IN_USE] = "MPI_ERR_FILE_IN_USE: the file is in use",
    [MPI_ERR_FILE] = "MPI_ERR_FILE: not a file",
    [MPI_ERR_INFO_KEY] = "MPI_ERR_INFO_KEY: a key too long or empty",
    [MPI_ERR_INFO_NOKEY] = "MPI_ERR_INFO_NOKEY: no such key",
    [MPI_ERR_INFO_VALUE] = "MPI_ERR_INFO_VALUE: a value too long or empty",
    [MPI_ERR_INFO] = "MPI_ERR_INFO: not an info object",
    [MPI_ERR_IO] = "MPI_ERR_IO: input or output failed",
    [MPI_ERR_KEYVAL] = "MPI_ERR_KEYVAL: not an attribute key, or one of another kind of object",
    [MPI_ERR_LOCKTYPE] = "MPI_ERR_LOCKTYPE: not a kind of lock",
    [MPI_ERR_NAME] = "MPI_ERR_NAME: no service of this name",
    [MPI_ERR_NO_MEM] = "MPI_ERR_NO_MEM: not enough memory",
    [MPI_ERR_NOT_SAME] = "MPI_ERR_NOT_SAME: an argument is not the same on all ranks",
    [MPI_ERR_NO_SPACE] = "MPI_ERR_NO_SPACE: no space is left",
    [MPI_ERR_NO_SUCH_FILE] = "MPI_ERR_NO_SUCH_FILE: no such file",
    [MPI_ERR_PORT] = "MPI_ERR_PORT: not a port",
    [MPI_ERR_QUOTA] = "MPI_ERR_QUOTA: over the quota",
    [MPI_ERR_READ_ONLY] = "MPI_ERR_READ_ONLY: a read-only file",
    [MPI_ERR_RMA_ATTACH] = "MPI_ERR_RMA_ATTACH: memory that cannot be attached",
    [MPI_ERR_RMA_CONFLICT] = "MPI_ERR_RMA_CONFLICT: accesses to a window in conflict",
    [MPI_ERR_RMA_RANGE] = "MPI_ERR_RMA_RANGE: memory outside of the window",
    [MPI_ERR_RMA_SHARED] = "MPI_ERR_RMA_SHARED: memory that cannot be shared",
    [MPI_ERR_RMA_SYNC] = "MPI_ERR_RMA_SYNC: a wrong synchronization of a window",
    [MPI_ERR_SERVICE] = "MPI_ERR_SERVICE: a service that cannot be published or withdrawn",
    [MPI_ERR_SIZE] = "MPI_ERR_SIZE: a size that cannot be meant",
    [MPI_ERR_SPAWN] = "MPI_ERR_SPAWN: processes could not be started",
    [MPI_ERR_UNSUPPORTED_DATAREP] = "MPI_ERR_UNSUPPORTED_DATAREP: not a data representation that is there",
    [MPI_ERR_UNSUPPORTED_OPERATION] = "MPI_ERR_UNSUPPORTED_OPERATION: not supported",
    [MPI_ERR_WIN] = "MPI_ERR_WIN: not a window",
    [MPI_ERR_RMA_FLAVOR] = "MPI_ERR_RMA_FLAVOR: a window of the wrong flavor",
    [MPI_ERR_PROC_ABORTED] = "MPI_ERR_PROC_ABORTED: a rank that is needed has ended",
    [MPI_ERR_VALUE_TOO_LARGE] = "MPI_ERR_VALUE_TOO_LARGE: a value too large for where it is to be stored",
    [MPI_ERR_SESSION] = "MPI_ERR_SESSION: not a session",
    [MPI_ERR_ERRHANDLER] = "MPI_ERR_ERRHANDLER: not an error handler",
    [MPI_ERR_ABI] = "MPI_ERR_ABI: the binary interface does not fit",
};

#define CLASSES ((int)(sizeof texts / sizeof *texts))

/* What the program adds: classes and codes share their numbers, beyond MPI_ERR_LASTCODE. */
struct added {
    int error_class; /* its own number where it is a class; 0: removed */
    bool is_class;
    char text[MPI_MAX_ERROR_STRING];
};

static struct added* added;
static int added_count;

int dvm_last_used_code(void) {
    return added_count == 0 ? MPI_ERR_LASTCODE : MPI_ERR_LASTCODE + added_count;
}

static struct added* find_added(int code) {
    const int index = code - MPI_ERR_LASTCODE - 1;
    return index >= 0 && index < added_count && added[index].error_class != 0 ? &added[index] : NULL;
}

static bool is_class(int code) {
    if (code >= 0 && code < CLASSES && texts[code] != NULL) return true;
    const struct added* const found = find_added(code);
    return found != NULL && found->is_class;
}

const char* dvm_class_text(int error_class) {
    if (error_class >= 0 && error_class < CLASSES) return texts[error_class];
    const struct added* const found = find_added(error_class);
    return found == NULL ? NULL : found->text;
}

static int add(int error_class, int* code) {
    struct added* const more = realloc(added, ((size_t)added_count + 1) * sizeof *more);
    if (more == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for an error code");
    added = more;
    *code = MPI_ERR_LASTCODE + 1 + added_count;
    struct added* const one = &added[added_count++];
    memset(one, 0, sizeof *one);
    one->is_class = error_class == 0;
    one->error_class = error_class == 0 ? *code : error_class;
    return MPI_SUCCESS;
}

int PMPI_Add_error_class(int* errorclass) {
    const int error = add(0, errorclass);
    return error == MPI_SUCCESS ? error : dvm_raise(NULL, error, DVM_CALL);
}
DVM_ALIAS(Add_error_class);

int PMPI_Add_error_code(int errorclass, int* errorcode) {
    if (!is_class(errorclass)) return dvm_error(NULL, MPI_ERR_ARG, DVM_CALL, "%d is not an error class", errorclass);
    const int error = add(errorclass, errorcode);
    return error == MPI_SUCCESS ? error : dvm_raise(NULL, error, DVM_CALL);
}
DVM_ALIAS(Add_error_code);

static int set_string(int code, const char* string, const char* call) {
    struct added* const found = find_added(code);
    if (found == NULL) return dvm_error(NULL, MPI_ERR_ARG, call, "%d is not an error code of the program's own", code);
    snprintf(found->text, sizeof found->text, "%s", string);
    return MPI_SUCCESS;
}

int PMPI_Add_error_string(int errorcode, const char* string) {
    return set_string(errorcode, string, DVM_CALL);
}
DVM_ALIAS(Add_error_string);

static int remove_added(int code, bool wants_class, const char* call) {
    struct added* const found = find_added(code);
    if (found == NULL || found->is_class != wants_class)
        return dvm_error(NULL, MPI_ERR_ARG, call, "%d was not added by this program", code);
    found->error_class = 0;
    return MPI_SUCCESS;
}

int PMPI_Remove_error_class(int errorclass) {
    return remove_added(errorclass, true, DVM_CALL);
}
DVM_ALIAS(Remove_error_class);

int PMPI_Remove_error_code(int errorcode) {
    return remove_added(errorcode, false, DVM_CALL);
}
DVM_ALIAS(Remove_error_code);

int PMPI_Remove_error_string(int errorcode) {
    return set_string(errorcode, "", DVM_CALL);
}
DVM_ALIAS(Remove_error_string);

int PMPI_Error_class(int errorcode, int* errorclass) {
    const struct added* const found = find_added(errorcode);
    if (found == NULL && !is_class(errorcode)) {
        *errorclass = MPI_ERR_UNKNOWN;
        return MPI_SUCCESS;
    }
    *errorclass = found == NULL ? errorcode : found->error_class;
    return MPI_SUCCESS;
}
DVM_ALIAS(Error_class);

/* For the error that this thread met last, with the sentence that says what was wrong. */
int PMPI_Error_string(int errorcode, char* string, int* resultlen) {
    const char* const text = dvm_class_text(errorcode);
    if (text == NULL && find_added(errorcode) == NULL) {
        *resultlen = snprintf(string, MPI_MAX_ERROR_STRING, "%d is not an error code", errorcode);
        return dvm_error(NULL, MPI_ERR_ARG, DVM_CALL, "%d is not an error code", errorcode);
    }
    const char* const sentence = errorcode < CLASSES ? dvm_noted(errorcode) : NULL;
    const int length = snprintf(string, MPI_MAX_ERROR_STRING, sentence == NULL ? "%s" : "%s; %s",
                                text == NULL ? "" : text, sentence == NULL ? "" : sentence);
    *resultlen = length < MPI_MAX_ERROR_STRING ? length : MPI_MAX_ERROR_STRING - 1;
    return MPI_SUCCESS;
}
DVM_ALIAS(Error_string);
