"""ptx: PTX text becomes C.

A thread of a kernel is one call of a C function; its registers are local variables.  `parser` reads the text, `writer`
writes the functions, `instructions/` holds what each instruction becomes, and `runtime/` what that C includes.
What is not known ends in a PtxError that quotes the line.
"""
