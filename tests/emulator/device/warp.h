// warp.h: operations in which the lanes of a warp see each other's values.
#pragma once
#include <stddef.h>

#include "../ptx/runtime/abi.h"

// Finishes each operation at which all lanes that it names have arrived, of a warp of `count` threads; false: none.
bool finish_warp_operations(Thread* warp, size_t count);
