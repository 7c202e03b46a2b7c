/* The lock of the library, for programs whose threads call MPI at the same time (MPI_THREAD_MULTIPLE).
 *
 * One lock for all: what a call needs lies in queues and rings that belong to no thread. Those who want it get it in
 * the order in which they came, so that a thread which asks again and again (MPI_Test) keeps nobody out. The thread
 * that has it may take it again: functions of the program's that the library calls may call MPI. */
#ifndef DVM_LOCK_H
#define DVM_LOCK_H

void dvm_lock(void);
void dvm_unlock(void);
/* Gives the lock to the others for a while: nothing moves. With each time in a row the while grows. */
void dvm_unlock_for_a_while(void);
/* Something moved. */
void dvm_lock_was_worth_it(void);

#endif
