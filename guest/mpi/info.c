#include "info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct entry {
    struct entry* next;
    char* value;
    char key[MPI_MAX_INFO_KEY];
};

struct dvm_info {
    struct dvm_object object;
    struct entry* first;
};

/* MPI_INFO_ENV: what is known of how the program was started, which is little. */
static struct dvm_info environment = {.object = {DVM_INFO, 1, (int32_t)(uintptr_t)MPI_INFO_ENV}};

struct dvm_info* dvm_info_of(MPI_Info info) {
    if (info == MPI_INFO_ENV) return &environment;
    return dvm_is(info, DVM_INFO) ? (struct dvm_info*)info : NULL;
}

MPI_Info dvm_info_handle(struct dvm_info* info) {
    return info == &environment ? MPI_INFO_ENV : (MPI_Info)info;
}

struct dvm_info* dvm_info_new(void) {
    return dvm_new(DVM_INFO, sizeof(struct dvm_info));
}

static struct entry** find(struct dvm_info* info, const char* key) {
    struct entry** place = &info->first;
    while (*place != NULL && strcmp((*place)->key, key) != 0) place = &(*place)->next;
    return place;
}

const char* dvm_info_find(const struct dvm_info* info, const char* key) {
    for (const struct entry* entry = info->first; entry != NULL; entry = entry->next)
        if (strcmp(entry->key, key) == 0) return entry->value;
    return NULL;
}

static int set(struct dvm_info* info, const char* key, const char* value) {
    struct entry** const place = find(info, key);
    char* const copy = strdup(value);
    if (*place == NULL && copy != NULL) {
        *place = calloc(1, sizeof **place);
        if (*place != NULL) snprintf((*place)->key, sizeof(*place)->key, "%s", key);
    }
    if (*place == NULL || copy == NULL) {
        free(copy);
        return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a value");
    }
    free((*place)->value);
    (*place)->value = copy;
    return MPI_SUCCESS;
}

static void remove_entry(struct entry** place) {
    struct entry* const gone = *place;
    *place = gone->next;
    free(gone->value);
    free(gone);
}

void dvm_info_free(struct dvm_info* info) {
    while (info->first != NULL) remove_entry(&info->first);
    dvm_delete(info);
}

struct dvm_info* dvm_info_copy(const struct dvm_info* info) {
    struct dvm_info* const copy = dvm_info_new();
    for (const struct entry* entry = info->first; copy != NULL && entry != NULL; entry = entry->next)
        if (set(copy, entry->key, entry->value) != MPI_SUCCESS) {
            dvm_info_free(copy);
            return NULL;
        }
    return copy;
}

/* ---- calls ---- */

static int check(MPI_Info info, const char* key, const char* call) {
    if (dvm_info_of(info) == NULL) return dvm_error(NULL, MPI_ERR_INFO, call, "the info object is none");
    if (key == NULL || *key == '\0' || strlen(key) >= MPI_MAX_INFO_KEY)
        return dvm_error(NULL, MPI_ERR_INFO_KEY, call, "a key has 1 to %d characters", MPI_MAX_INFO_KEY - 1);
    return MPI_SUCCESS;
}

static int give(struct dvm_info* made, MPI_Info* info, const char* call) {
    if (made == NULL) return dvm_error(NULL, MPI_ERR_NO_MEM, call, "not enough memory for an info object");
    *info = dvm_info_handle(made);
    return MPI_SUCCESS;
}

int PMPI_Info_create(MPI_Info* info) {
    return give(dvm_info_new(), info, DVM_CALL);
}
DVM_ALIAS(Info_create);

int PMPI_Info_create_env(int argc, char* argv[], MPI_Info* info) {
    struct dvm_info* const made = dvm_info_new();
    if (made != NULL && argc > 0 && argv != NULL) set(made, "command", argv[0]);
    return give(made, info, DVM_CALL);
}
DVM_ALIAS(Info_create_env);

int PMPI_Info_dup(MPI_Info info, MPI_Info* newinfo) {
    const struct dvm_info* const object = dvm_info_of(info);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_INFO, DVM_CALL, "the info object is none");
    return give(dvm_info_copy(object), newinfo, DVM_CALL);
}
DVM_ALIAS(Info_dup);

int PMPI_Info_free(MPI_Info* info) {
    struct dvm_info* const object = dvm_info_of(*info);
    if (object == NULL || object == &environment)
        return dvm_error(NULL, MPI_ERR_INFO, DVM_CALL, "the info object is none that can be freed");
    dvm_info_free(object);
    *info = MPI_INFO_NULL;
    return MPI_SUCCESS;
}
DVM_ALIAS(Info_free);

int PMPI_Info_set(MPI_Info info, const char* key, const char* value) {
    int error = check(info, key, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (value == NULL || *value == '\0' || strlen(value) > MPI_MAX_INFO_VAL)
        return dvm_error(NULL, MPI_ERR_INFO_VALUE, DVM_CALL, "a value has 1 to %d characters", MPI_MAX_INFO_VAL);
    error = set(dvm_info_of(info), key, value);
    return error == MPI_SUCCESS ? error : dvm_raise(NULL, error, DVM_CALL);
}
DVM_ALIAS(Info_set);

int PMPI_Info_delete(MPI_Info info, const char* key) {
    const int error = check(info, key, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    struct entry** const place = find(dvm_info_of(info), key);
    if (*place == NULL) return dvm_error(NULL, MPI_ERR_INFO_NOKEY, DVM_CALL, "there is no key %s", key);
    remove_entry(place);
    return MPI_SUCCESS;
}
DVM_ALIAS(Info_delete);

int PMPI_Info_get(MPI_Info info, const char* key, int valuelen, char* value, int* flag) {
    const int error = check(info, key, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (valuelen < 0) return dvm_error(NULL, MPI_ERR_ARG, DVM_CALL, "a value of %d characters", valuelen);
    const char* const found = dvm_info_find(dvm_info_of(info), key);
    *flag = found != NULL;
    if (found != NULL) snprintf(value, (size_t)valuelen + 1, "%s", found);
    return MPI_SUCCESS;
}
DVM_ALIAS(Info_get);

int PMPI_Info_get_string(MPI_Info info, const char* key, int* buflen, char* value, int* flag) {
    const int error = check(info, key, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const char* const found = dvm_info_find(dvm_info_of(info), key);
    *flag = found != NULL;
    if (found == NULL) return MPI_SUCCESS;
    if (*buflen > 0) snprintf(value, (size_t)*buflen, "%s", found);
    *buflen = (int)strlen(found) + 1;
    return MPI_SUCCESS;
}
DVM_ALIAS(Info_get_string);

int PMPI_Info_get_valuelen(MPI_Info info, const char* key, int* valuelen, int* flag) {
    const int error = check(info, key, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const char* const found = dvm_info_find(dvm_info_of(info), key);
    *flag = found != NULL;
    if (found != NULL) *valuelen = (int)strlen(found);
    return MPI_SUCCESS;
}
DVM_ALIAS(Info_get_valuelen);

int PMPI_Info_get_nkeys(MPI_Info info, int* nkeys) {
    const struct dvm_info* const object = dvm_info_of(info);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_INFO, DVM_CALL, "the info object is none");
    *nkeys = 0;
    for (const struct entry* entry = object->first; entry != NULL; entry = entry->next) ++*nkeys;
    return MPI_SUCCESS;
}
DVM_ALIAS(Info_get_nkeys);

int PMPI_Info_get_nthkey(MPI_Info info, int n, char* key) {
    const struct dvm_info* const object = dvm_info_of(info);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_INFO, DVM_CALL, "the info object is none");
    const struct entry* entry = object->first;
    for (int i = 0; i < n && entry != NULL; ++i) entry = entry->next;
    if (n < 0 || entry == NULL) return dvm_error(NULL, MPI_ERR_ARG, DVM_CALL, "there is no key %d", n);
    snprintf(key, MPI_MAX_INFO_KEY, "%s", entry->key);
    return MPI_SUCCESS;
}
DVM_ALIAS(Info_get_nthkey);
