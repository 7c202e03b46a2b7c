#include <stdio.h>

#include "internal.h"

static _Thread_local char sentence[192];

const char* divisi_strerror(int result) {
    switch (result) {
        case DIVISI_OK: return "no error";
        case DIVISI_EAGAIN: return "it would have had to wait";
        case DIVISI_EINVAL: return "an argument is out of range";
        case DIVISI_ENOLINK: return "no way leads from the one rank to the other";
        case DIVISI_EPEER: return "the peer is gone";
        case DIVISI_EPROTO: return "the peer wrote garbage into the channel";
        case DIVISI_ETRUNC: return "the message is larger than the buffer";
        case DIVISI_E2BIG: return "the message is larger than the channel";
        case DIVISI_ESETUP: return "this node is not set up for divisi";
        default: return "unknown error";
    }
}

const char* divisi_error(void) {
    return sentence;
}

int dvi_fail(int result, int rank) {
    if (result == DIVISI_ESETUP && dvi.setup_sentence != NULL)
        snprintf(sentence, sizeof sentence, "rank %u: %s", dvi.rank, dvi.setup_sentence);
    else if (rank < 0)
        snprintf(sentence, sizeof sentence, "rank %u: %s", dvi.rank, divisi_strerror(result));
    else
        snprintf(sentence, sizeof sentence, "rank %u: rank %d (node %d): %s", dvi.rank, rank, divisi_node_of(rank),
                 divisi_strerror(result));
    return result;
}
