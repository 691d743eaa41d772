"""floats: arithmetic of f32 and f64, and functions; the approximate ones are the C library's here."""

from ptx.instructions.table import direction, instruction

SIGNS = {"add": "+", "sub": "-", "mul": "*"}


def sources(w, i):
    return [w.float_source(i, operand) for operand in i.operands[1:]]


def only_f32(i):
    """Directed rounding is written for f32."""
    if i.type != "f32":
        raise ValueError(i.type)


def directed(w, i, name, *arguments):
    only_f32(i)
    return w.assign_float(i, i.operands[0], f"{name}_directed({', '.join(arguments)}, {direction(i)})")


def add(w, i):
    x, y = sources(w, i)
    if direction(i) is None:
        return w.assign_float(i, i.operands[0], f"{x} {SIGNS[i.name]} {y}")
    return directed(w, i, "fma", x, "1", y if i.name == "add" else f"-({y})")


def multiply(w, i):
    x, y = sources(w, i)
    if direction(i) is None:
        return w.assign_float(i, i.operands[0], f"{x} * {y}")
    return directed(w, i, "fma", x, y, "-0.0f")


@instruction("fma")
def fused_multiply_add(w, i):
    x, y, z = sources(w, i)
    if direction(i) is None:
        return w.assign_float(i, i.operands[0], f"{'fmaf' if i.type == 'f32' else 'fma'}({x}, {y}, {z})")
    return directed(w, i, "fma", x, y, z)


def divide(w, i):
    x, y = sources(w, i)
    return directed(w, i, "div", x, y) if direction(i) is not None else w.assign_float(i, i.operands[0], f"{x} / {y}")


def smaller(w, i):
    name = f"{i.name}{'_nan' * i.has('NaN')}_{i.type}"
    value, *others = sources(w, i)
    for other in others:
        value = f"{name}({value}, {other})"
    return w.assign_float(i, i.operands[0], value)


def change_sign(w, i):
    (x,) = sources(w, i)
    absolute = f"{'fabsf' if i.type == 'f32' else 'fabs'}({x})"
    return w.assign_float(i, i.operands[0], f"-{x}" if i.name == "neg" else absolute)


@instruction("copysign")
def copy_sign(w, i):
    """PTX names the sign first."""
    sign, x = (w.source(operand, i.type) for operand in i.operands[1:])
    return w.assign(i.operands[0], i.type, f"{'copysignf' if i.type == 'f32' else 'copysign'}({x}, {sign})")


@instruction("rcp")
def reciprocal(w, i):
    (x,) = sources(w, i)
    if direction(i) is not None:
        return directed(w, i, "div", "1.0f", x)
    coarse = i.type == "f64" and i.has("approx")
    return w.assign_float(i, i.operands[0], f"upper_half(1.0 / {x})" if coarse else f"1 / {x}")


@instruction("sqrt")
def square_root(w, i):
    (x,) = sources(w, i)
    if direction(i) is not None:
        return directed(w, i, "sqrt", x)
    return w.assign_float(i, i.operands[0], f"{'sqrtf' if i.type == 'f32' else 'sqrt'}({x})")


@instruction("rsqrt")
def reciprocal_square_root(w, i):
    (x,) = sources(w, i)
    return w.assign_float(i, i.operands[0], f"({i.type})(1 / sqrt({x}))")


FUNCTIONS = {"ex2": "exp2f", "lg2": "log2f", "sin": "sinf", "cos": "cosf", "tanh": "tanhf"}


@instruction(*FUNCTIONS)
def function(w, i):
    only_f32(i)
    (x,) = sources(w, i)
    return w.assign_float(i, i.operands[0], f"{FUNCTIONS[i.name]}({x})")
