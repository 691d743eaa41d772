"""teams: where the parts of a batch run.

    threads      of this process; with one worker, in the calling thread
    processes    forked from this one, which see one memory; Linux
    ranks        of an MPI job, on one machine or many; launcher and world are what it stands on

All give the same bits for any number of workers.  What computes a part is an engine (../engines).
"""
