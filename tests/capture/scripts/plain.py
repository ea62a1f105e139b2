"""A loop of plain PyTorch that says what it learns by `mlhub.log`, prints what it likes and forks."""

import os
import sys

import torch

import mlhub

weight = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.SGD([weight], lr=0.1)
for step in range(20):
    loss = (weight - 3) ** 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    mlhub.log({"loss": loss.detach()}, step=step)
    sys.stdout.buffer.write(b'\x1b[31m\xff\xfe {"step": \x00 not json\r\n')
child = os.fork()
if child == 0:
    sys.exit(0)  # as careless scripts do: all that was to happen at exit happens here too
os.waitpid(child, 0)
mlhub.log_text("sample", "what it says")
