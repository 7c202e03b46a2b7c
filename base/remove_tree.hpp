// Removing a folder with all that is in it, whatever a program has made of it.
#pragma once

#include <string>

#include "base/result.hpp"

namespace divisi {

// Removes `name` in the open folder `folder` (or AT_FDCWD), a file or a folder, however deep that is and whatever its
// permissions are; follows no link. Takes the same few descriptors whatever the depth. Nobody else may be changing it.
// Errors: the errno of what could not be removed; what could is gone. Nothing there is no error.
Result<void> remove_tree(int folder, const std::string& name);

}  // namespace divisi
