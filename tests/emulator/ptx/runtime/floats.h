// floats.h: floating point as PTX defines it where C says something else, or nothing.
#pragma once
#include <math.h>

#include "memory.h"

#define BITS(NAME, FROM, TO) INLINE TO NAME(FROM x) { TO y; memcpy(&y, &x, sizeof y); return y; }
BITS(f16_of, u16, f16)
BITS(bits_f16, f16, u16)
BITS(f32_of, u32, f32)
BITS(bits_f32, f32, u32)
BITS(f64_of, u64, f64)
BITS(bits_f64, f64, u64)

INLINE f32 flushed(f32 x) {  // denormals become zeros of their sign
    return bits_f32(x) & 0x7f800000 ? x : f32_of(bits_f32(x) & 0x80000000);
}

// A number beats NaN, and zeros are ordered: -0 < +0.
#define MIN_MAX(T)                                                                               \
    INLINE T min_##T(T a, T b) {                                                                 \
        return a != a ? b : b != b ? a : a < b ? a : b < a ? b : signbit(a) ? a : b;             \
    }                                                                                            \
    INLINE T max_##T(T a, T b) {                                                                 \
        return a != a ? b : b != b ? a : a > b ? a : b > a ? b : signbit(a) ? b : a;             \
    }                                                                                            \
    INLINE T min_nan_##T(T a, T b) { return a != a || b != b ? NAN : min_##T(a, b); }            \
    INLINE T max_nan_##T(T a, T b) { return a != a || b != b ? NAN : max_##T(a, b); }            \
    INLINE T saturated_##T(T x) { return x > 0 ? x < 1 ? x : 1 : 0; }
MIN_MAX(f16)
MIN_MAX(f32)
MIN_MAX(f64)

// Directed rounding, from a double-precision result s and the error that it was rounded by (its sign is enough):
// towards -1: minus infinity, 1: plus infinity, 0: zero.
INLINE f32 directed(f64 s, f64 error, int towards) {
    f32 x = (f32)s;
    if (!isfinite(s)) return x;
    int above = x > s || (x == s && error < 0), below = x < s || (x == s && error > 0);
    if (towards == 0) towards = s > 0 ? -1 : 1;
    if (towards < 0 && above) return nextafterf(x, -INFINITY);
    if (towards > 0 && below) return nextafterf(x, INFINITY);
    return x;
}
INLINE f32 fma_directed(f32 a, f32 b, f32 c, int towards) {
    f64 product = (f64)a * b, s = product + c, c_part = s - product;
    return directed(s, (product - (s - c_part)) + (c - c_part), towards);
}
INLINE f32 div_directed(f32 a, f32 b, int towards) {
    f64 q = (f64)a / b, rest = fma(-q, b, a);
    return directed(q, b > 0 ? rest : -rest, towards);
}
INLINE f32 sqrt_directed(f32 a, int towards) {
    f64 root = sqrt((f64)a);
    return directed(root, fma(-root, root, a), towards);
}
INLINE f64 upper_half(f64 x) { return f64_of(bits_f64(x) & 0xffffffff00000000ull); }  // what rcp.approx.ftz.f64 gives

// To integers: what does not fit becomes the nearest that does, NaN becomes 0 (of 64 bits: the smallest or 2^63).
#define TO_INTEGER(T, LOW, HIGH, NOT_A_NUMBER) \
    INLINE T to_##T(f64 x) { return x != x ? NOT_A_NUMBER : x <= (f64)LOW ? LOW : x >= (f64)HIGH ? HIGH : (T)x; }
TO_INTEGER(s8, INT8_MIN, INT8_MAX, 0)
TO_INTEGER(u8, 0, UINT8_MAX, 0)
TO_INTEGER(s16, INT16_MIN, INT16_MAX, 0)
TO_INTEGER(u16, 0, UINT16_MAX, 0)
TO_INTEGER(s32, INT32_MIN, INT32_MAX, 0)
TO_INTEGER(u32, 0, UINT32_MAX, 0)
TO_INTEGER(s64, INT64_MIN, INT64_MAX, INT64_MIN)
TO_INTEGER(u64, 0, UINT64_MAX, 0x8000000000000000ull)
