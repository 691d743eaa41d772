// printf.h: printf in kernels.
#pragma once
#include "../ptx/runtime/abi.h"

int device_printf(Thread*, u64 format, u64 arguments);
