/* What this rank waits for, told before it sleeps (divisi_wait): so that whoever looks at a program that does not go on
 * sees why. Nothing depends on it, and it is done only where a sleep follows, which costs far more. */
#include <string.h>

#include "internal.h"

static uint32_t kind_of(const struct dvi_condition* condition) {
    switch (condition->wanted) {
        case DVI_DATA: return DIVISI_WAIT_MESSAGE;
        case DVI_SPACE: return DIVISI_WAIT_RECEIVER;
        case DVI_SIGNAL: return DIVISI_WAIT_ALL;
    }
    return DIVISI_WAIT_NOTHING;
}

void dvi_tell(const struct dvi_condition* conditions, uint32_t count) {
    struct divisi_wait wait;
    memset(&wait, 0, sizeof wait);
    wait.kind = kind_of(&conditions[0]);
    wait.peer = conditions[0].link->rank;
    for (uint32_t i = 1; i < count; ++i)
        if (conditions[i].link->rank != wait.peer) wait.peer = DIVISI_NO_RANK;
    wait.job_peer = wait.peer;
    wait.tag = DIVISI_WAIT_NO_TAG;
    if (dvi.call != NULL) strncpy(wait.call, dvi.call, sizeof wait.call - 1);
    if (dvi.describe != NULL) dvi.describe(&wait);
    *dvi.wait = wait;
}
