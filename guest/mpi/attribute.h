/* Attributes that the program attaches to communicators, datatypes and windows. */
#ifndef DVM_ATTRIBUTE_H
#define DVM_ATTRIBUTE_H

#include <stdbool.h>

#include "object.h"

/* One object's; NULL: it has none. */
struct dvm_attribute;

/* Set by Fortran's side of a call, around it: an attribute's value is an integer. C gets the address of an integer that
 * Fortran has set, and Fortran gets a pointer that C has set as an integer. */
extern _Thread_local bool dvm_integer_attributes;

/* For an object that is duplicated: calls the copy functions with `handle`, the old object's. An MPI error class. */
int dvm_attributes_copy(struct dvm_attribute* from, struct dvm_attribute** to, void* handle);
/* For an object that goes: calls the delete functions, the latest attribute first. Those that fail stay. */
int dvm_attributes_delete(struct dvm_attribute** attributes, void* handle);

#endif
