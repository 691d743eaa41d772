"""engines: what computes one part of a batch, forward and backward.

    tape      any model, by the tape: the reference, and what is read and shown
    stages    the engine's layers and loss, fused, over buffers that are made once

A team (../teams) says where the parts run; ../parts cuts the batch and adds the parts' gradients up.
"""
