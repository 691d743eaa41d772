"""job: a program's whole run, which may be one of several that a launcher has started at once."""

import contextlib
import os
from collections.abc import Iterator

from tinycnn.backend.devices import take_turn
from tinycnn.execution.teams.launcher import launched
from tinycnn.execution.teams.world import world


@contextlib.contextmanager
def job() -> Iterator[None]:
    """Within this block a program reads its options, loads its data, trains and reports, alone or as one of the ranks.

        with job():
            main()

    Where a launcher has started several, it starts MPI and lets rank 0 alone print: what others write to the output
    stream is dropped; of a machine's GPUs each rank gets one.  An error on one rank ends them all, with its traceback.
    Elsewhere it does nothing.
    """
    launch = launched()
    if launch is None or launch.size == 1:
        yield
        return
    try:
        ranks = world()
    except RuntimeError as error:
        raise RuntimeError(f"{launch.by} has started this program {launch.many}.  {error}") from error
    take_turn(ranks.turn)
    try:
        with contextlib.ExitStack() as output:
            if ranks.rank:
                nowhere = output.enter_context(open(os.devnull, "w", encoding="utf-8"))
                output.enter_context(contextlib.redirect_stdout(nowhere))
            yield
            ranks.finish()
    except BaseException as error:
        if ranks.size > 1 and not (isinstance(error, SystemExit) and not error.code):  # --help ends everywhere
            ranks.abandon(error)
        raise
