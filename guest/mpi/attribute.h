/* Attributes that the program attaches to communicators, datatypes and windows. */
#ifndef DVM_ATTRIBUTE_H
#define DVM_ATTRIBUTE_H

#include "object.h"

/* One object's; NULL: it has none. */
struct dvm_attribute;

/* For an object that is duplicated: calls the copy functions with `handle`, the old object's. An MPI error class. */
int dvm_attributes_copy(struct dvm_attribute* from, struct dvm_attribute** to, void* handle);
/* For an object that goes: calls the delete functions, the latest attribute first. Those that fail stay. */
int dvm_attributes_delete(struct dvm_attribute** attributes, void* handle);

#endif
