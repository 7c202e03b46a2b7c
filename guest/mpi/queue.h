/* A queue of things that have a `dvm_item` in them; each is in one queue at a time. */
#ifndef DVM_QUEUE_H
#define DVM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct dvm_item {
    struct dvm_item* next;
    struct dvm_item* previous;
};

/* All zeros is an empty one. */
struct dvm_queue {
    struct dvm_item* first;
    struct dvm_item* last;
};

static inline bool dvm_queue_empty(const struct dvm_queue* queue) {
    return queue->first == NULL;
}

static inline void dvm_queue_add(struct dvm_queue* queue, struct dvm_item* item) {
    item->next = NULL;
    item->previous = queue->last;
    if (queue->last == NULL)
        queue->first = item;
    else
        queue->last->next = item;
    queue->last = item;
}

static inline void dvm_queue_remove(struct dvm_queue* queue, struct dvm_item* item) {
    if (item->previous == NULL)
        queue->first = item->next;
    else
        item->previous->next = item->next;
    if (item->next == NULL)
        queue->last = item->previous;
    else
        item->next->previous = item->previous;
}

/* The `type` whose member `item` this is; NULL of NULL. */
#define DVM_OF_ITEM(pointer, type) \
    ((type*)((pointer) == NULL ? NULL : (void*)((unsigned char*)(pointer)-offsetof(type, item))))

#endif
