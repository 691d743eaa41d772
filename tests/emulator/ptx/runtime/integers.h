// integers.h: shifts, division and bit fields as PTX defines them: no shift count and no divisor is undefined.
#pragma once
#include "abi.h"
#include "memory.h"

#define SHIFTS(N)                                                                       \
    INLINE u##N shl_u##N(u##N a, u32 n) { return n >= N ? 0 : a << n; }                 \
    INLINE u##N shr_u##N(u##N a, u32 n) { return n >= N ? 0 : a >> n; }                 \
    INLINE s##N shr_s##N(s##N a, u32 n) { return a >> (n >= N ? N - 1 : n); }
SHIFTS(16)
SHIFTS(32)
SHIFTS(64)

#define DIVISION(T, U)                                                                  \
    INLINE T div_##T(T a, T b) {                                                        \
        if (b == 0) return (T)-1;                                                       \
        return b == (T)-1 && (T)-1 < (T)0 ? (T)(0 - (U)a) : a / b;                      \
    }                                                                                   \
    INLINE T rem_##T(T a, T b) {                                                        \
        if (b == 0) return a;                                                           \
        return b == (T)-1 && (T)-1 < (T)0 ? 0 : a % b;                                  \
    }
DIVISION(u16, u16)
DIVISION(s16, u16)
DIVISION(u32, u32)
DIVISION(s32, u32)
DIVISION(u64, u64)
DIVISION(s64, u64)

// Bit fields: n bits from bit p on, both modulo 256; what lies beyond the top is the sign, or 0.
INLINE u64 bfe_u64(u64 a, u32 p, u32 n) {
    p &= 255, n &= 255;
    u64 v = p > 63 ? 0 : a >> p;
    return n > 63 ? v : v & ((1ull << n) - 1);
}
INLINE s64 bfe_s64(s64 a, u32 p, u32 n) {
    p &= 255, n &= 255;
    if (n == 0) return 0;
    s64 v = a >> (p > 63 ? 63 : p);
    return n > 63 ? v : (s64)((u64)v << (64 - n)) >> (64 - n);
}
INLINE u32 bfe_u32(u32 a, u32 p, u32 n) { return (u32)bfe_u64(a, p, n); }
INLINE s32 bfe_s32(s32 a, u32 p, u32 n) { return (s32)bfe_s64(a, p, n); }
INLINE u64 bfi_(u64 a, u64 b, u32 p, u32 n, u32 width) {
    p &= 255, n &= 255;
    for (u32 i = 0; i < n && p + i < width; i++) b = (b & ~(1ull << (p + i))) | ((a >> i & 1) << (p + i));
    return b;
}

INLINE u32 reversed_u32(u32 x) {
    u32 r = 0;
    for (int i = 0; i < 32; i++) r |= (x >> i & 1u) << (31 - i);
    return r;
}
INLINE u64 reversed_u64(u64 x) { return (u64)reversed_u32((u32)x) << 32 | reversed_u32((u32)(x >> 32)); }

INLINE u32 prmt_(u32 a, u32 b, u32 choice) {  // four bytes chosen from eight; bit 3 of a choice: its sign instead
    u64 all = (u64)b << 32 | a;
    u32 r = 0;
    for (int i = 0; i < 4; i++) {
        u32 c = choice >> (4 * i) & 15;
        u8 byte = (u8)(all >> (8 * (c & 7)));
        if (c & 8) byte = byte & 0x80 ? 0xff : 0;
        r |= (u32)byte << (8 * i);
    }
    return r;
}

INLINE u32 lop3_(u32 a, u32 b, u32 c, u32 table) {  // bit 4a + 2b + c of the table
    u32 r = 0;
    for (int i = 0; i < 8; i++)
        if (table >> i & 1) r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    return r;
}

INLINE u32 funnel_left(u32 low, u32 high, u32 n) { return n == 0 ? high : n == 32 ? low : high << n | low >> (32 - n); }
INLINE u32 funnel_right(u32 low, u32 high, u32 n) { return n == 0 ? low : n == 32 ? high : low >> n | high << (32 - n); }
INLINE u32 count_of(u32 n, int wraps) { return wraps ? n & 31 : n > 32 ? 32 : n; }  // of a funnel shift
