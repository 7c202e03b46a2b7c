#include "object.h"

#include <stdlib.h>
#include <string.h>

/* A freed object: the next of its kind takes its memory. The header stays, so that old handles are seen to be old. */
struct freed {
    struct dvm_object object;
    struct freed* next;
};

static struct freed* pools[DVM_KINDS - DVM_FREED];

void* dvm_new(enum dvm_kind kind, size_t bytes) {
    struct freed** const pool = &pools[kind - DVM_FREED];
    const size_t whole = bytes < sizeof(struct freed) ? sizeof(struct freed) : bytes;
    struct dvm_object* object = (struct dvm_object*)*pool;
    if (object == NULL)
        object = malloc(whole);
    else
        *pool = (*pool)->next;
    if (object == NULL) return NULL;
    memset(object, 0, whole);
    object->kind = (uint32_t)kind;
    object->references = 1;
    return object;
}

/* ---- numbers ---- */

/* numbers[i] belongs to DVM_PREDEFINED_END + i. */
static struct {
    void** objects;
    int used;
    int room;
} numbers;

static void forget_number(const struct dvm_object* object) {
    if (object->number != 0) numbers.objects[object->number - (int)DVM_PREDEFINED_END] = NULL;
}

void dvm_delete(void* object) {
    struct freed* const freed = object;
    struct freed** const pool = &pools[freed->object.kind - DVM_FREED];
    forget_number(&freed->object);
    freed->object.kind = DVM_FREED;
    freed->object.number = 0;
    freed->next = *pool;
    *pool = freed;
}

/* A free place: one that was given back, or a new one. -1: no memory. */
static int find_place(void) {
    for (int i = 0; i < numbers.used; ++i)
        if (numbers.objects[i] == NULL) return i;
    if (numbers.used == numbers.room) {
        const int room = numbers.room == 0 ? 64 : 2 * numbers.room;
        void** const objects = realloc(numbers.objects, (size_t)room * sizeof *objects);
        if (objects == NULL) return -1;
        numbers.objects = objects;
        numbers.room = room;
    }
    return numbers.used++;
}

int dvm_to_int(const void* handle) {
    if (dvm_is_predefined(handle)) return (int)(uintptr_t)handle;
    struct dvm_object* const object = (struct dvm_object*)(uintptr_t)handle;
    if (object->kind <= DVM_FREED || object->kind >= DVM_KINDS) return 0;
    if (object->number == 0) {
        const int place = find_place();
        if (place < 0) return 0;
        numbers.objects[place] = object;
        object->number = (int)DVM_PREDEFINED_END + place;
    }
    return object->number;
}

void* dvm_from_int(int number) {
    if (number < (int)DVM_PREDEFINED_END) return (void*)(uintptr_t)(number < 0 ? 0 : number);
    const int place = number - (int)DVM_PREDEFINED_END;
    return place < numbers.used ? numbers.objects[place] : NULL;
}
