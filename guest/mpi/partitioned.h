/* Partitioned communication: one message in parts, each of which goes when the program says that it is ready.
 *
 * The two ends make each other's acquaintance once (partition_setup.c). The receiver *greets*: with a number by which
 * it knows what comes, and how much it takes. Greetings match in the order of MPI_Psend_init and MPI_Precv_init, as
 * messages do, in a context of their own. The sender *answers* in how many *units* it will send: of as many of its
 * partitions each as makes units no more than the receiver has partitions. A unit is a message; its tag is the
 * receiver's number and the unit's. So nothing that a partition needs is negotiated while it goes.
 *
 * What is begun inside of the engine when a message is there is only noted, and done when the engine is through. */
#ifndef DVM_PARTITIONED_H
#define DVM_PARTITIONED_H

#include "engine.h"

/* A tag: the receiver's number, and the unit's. */
#define DVM_UNIT_BITS 10
#define DVM_UNITS_MAX (1 << DVM_UNIT_BITS)
#define DVM_NUMBERS (1u << (DVM_TAG_BITS - DVM_UNIT_BITS))

struct dvm_greeting {
    uint64_t bytes;
    uint32_t partitions;
    uint32_t number;
};

struct dvm_greeting_answer {
    uint64_t bytes;
    uint32_t units;
    uint32_t padding;
};

struct dvm_parts {
    struct dvm_request* request; /* NULL: freed, while the ends were still to meet */
    struct dvm_parts* next;      /* of those with something to do */
    bool noted;                  /* it is one of them */
    bool sends;
    bool acquainted;
    bool running;     /* a round is */
    int strange;      /* the error that the acquaintance met */
    int error;        /* of this round */
    uint32_t meeting; /* messages of the acquaintance under way */
    uint32_t number;  /* the receiver's */
    int partitions;
    uint64_t bytes; /* of all partitions */
    struct dvm_greeting greeting;
    struct dvm_greeting_answer answer;
    int units;     /* 0: not known yet */
    int open;      /* units of this round that are not done */
    int unready;   /* of a send: partitions that are not ready */
    bool* ready;   /* of a send: by partition */
    bool* done;    /* by unit: of a receive, whether it is there; of a send, whether it was begun */
    void* aside[]; /* of a receive: by unit, where it does not begin and end with items; DVM_UNITS_MAX of them */
};

/* NULL: no memory, or no number. Begins the acquaintance. */
struct dvm_parts* dvm_parts_new(struct dvm_request* request, bool sends, int partitions);
/* Its request goes. */
void dvm_parts_release(struct dvm_parts* parts);
/* Whether the ends agree about the bytes; else the error class, with a sentence. */
int dvm_parts_agree(const struct dvm_parts* parts);
/* Has dvm_parts_go_on called when the engine is through. */
void dvm_parts_note(struct dvm_parts* parts);
/* Begins what can begin. */
void dvm_parts_go_on(struct dvm_parts* parts);
/* Does what was noted. */
void dvm_parts_advance(void);

#endif
