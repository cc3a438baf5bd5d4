"""A hint to the processor that a row of a table will be changed soon: sums over random rows wait for memory only."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

AHEAD = 20
"""Rows between the one that is changed and the one that is asked for."""
_WRITE, _KEEP, _DATA = 1, 3, 1
"""Arguments of llvm.prefetch: it will be written, kept in every cache, and is no code."""


@intrinsic
def fetch_row(context, table, row):
    """Ask for both ends of row `row` of a contiguous table (n, k); a row is seldom longer than two cache lines.

    A hint only: no result depends on it. The row must lie in the table.
    """

    def emit(context, builder, signature, given):
        array = context.make_array(signature.args[0])(context, builder, given[0])
        columns = cgutils.unpack_tuple(builder, array.shape, 2)[1]
        first = builder.mul(context.cast(builder, given[1], signature.args[1], types.intp), columns)
        last = builder.add(first, builder.sub(columns, columns.type(1)))
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        prefetch = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        for place in (first, last):
            address = builder.bitcast(builder.gep(array.data, [place]), byte)
            builder.call(prefetch, [address, word(_WRITE), word(_KEEP), word(_DATA)])
        return context.get_dummy_value()

    return types.void(table, row), emit
